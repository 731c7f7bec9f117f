"""What every executor does alike: a script cannot tell by whom it is run, nor can who started it."""

from __future__ import annotations

import io
import threading
import zipfile
from typing import Any

import pytest

from harness.cli import treenail
from harness.flows import Flow, job_run, job_run_ended
from harness.scripts import options
from harness.server import Server
from harness.waiting import eventually
from scripts import Gate, Jobs


def state_is(glue: Any, job: str, run: str, state: str) -> dict[str, Any]:
    """Waits until a job run is in a state."""

    def probe() -> dict[str, Any] | None:
        found = job_run(glue, job, run)
        return found if found["JobRunState"] == state else None

    return eventually(probe, f"{run} to be {state}")


def written(server: Server, account: str, run: str) -> str:
    """What a job run wrote."""
    shown = treenail(server, account, "logs", run)
    assert shown.returncode == 0, shown
    return str(shown.stdout + shown.stderr)


def test_a_run_starts_runs_and_succeeds(glue: Any, jobs: Jobs) -> None:
    gate = jobs.gate("j")
    run = jobs.start("j")
    gate.reached()
    state_is(glue, "j", run, "RUNNING")
    gate.open()
    job_run_ended(glue, "j", run)
    assert gate.begun() == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys\nsys.exit(3)", "Command failed with exit code 3"),
        ("raise ValueError('no such day')", "Command failed with exit code 1"),
        ("import os\nos.kill(os.getpid(), 9)", "Command failed with exit code -9"),
    ],
)
def test_a_script_that_fails_fails_its_run(glue: Any, jobs: Jobs, script: str, message: str) -> None:
    jobs.add("j", script)
    run = job_run_ended(glue, "j", jobs.start("j"), "FAILED")
    assert run["ErrorMessage"] == message
    if "ValueError" in script:
        assert "ValueError: no such day" in run["StateDetail"]


def test_a_run_without_its_script_fails_with_a_reason(glue: Any, jobs: Jobs) -> None:
    jobs.add("j", "")
    jobs.s3.delete_object(Bucket="scripts", Key="j.py")
    run = job_run_ended(glue, "j", jobs.start("j"), "FAILED")
    failed = "failed to execute with exception s3://scripts/j.py cannot be read"
    assert failed in run["ErrorMessage"]
    assert "\n" not in run["ErrorMessage"]


def test_a_script_sees_its_arguments_and_nothing_of_the_worker(
    glue: Any, jobs: Jobs, account: str, server: Server
) -> None:
    jobs.record("j", DefaultArguments={"--a": "1", "--flag": "", "--note": "two words; $HOME 'x' \"y\" ☕"})
    run = jobs.start("j", Arguments={"--a": "2", "--customer-driver-env-vars": "CUSTOMER_COLOUR=red"})
    job_run_ended(glue, "j", run)
    seen = jobs.seen("j")
    assert options(seen["argv"])["--a"] == "2"
    assert options(seen["argv"])["--flag"] == ""
    assert "two words; $HOME 'x' \"y\" ☕" in seen["argv"]
    environment = seen["environment"]
    assert environment["AWS_ENDPOINT_URL"] == server.endpoint
    assert environment["AWS_ACCESS_KEY_ID"] == account
    assert environment["AWS_GLUE_JOB_RUN_ID"] == run
    assert environment["CUSTOMER_COLOUR"] == "red"
    assert environment["HOME"] == seen["folder"]
    foreign = ("KUBECONFIG", "KUBERNETES_", "TREENAIL_EXECUTOR", "PYTEST")
    assert [name for name in environment if name.startswith(foreign)] == []


def test_a_script_reads_and_writes_the_properties_of_its_run(glue: Any, jobs: Jobs, tmp_path: Any) -> None:
    flow = Flow(glue, tmp_path)
    script = """
import boto3, sys
from awsglue.utils import getResolvedOptions
own = getResolvedOptions(sys.argv, ["WORKFLOW_NAME", "WORKFLOW_RUN_ID"])
run = dict(Name=own["WORKFLOW_NAME"], RunId=own["WORKFLOW_RUN_ID"])
glue = boto3.client("glue")
day = glue.get_workflow_run_properties(**run)["RunProperties"]["day"]
glue.put_workflow_run_properties(**run, RunProperties={"next": day + " and on"})
"""
    flow.starts_with(jobs.add("j", script))
    run = flow.run(day="monday")
    run.ended()
    assert run.properties() == {"day": "monday", "next": "monday and on"}


def test_output_is_kept(server: Server, glue: Any, jobs: Jobs, account: str) -> None:
    script = "import sys\nprint('to stdout')\nprint('to stderr ☕', file=sys.stderr)\nsys.stdout.write('no newline')"
    jobs.add("j", script)
    run = jobs.start("j")
    job_run_ended(glue, "j", run)
    text = written(server, account, run)
    for part in ("to stdout\n", "to stderr ☕\n", "no newline"):
        assert text.count(part) == 1


