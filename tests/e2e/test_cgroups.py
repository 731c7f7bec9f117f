"""Control groups: the kernel's bounds on jobs that are processes, where the machine lets the worker have them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.aws import client
from harness.flows import Flow
from harness.server import Server, binary, clean_environment, free_port
from harness.waiting import eventually

MIB = 1024 * 1024
LIMITS = ["--job-cgroups", "own", "--job-memory-mib-max", "128", "--job-processes-max", "16"]
# Takes and holds more than the bound at once, faster than a look ten times a second could see.
AT_ONCE = f"held = bytearray({512 * MIB})\nprint('had it all')\n"
TOLD = "import time\nprint(open('/proc/self/cgroup').read())\n"
FORKS = """
import os, time
try:
    for _ in range(40):
        if os.fork() == 0:
            time.sleep(60)
except BlockingIOError:
    print("no more")
time.sleep(60)
"""


@pytest.fixture
def bounded(shape: str, tmp_path: Path) -> Iterator[Server]:
    """A server whose jobs have control groups."""
    line = [str(binary()), "serve", "--data-dir", str(tmp_path / "probe"), "--job-cgroups", "own"]
    line += ["--listen", f"127.0.0.1:{free_port()}", "--grpc-listen", f"127.0.0.1:{free_port()}"]
    try:
        told = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=2, check=False)
        if "control groups cannot be made" in told.stderr or "has no control groups" in told.stderr:
            pytest.skip(told.stderr.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        # It serves: so it may make them.
        pass
    server = Server(shape, tmp_path / "server")
    server.arguments = {"serve" if shape == "all-in-one" else "worker": LIMITS}
    try:
        yield server.start()
    finally:
        server.kill()


def groups(server: Server) -> list[Path]:
    """The groups of a server's jobs that are there."""
    worker = "serve" if server.shape == "all-in-one" else "worker"
    prefix = f"treenail-{(server.data_dir / worker / 'worker-id').read_text(encoding='utf-8')}-"
    return [Path(path) for path, _, _ in os.walk("/sys/fs/cgroup") if Path(path).name.startswith(prefix)]


def ended(server: Server, account: str, folder: Path, script: str) -> tuple[dict[str, str], Flow]:
    flow = Flow(client("glue", server.endpoint, account), folder)
    flow.job("job", script)
    flow.starts_with("job")
    run = flow.run()
    run.ended()
    (job_run,) = run.job_runs("job")
    return job_run, flow


def test_a_job_has_a_group_of_its_own_and_it_goes_with_it(bounded: Server, account: str, tmp_path: Path) -> None:
    job_run, _ = ended(bounded, account, tmp_path, TOLD)
    assert job_run["JobRunState"] == "SUCCEEDED"
    line = [str(binary()), "logs", job_run["Id"], "--grpc-endpoint", f"http://{bounded.grpc_target}"]
    line += ["--account", account]
    told = subprocess.run(line, env=clean_environment(), capture_output=True, text=True, timeout=30, check=True)
    assert f"-{job_run['Id']}-" in told.stdout
    eventually(lambda: groups(bounded) == [], "the group to be gone")


def test_memory_that_is_taken_at_once_is_too_much(bounded: Server, account: str, tmp_path: Path) -> None:
    job_run, _ = ended(bounded, account, tmp_path, AT_ONCE)
    assert job_run["JobRunState"] == "FAILED"
    assert job_run["ErrorMessage"] == "Command failed with exit code 10"
    assert "more than 128 MiB of memory" in job_run["StateDetail"]
    eventually(lambda: groups(bounded) == [], "the group to be gone")


def test_processes_beyond_the_bound_are_never_there(bounded: Server, account: str, tmp_path: Path) -> None:
    job_run, _ = ended(bounded, account, tmp_path, FORKS)
    assert job_run["ErrorMessage"] == "Command failed: too many processes"
    assert "more than 16 processes" in job_run["StateDetail"]
    eventually(lambda: groups(bounded) == [], "the group to be gone")


def test_groups_of_a_worker_that_was_killed_go_when_it_starts_again(
    bounded: Server, account: str, tmp_path: Path
) -> None:
    flow = Flow(client("glue", bounded.endpoint, account), tmp_path)
    flow.job("job", "import time\ntime.sleep(60)\n")
    flow.starts_with("job")
    run = flow.run()
    run.state("job", "RUNNING")
    name = "serve" if bounded.shape == "all-in-one" else "worker"
    bounded.kill(name)
    assert groups(bounded)
    bounded.start()
    eventually(lambda: groups(bounded) == [], "the group to be gone")
    run.ended()
