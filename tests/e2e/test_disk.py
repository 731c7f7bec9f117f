"""A disk that fails: the process says why and stops rather than guess, and comes back with what it had acknowledged."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.aws import client
from harness.server import ALL_IN_ONE, Server
from harness.waiting import eventually

FAULTS = {
    "a disk that is full": "pwrite64:error=ENOSPC",
    "a sync that fails": "fdatasync,fsync:error=EIO",
    "a kill at a write": "pwrite64:signal=SIGKILL",
    "a kill at a sync": "fdatasync,fsync:signal=SIGKILL",
}
# The first system calls of the kind that go well: each value breaks another step of a commit.
PLACES = (1, 2, 3, 5, 8, 13)
# Whoever waits for a server that is traced waits longer.
PATIENCE_SECONDS = 60


@pytest.fixture
def mortal(shape: str, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    if shape != ALL_IN_ONE:
        pytest.skip("the stores are the same in both shapes")
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    server = Server(shape, tmp_path / "server")
    try:
        yield server.start()
    finally:
        server.kill()


@contextmanager
def faulty(pid: int, fault: str, place: int) -> Iterator[None]:
    """Lets system calls of a process on its databases fail from the given one on."""
    arguments = ["strace", "-f", "-q", "-o", "/dev/null", "-p", str(pid), "-e", f"inject={fault}:when={place}+"]
    calls = fault.split(":", 1)[0]
    tracer = subprocess.Popen([*arguments, "-e", f"trace={calls}"], stderr=subprocess.DEVNULL)

    def is_traced() -> bool:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        tracer_pid = next(line for line in status.splitlines() if line.startswith("TracerPid"))
        return tracer_pid.split()[1] != "0"

    try:
        eventually(is_traced, "the server to be traced")
        yield
    finally:
        tracer.kill()
        tracer.wait()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_acknowledged_is_lost(mortal: Server, account: str, fault: str, place: int) -> None:
    glue = client("glue", mortal.endpoint, account)
    glue.create_workflow(Name="flow")
    acknowledged: list[str] = []
    with faulty(mortal.pids["serve"], fault, place):
        for number in range(200):
            try:
                run = glue.start_workflow_run(Name="flow", RunProperties={"number": str(number)})["RunId"]
                acknowledged.append(run)
                glue.put_workflow_run_properties(Name="flow", RunId=run, RunProperties={"put": run})
            except Exception:  # the fault: nobody knows what was done
                break
        else:
            pytest.fail("the fault did not strike")
        eventually(
            lambda: not Path(f"/proc/{mortal.pids['serve']}").exists() or _is_zombie(mortal), "the server to stop"
        )
    if "error" in fault:
        assert "the store failed" in mortal.log("serve")
    mortal.kill()
    mortal.start()
    found = {run["WorkflowRunId"]: run for run in all_runs(glue)}
    assert set(acknowledged) <= set(found)
    for run in acknowledged[:-1]:
        assert found[run]["WorkflowRunProperties"]["put"] == run
    glue.start_workflow_run(Name="flow")


def _is_zombie(server: Server) -> bool:
    stat = Path(f"/proc/{server.pids['serve']}/stat").read_text(encoding="ascii")
    return ") Z " in stat


def all_runs(glue: Any) -> list[dict[str, Any]]:
    """All runs of the workflow."""
    runs: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = glue.get_workflow_runs(Name="flow", **token)
        runs += page["Runs"]
        if "NextToken" not in page:
            return runs
        token = {"NextToken": page["NextToken"]}
