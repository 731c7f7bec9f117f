"""The server as a process: how it begins, what it takes, and where it listens."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from harness.aws import client
from harness.cli import treenail
from harness.flows import Flow, add_job, job_run_ended
from harness.server import ALL_IN_ONE, Server, binary, clean_environment, free_port

IDLE_KIB_MAX = 50 * 1024


def test_an_idle_server_is_small(shape: str, tmp_path: Path, account: str) -> None:
    if shape != ALL_IN_ONE:
        pytest.skip("the promise is for the one process")
    server = Server(shape, tmp_path / "server")
    try:
        server.start()
        client("glue", server.endpoint, account).list_workflows()
        status = Path(f"/proc/{server.pids['serve']}/status").read_text(encoding="utf-8")
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert resident
        assert int(resident[1]) < IDLE_KIB_MAX
        server.stop()
    finally:
        server.kill()


def test_a_server_that_was_stopped_knows_all_when_it_is_back(shape: str, tmp_path: Path, account: str) -> None:
    server = Server(shape, tmp_path / "server")
    try:
        server.start()
        flow = Flow(client("glue", server.endpoint, account), tmp_path)
        flow.job("J1")
        flow.starts_with("J1")
        run = flow.run(x="1")
        run.ended()
        before = run.get(graph=True)
        server.stop()
        server.start()
        assert run.get(graph=True) == before
        flow.run().ended()
        server.stop()
    finally:
        server.kill()


def test_listening_beyond_loopback_is_refused(tmp_path: Path) -> None:
    line = [str(binary()), "serve", "--data-dir", str(tmp_path / "data"), "--listen", f"192.0.2.1:{free_port()}"]
    line += ["--grpc-listen", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "insecure" in done.stderr + done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["serve", "--help"], ["run", "--help"]])
def test_the_binary_explains_itself(arguments: list[str]) -> None:
    line = [str(binary()), *arguments]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "treenail" in done.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--no-such-flag"], ["clock", "advance", "soon"]])
def test_a_wrong_command_line_is_refused_in_words(arguments: list[str]) -> None:
    line = [str(binary()), *arguments]
    done = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode not in (0, 101)
    assert done.stderr.strip()


def test_a_job_inherits_no_file_or_socket_of_whoever_started_the_server(
    shape: str, tmp_path: Path, account: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for jobs", encoding="utf-8")
    # What a careless parent leaves open: a file, and a socket.
    with secret.open() as file, socket.socket() as connection:
        server = Server(shape, tmp_path / "server")
        server.pass_files = (file.fileno(), connection.fileno())
        try:
            server.start()
            glue = client("glue", server.endpoint, account)
            script = """
import os
left = []
for number in range(3, 1024):
    try:
        left.append((number, os.readlink(f"/proc/self/fd/{number}")))
    except OSError:
        pass
print(left)
"""
            add_job(glue, tmp_path, "look", script)
            run = glue.start_job_run(JobName="look")["JobRunId"]
            worker = server.pids["serve" if shape == ALL_IN_ONE else "worker"]
            assert Path(f"/proc/{worker}/fd/{file.fileno()}").readlink() == secret, "the server itself was to have it"
            job_run_ended(glue, "look", run)
            assert treenail(server, account, "logs", run).stdout.strip() == "[]"
            server.stop()
        finally:
            server.kill()
