"""Where a container puts the server: in a process namespace that its session is not part of."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.aws import client
from harness.flows import Flow
from harness.server import Server

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def prefix() -> tuple[str, ...]:
    """Finds the command that enters a namespace, with a user namespace for those who are not root."""
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    command = (*UNSHARE, *user)
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs unshare and the right to make a process namespace")
    return command


def test_jobs_run_where_the_session_is_outside(shape: str, tmp_path: Path, account: str) -> None:
    server = Server(shape, tmp_path / "server", prefix=prefix())
    try:
        server.start()
        flow = Flow(client("glue", server.endpoint, account), tmp_path)
        # What a job leaves behind is looked for when it ends: here a process of a session of its own.
        flow.job("J1", "import subprocess\nsubprocess.Popen(['sleep', '90'], start_new_session=True)\n")
        flow.starts_with("J1")
        run = flow.run()
        run.ended()
        assert run.states() == {"J1": ["SUCCEEDED"]}
    finally:
        server.kill()
