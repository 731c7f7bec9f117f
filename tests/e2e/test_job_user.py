"""Jobs as another user than the worker's, who is root."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.aws import client
from harness.cli import treenail
from harness.flows import add_job, job_run_ended
from harness.server import ALL_IN_ONE, Server, binary, clean_environment

# In every /etc/passwd, and nobody's own.
USER = "nobody"
# An interpreter that any user may run.
PYTHON = "/usr/bin/python3"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux" or not Path(PYTHON).exists(), reason="needs root, and a Python for all"
)

LOOKING = """
import json, os, subprocess, sys, tempfile
def outcome(act):
    try:
        act()
        return "done"
    except OSError as error:
        return type(error).__name__
data = sys.argv[sys.argv.index("--data") + 1]
seen = dict(
    user=os.getresuid(), group=os.getresgid(), groups=os.getgroups(),
    listed=outcome(lambda: os.listdir(data)),
    database=outcome(lambda: open(f"{data}/runs.db")),
    buckets=outcome(lambda: os.listdir(f"{data}/s3")),
    logs=outcome(lambda: os.listdir(f"{data}/logs")),
    others=outcome(lambda: os.listdir(f"{data}/work/attempts")),
    becomes_root=outcome(lambda: os.setuid(0)),
    work=outcome(lambda: open("file", "w")), temporary=outcome(lambda: tempfile.TemporaryFile()),
    sudo=int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs"))),
)
import awsglue.utils, single
print(json.dumps(seen))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose parents any user may pass."""
    path = Path(tempfile.mkdtemp(prefix="treenail-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def refused(*arguments: str, **options: Any) -> str:
    """Starts a server that must not start; gives what it says."""
    line = [str(binary()), "worker", *arguments]
    done = subprocess.run(
        line, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False, **options
    )
    assert done.returncode not in (0, 101), done
    return done.stderr


def test_a_job_is_the_users_and_reaches_nothing_of_the_worker(folder: Path, tmp_path: Path, account: str) -> None:
    server = Server(ALL_IN_ONE, folder / "server")
    server.data_dir.chmod(0o711)
    server.arguments["serve"] = ["--job-user", USER, "--python", PYTHON]
    try:
        server.start()
        glue = client("glue", server.endpoint, account)
        add_job(glue, tmp_path, "first", "print('so that there are logs')")
        job_run_ended(glue, "first", glue.start_job_run(JobName="first")["JobRunId"])
        (tmp_path / "single.py").write_text("", encoding="utf-8")
        add_job(glue, tmp_path, "look", LOOKING)
        data = server.data_dir / "serve"
        arguments = {"--data": str(data), "--extra-py-files": (tmp_path / "single.py").as_uri()}
        run = glue.start_job_run(JobName="look", Arguments=arguments)["JobRunId"]
        job_run_ended(glue, "look", run)
        seen = json.loads(treenail(server, account, "logs", run).stdout)
        user = pwd.getpwnam(USER)
        assert seen == {
            "user": [user.pw_uid] * 3,
            "group": [user.pw_gid] * 3,
            "groups": [],
            "listed": "PermissionError",
            "database": "PermissionError",
            "buckets": "PermissionError",
            "logs": "PermissionError",
            "others": "PermissionError",
            "becomes_root": "PermissionError",
            "work": "done",
            "temporary": "done",
            "sudo": 1,
        }
        add_job(glue, tmp_path, "flood", "held = b'x' * (3 << 30)\nimport time\ntime.sleep(90)\n", MaxCapacity=0.0625)
        run = glue.start_job_run(JobName="flood")["JobRunId"]
        ended = job_run_ended(glue, "flood", run, "FAILED")
        assert "more than 1024 MiB" in ended["StateDetail"], "the watch sees a job of another user"
        server.stop()
    finally:
        server.kill()


def test_a_worker_that_cannot_run_jobs_as_the_user_does_not_start(folder: Path) -> None:
    data = ["--data-dir", str(folder / "data")]
    assert "no user 'nonsense'" in refused(*data, "--job-user", "nonsense").replace('"', "'")
    assert "as root" in refused(*data, "--job-user", "root")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    said = refused("--data-dir", str(closed / "data"), "--python", PYTHON, "--job-user", USER)
    assert f"{closed} is closed to user" in said


def test_only_root_can_run_jobs_as_another_user(folder: Path) -> None:
    user = pwd.getpwnam(USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    program = folder / "treenail"
    shutil.copy(binary(), program)
    line = [str(program), "worker", "--data-dir", str(folder / "data"), "--job-user", "daemon"]
    done = subprocess.run(
        line,
        env=clean_environment(),
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )
    assert done.returncode not in (0, 101), done
    assert "only a worker that runs as root" in done.stderr
