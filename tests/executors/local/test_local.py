"""What executors of this machine do alike beyond the suite of all: what they keep jobs from, and leave of them."""

from __future__ import annotations

import json
import secrets
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from engines import MEMORY_MIB_MAX, PROCESSES_MAX
from harness.aws import REGION, SECRET
from harness.certificates import Installation
from harness.flows import Flow
from harness.server import SPLIT, Server
from harness.waiting import eventually

from .jobs import HOLD, Jobs, command_lines

pytestmark = pytest.mark.timeout(300)

MIB = 1024 * 1024
# More than a minute, which is the shortest Timeout of a job.
BEYOND_TIMEOUT_MS = 61_000
# How much output is kept of its beginning.
LOG_HEAD_MIB = 16
# Reads a property of its run, and puts another.
ASKING = """
import os, boto3
glue = boto3.client("glue")
run = dict(Name=os.environ["AWS_GLUE_WORKFLOW_NAME"], RunId=os.environ["AWS_GLUE_WORKFLOW_RUN_ID"])
given = glue.get_workflow_run_properties(**run)["RunProperties"]
glue.put_workflow_run_properties(RunProperties={"answer": given["question"].upper()}, **run)
"""


def test_a_script_sees_its_arguments_and_an_environment_of_its_own(job: Jobs) -> None:
    script = "import json, os, sys\nprint(json.dumps([sys.argv, dict(os.environ), os.getcwd()]))\n"
    arguments = {
        "--day": "2026-11-21",
        "--text": "two words, a 'quote' and\na second line; $HOME",
        "--customer-driver-env-vars": "CUSTOMER_A=one",
    }
    run = job.start(script, arguments)
    run.ended()
    argv, environment, folder = json.loads(run.output("--stdout"))
    assert argv[0].endswith(f"/{run.name}.py")
    given = dict(zip(argv[1::2], argv[2::2], strict=True))
    assert given == arguments
    assert environment["AWS_ACCESS_KEY_ID"] == job.account
    assert environment["AWS_GLUE_JOB_RUN_ID"] == run.id
    assert environment["CUSTOMER_A"] == "one"
    assert environment["HOME"] == folder
    assert "TREENAIL_LOG" not in environment, "the worker's own environment stays its own"


def test_a_script_can_write_where_it_works_and_nowhere_else_of_its_folder(job: Jobs) -> None:
    script = """
import os, sys, tempfile
open("file", "w").close()
tempfile.NamedTemporaryFile().close()
print(oct(os.stat("file").st_mode & 0o777))
"""
    run = job.start(script)
    run.ended()
    assert run.output("--stdout").strip() == "0o600"


@pytest.mark.parametrize(
    ("script", "message", "detail"),
    [
        ("import sys; sys.exit(3)", "Command failed with exit code 3", ""),
        ("raise ValueError('no such day')", "Command failed with exit code 1", "ValueError: no such day"),
        ("import os; os.kill(os.getpid(), 9)", "Command failed with exit code -9", "ended by signal 9 (SIGKILL"),
        ("import os; os.abort()", "Command failed with exit code -6", "ended by signal 6 (SIGABRT)"),
    ],
)
def test_a_failure_is_told_in_the_words_of_aws(job: Jobs, script: str, message: str, detail: str) -> None:
    ended = job.start(script).ended("FAILED")
    assert ended["ErrorMessage"] == message
    assert detail in ended.get("StateDetail", "")


def test_a_script_reads_and_puts_the_properties_of_its_run(job: Jobs) -> None:
    flow = Flow(job.glue, job.folder)
    flow.starts_with(job.define(ASKING))
    run = flow.run(question="why")
    run.ended()
    assert run.counts() == {"Total": 1, "Succeeded": 1}, run.graph()
    assert run.properties() == {"question": "why", "answer": "WHY"}