def test_output_is_followed_live(server: Server, jobs: Jobs, account: str) -> None:
    gate: Gate = jobs.gate("j")
    run = jobs.start("j")
    gate.reached()
    process = treenail(server, account, "logs", "-f", run, wait=False)
    seen: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: seen.extend(iter(process.stdout.readline, "")))
    reader.start()
    try:
        eventually(lambda: "begun\n" in seen, "the first line while the job runs")
        gate.open()
        assert process.wait(30) == 0
    finally:
        process.kill()
        reader.join()
    assert seen == ["begun\n", "let go\n"]


def test_a_lot_of_output_is_kept_whole(server: Server, glue: Any, jobs: Jobs, account: str) -> None:
    lines = 20_000
    jobs.add("j", f"for number in range({lines}):\n    print(number, 'x' * (number % 100))\nprint('y' * 50_000)")
    run = jobs.start("j")
    job_run_ended(glue, "j", run)
    expected = "".join(f"{number} {'x' * (number % 100)}\n" for number in range(lines)) + "y" * 50_000 + "\n"
    assert written(server, account, run) == expected


def test_a_stop_ends_all_that_the_script_started(glue: Any, jobs: Jobs) -> None:
    script = """
import boto3, subprocess, sys, time, uuid
beat = "import boto3, time, uuid\\ns3 = boto3.client('s3')\\n" \\
    "while True:\\n    s3.put_object(Bucket='scripts', Key='beats/' + uuid.uuid4().hex, Body=b'')\\n    time.sleep(0.1)"
subprocess.Popen([sys.executable, "-c", beat], start_new_session=True)
time.sleep(90)
"""
    jobs.add("j", script)

    def beats() -> int:
        return int(jobs.s3.list_objects_v2(Bucket="scripts", Prefix="beats/")["KeyCount"])

    run = jobs.start("j")
    eventually(lambda: beats() > 1, "the script's child to run")
    glue.batch_stop_job_run(JobName="j", JobRunIds=[run])
    job_run_ended(glue, "j", run, "STOPPED")
    # It is told as stopped when nothing of it runs any more.
    after = beats()
    jobs.record("later")
    job_run_ended(glue, "later", jobs.start("later"))
    assert beats() == after


@pytest.mark.parametrize("manual_clock", [True])
def test_a_run_that_takes_too_long_is_ended(server: Server, glue: Any, jobs: Jobs) -> None:
    gate = jobs.gate("j", Timeout=1)
    run = jobs.start("j")
    gate.reached()
    state_is(glue, "j", run, "RUNNING")
    server.advance_clock(61_000)
    job_run_ended(glue, "j", run, "TIMEOUT")


def test_a_failed_run_is_tried_again(glue: Any, jobs: Jobs) -> None:
    script = """
import boto3, sys
s3 = boto3.client("s3")
if s3.list_objects_v2(Bucket="scripts", Prefix="once")["KeyCount"] == 0:
    s3.put_object(Bucket="scripts", Key="once", Body=b"")
    sys.exit(1)
"""
    jobs.add("j", script, MaxRetries=1)
    jobs.start("j")

    def states() -> list[str]:
        return [run["JobRunState"] for run in glue.get_job_runs(JobName="j")["JobRuns"]]

    eventually(lambda: states() == ["SUCCEEDED", "FAILED"], "the second attempt to succeed")


def wheel(name: str, text: str) -> bytes:
    """A wheel of one module."""
    content = io.BytesIO()
    information = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{name}.py", text)
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return content.getvalue()


def test_a_script_finds_its_files_and_modules(glue: Any, jobs: Jobs) -> None:
    one = jobs.keep("one.py", b"ONE = 1")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("two.py", "TWO = 2")
    two = jobs.keep("two.zip", packed.getvalue())
    three = jobs.keep("three-1.0-py3-none-any.whl", wheel("three", "THREE = 3"))
    jobs.add(
        "j",
        "import one, two, three, awsglue\nassert (one.ONE, two.TWO, three.THREE) == (1, 2, 3)",
        DefaultArguments={"--extra-py-files": f"{one},{two}", "--additional-python-modules": three},
    )
    job_run_ended(glue, "j", jobs.start("j"))


def test_modules_that_cannot_be_installed_fail_the_run_with_a_reason(glue: Any, jobs: Jobs) -> None:
    broken = jobs.keep("broken-1.0-py3-none-any.whl", b"this is no wheel")
    jobs.add("j", "", DefaultArguments={"--additional-python-modules": broken})
    run = job_run_ended(glue, "j", jobs.start("j"), "FAILED")
    reason = "failed to execute with exception The modules of --additional-python-modules cannot be installed: "
    assert reason in run["ErrorMessage"]
    assert "broken" in run["ErrorMessage"]