def test_extra_python_files_and_awsglue_can_be_imported(job: Jobs, tmp_path: Path) -> None:
    (tmp_path / "single.py").write_text("WORD = 'single'\n", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        archive.writestr("packed/__init__.py", "WORD = 'packed'\n")
    files = f"{(tmp_path / 'single.py').as_uri()},{(tmp_path / 'package.zip').as_uri()}"
    script = """
import sys
import single, packed
from awsglue.utils import getResolvedOptions
print(single.WORD, packed.WORD, getResolvedOptions(sys.argv, ["day"])["day"])
"""
    run = job.start(script, {"--extra-py-files": files, "--day": "today"})
    run.ended()
    assert run.output("--stdout").strip() == "single packed today"


def test_the_outputs_are_kept_apart(job: Jobs) -> None:
    run = job.start("import sys\nprint('to stdout')\nprint('to stderr ☕', file=sys.stderr)\n")
    run.ended()
    assert run.output("--stdout").strip() == "to stdout"
    assert run.output("--stderr").strip() == "to stderr ☕"


def test_of_a_flood_of_output_the_beginning_and_the_end_are_kept(job: Jobs) -> None:
    script = "import sys\nfor n in range(3000):\n    sys.stdout.write(f'{n:08}' * 1024)\n"
    run = job.start(script)
    run.ended()
    output = run.output("--stdout")
    assert output.startswith("00000000")
    assert output.endswith("00002999")
    assert "bytes of output are left out here]" in output
    assert len(output) < (LOG_HEAD_MIB + 2) * MIB


def test_a_run_that_is_stopped_ends_with_all_that_it_started(job: Jobs) -> None:
    script = f"""
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(90)", __file__], start_new_session=True)
{HOLD}"""
    run = job.start(script)
    run.begun()
    assert len(run.processes()) >= 2
    job.glue.batch_stop_job_run(JobName=run.name, JobRunIds=[run.id])
    run.ended("STOPPED")
    run.gone()


def test_a_run_beyond_its_timeout_is_ended(job: Jobs, server: Server) -> None:
    run = job.start(HOLD, Timeout=1)
    run.begun()
    server.advance_clock(BEYOND_TIMEOUT_MS)
    run.ended("TIMEOUT")
    run.gone()


def test_what_a_script_leaves_running_ends_with_it(job: Jobs) -> None:
    script = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(90)", __file__], start_new_session=True)
"""
    run = job.start(script)
    run.ended()
    run.gone()


def test_a_run_with_too_much_memory_is_ended(job: Jobs, executor: Any) -> None:
    ended = job.start("held = b'x' * (400 << 20)\nimport time\ntime.sleep(90)\n").ended("FAILED")
    if executor.tells_of_memory:
        assert ended["ErrorMessage"] == "Command failed with exit code 10"
        assert f"more than {MEMORY_MIB_MAX} MiB of memory" in ended["StateDetail"]
    else:
        assert ended["ErrorMessage"] == "Command failed with exit code -9"
        assert "the system may have been out of memory" in ended["StateDetail"]


def test_a_run_with_too_many_processes_fails_and_harms_nothing(job: Jobs) -> None:
    script = f"""
import os, time
for _ in range({PROCESSES_MAX + 10}):
    if os.fork() == 0:
        time.sleep(90)
time.sleep(90)
"""
    run = job.start(script)
    ended = run.ended("FAILED")
    # Either the job is ended, or the kernel refuses it another process and the script fails by that.
    assert "too many processes" in ended["ErrorMessage"] or "BlockingIOError" in ended["StateDetail"], ended
    run.gone()
    job.start("").ended()


def test_nothing_is_left_of_a_worker_that_was_killed(job: Jobs, server: Server, executor: Any) -> None:
    run = job.start(HOLD)
    run.begun()
    server.kill("worker")
    server.start()
    run.gone()
    eventually(lambda: not executor.left(), "the executor to have nothing left")
    run.ended("FAILED")
    job.start("").ended()


def test_a_worker_that_is_told_to_stop_lets_a_run_end(job: Jobs, server: Server, executor: Any) -> None:
    run = job.start("import time\ntime.sleep(2)\n")
    eventually(run.processes, "the script to run")
    server.terminate("worker")
    run.ended()
    assert executor.left() == []
    server.start()
    job.start("").ended()


def test_what_a_script_is_told_is_told_to_nobody_else(job: Jobs, server: Server, executor: Any) -> None:
    argument, variable = (f"CaNaRy{secrets.token_hex(8)}" for _ in range(2))
    run = job.start(HOLD, {"--password": argument, "--customer-driver-env-vars": f"CUSTOMER_SECRET={variable}"})
    run.begun()
    scripts = run.processes()
    assert scripts
    # The script's own command line has its arguments; nobody else's.
    others = "\n".join(line for pid, line in command_lines().items() if pid not in scripts)
    assert others
    places = {"command lines": others, "executor": executor.told(), "worker's log": server.log("worker")}
    found = [place for place, text in places.items() for secret in (argument, variable) if secret in text]
    assert found == []
    job.glue.batch_stop_job_run(JobName=run.name, JobRunIds=[run.id])
    run.ended("STOPPED")


def test_a_script_inherits_no_files(job: Jobs) -> None:
    script = """
import os
opened = []
for name in os.listdir("/proc/self/fd"):
    try:
        os.fstat(int(name))
        opened.append(int(name))
    except OSError:
        pass  # What listed them, and is closed.
print(sorted(opened))
"""
    run = job.start(script)
    run.ended()
    assert json.loads(run.output("--stdout")) == [0, 1, 2]


def test_a_script_trusts_the_server_where_all_is_encrypted(executor: Any, tmp_path: Path, account: str) -> None:
    trust = Installation(tmp_path / "certificates")
    server = Server(SPLIT, tmp_path / "server", trust=trust, environment=executor.environment)
    server.arguments["worker"] = executor.arguments
    try:
        server.start()
        glue = boto3.client(
            "glue",
            endpoint_url=server.endpoint,
            region_name=REGION,
            aws_access_key_id=account,
            aws_secret_access_key=SECRET,
            verify=str(trust.authority),
        )
        flow = Flow(glue, tmp_path)
        flow.job("j", ASKING)
        flow.starts_with("j")
        run = flow.run(question="why")
        run.ended()
        assert run.properties()["answer"] == "WHY"
        server.stop()
    finally:
        server.kill()
