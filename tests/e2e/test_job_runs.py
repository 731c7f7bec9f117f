"""Job runs: how they start, what their scripts see, how they end, and what is told of them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness.aws import answer, refused
from harness.flows import ENDED_JOB_RUNS, ROLE, Flow, add_job, command, job_run, job_run_ended
from harness.scripts import Gate, Record, exits, options
from harness.server import Server
from harness.waiting import eventually

JOB_RUN_ID = re.compile(r"jr_[0-9a-f]{64}")


def started(glue: Any, job: str = "j", **members: Any) -> str:
    """Starts a job run."""
    run_id: str = glue.start_job_run(JobName=job, **members)["JobRunId"]
    return run_id


def test_a_run_that_succeeds_tells_all_that_aws_tells(glue: Any, tmp_path: Path) -> None:
    add_job(glue, tmp_path, "j", "print('done')")
    run_id = started(glue)
    assert JOB_RUN_ID.fullmatch(run_id)
    run = job_run_ended(glue, "j", run_id)
    for name in ("GlueVersion", "StateDetail"):
        run.pop(name, None)
    assert run.pop("StartedOn") <= run.pop("CompletedOn") <= run.pop("LastModifiedOn")
    assert run.pop("ExecutionTime") >= 0
    assert run == {
        "Id": run_id,
        "Attempt": 0,
        "JobName": "j",
        "JobMode": "SCRIPT",
        "JobRunQueuingEnabled": False,
        "JobRunState": "SUCCEEDED",
        "PredecessorRuns": [],
        "AllocatedCapacity": 0,
        "MaxCapacity": 0.0625,
        "Timeout": 2880,
        "LogGroupName": "/aws-glue/python-jobs",
    }


def test_a_run_goes_through_the_states_of_aws(glue: Any, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", gate.script)
    run_id = started(glue)
    assert job_run(glue, "j", run_id)["JobRunState"] in ("STARTING", "RUNNING")
    gate.reached()
    eventually(lambda: job_run(glue, "j", run_id)["JobRunState"] == "RUNNING", "the run to be RUNNING")
    assert "CompletedOn" not in job_run(glue, "j", run_id)
    gate.open()
    job_run_ended(glue, "j", run_id)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (exits(1), "Command failed with exit code 1"),
        ("raise ValueError('no such day')", "Command failed with exit code 1"),
        ("import argparse; argparse.ArgumentParser().error('x')", "Command failed with exit code 2"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"Command failed with exit code -?\d+"),
        ("def broken(:", "Command failed with exit code 1"),
    ],
)
def test_a_script_that_fails_fails_its_run(glue: Any, tmp_path: Path, script: str, message: str) -> None:
    add_job(glue, tmp_path, "j", script)
    run = job_run_ended(glue, "j", started(glue), "FAILED")
    assert re.fullmatch(message, run["ErrorMessage"])


@pytest.mark.parametrize(
    "kind",
    [
        {"Name": "pythonshell"},
        {"Name": "pythonshell", "ScriptLocation": "file:///nowhere/at/all.py"},
        {"Name": "pythonshell", "ScriptLocation": "s3://no-such-bucket-here/a.py"},
        {"Name": "pythonshell", "ScriptLocation": "gopher://a/b.py"},
    ],
)
def test_a_run_without_its_script_fails_with_a_reason(glue: Any, kind: dict[str, str]) -> None:
    glue.create_job(Name="j", Role=ROLE, Command=kind)
    run = job_run_ended(glue, "j", started(glue), "FAILED")
    assert run["ErrorMessage"]
    assert run["ExecutionTime"] == 0


def test_an_unknown_command_fails_as_on_aws(glue: Any) -> None:
    glue.create_job(Name="j", Role=ROLE, Command={"Name": "nonsense", "ScriptLocation": "s3://a/b.py"})
    run_id = started(glue)
    message = job_run_ended(glue, "j", run_id, "FAILED")["ErrorMessage"]
    expected = f"JobName:j and JobRunId:{run_id} failed to execute with exception "
    assert message.startswith(f"{expected}Could not find command for the given criteria")


def test_a_spark_job_runs_or_says_what_to_install(glue: Any, tmp_path: Path, record: Record) -> None:
    script = tmp_path / "spark.py"
    script.write_text(record.script, encoding="utf-8")
    glue.create_job(Name="j", Role=ROLE, Command=command(script.as_uri(), "glueetl"), GlueVersion="4.0")
    run_id = started(glue)
    ended = eventually(lambda: _ended(glue, run_id), "the Spark job to end", patience_seconds=90)
    assert ended["LogGroupName"] == "/aws-glue/jobs"
    if ended["JobRunState"] == "SUCCEEDED":
        found = options(record.runs[0]["argv"])
        assert (found["--JOB_NAME"], found["--JOB_RUN_ID"]) == ("j", run_id)
        assert re.fullmatch(r"j_[0-9a-f]{64}", found["--JOB_ID"])
    else:
        assert ended["JobRunState"] == "FAILED"
        assert "pyspark" in ended["ErrorMessage"]


def test_arguments_are_merged_in_aws_order(flow: Flow, record: Record) -> None:
    flow.job(
        "J1",
        record.script,
        DefaultArguments={"--a": "1", "--b": "2", "--only-default": "x"},
        NonOverridableArguments={"--c": "3"},
    )
    given = {"--b": "5", "--c": "9", "--d": "7"}
    flow.starts_with({"JobName": "J1", "Arguments": given})
    run = flow.run()
    run.ended()
    (job,) = run.job_runs("J1")
    assert job["Arguments"] == given
    found = options(record.runs[0]["argv"])
    merged = {"--a": "1", "--b": "5", "--c": "3", "--d": "7", "--only-default": "x"}
    assert {name: found[name] for name in merged} == merged
    assert (found["--WORKFLOW_NAME"], found["--WORKFLOW_RUN_ID"]) == ("flow", run.id)


def test_a_shell_script_is_told_no_more_than_on_aws(server: Server, glue: Any, tmp_path: Path, record: Record) -> None:
    add_job(glue, tmp_path, "j", record.script, DefaultArguments={"--flag": "", "--TempDir": "s3://t/"})
    run_id = started(glue, Arguments={"--day": "2026-11-20"})
    job_run_ended(glue, "j", run_id)
    (run,) = record.runs
    assert run["argv"][0].endswith("j.py")
    found = options(run["argv"])
    assert found == {**found, "--flag": "", "--TempDir": "s3://t/", "--day": "2026-11-20"}
    kept = {"--JOB_NAME", "--JOB_ID", "--JOB_RUN_ID", "--WORKFLOW_NAME", "--WORKFLOW_RUN_ID"}
    assert not kept & set(found)
    environment = run["environment"]
    assert environment["AWS_GLUE_JOB_NAME"] == "j"
    assert environment["AWS_GLUE_JOB_RUN_ID"] == run_id
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "us-east-1"
    assert (environment.get("AWS_ENDPOINT_URL_GLUE") or environment["AWS_ENDPOINT_URL"]).rstrip("/") == server.endpoint
    assert "AWS_GLUE_WORKFLOW_NAME" not in environment


def test_a_shell_script_finds_its_run_in_the_environment(flow: Flow, record: Record, account: str) -> None:
    flow.job("J1", record.script)
    flow.starts_with("J1")
    run = flow.run()
    run.ended()
    environment = record.runs[0]["environment"]
    assert environment["AWS_GLUE_WORKFLOW_NAME"] == "flow"
    assert environment["AWS_GLUE_WORKFLOW_RUN_ID"] == run.id
    assert environment["AWS_GLUE_JOB_RUN_ID"] == run.job_runs("J1")[0]["Id"]
    assert environment["AWS_ACCESS_KEY_ID"] == account


def test_the_servers_own_environment_is_not_the_scripts(glue: Any, tmp_path: Path, record: Record) -> None:
    add_job(glue, tmp_path, "j", record.script)
    job_run_ended(glue, "j", started(glue))
    job_run_ended(glue, "j", started(glue))
    first, second = record.runs
    assert not [name for name in first["environment"] if name.startswith("TREENAIL_") and "TOKEN" in name]
    assert first["folder"] != second["folder"], "each run has a folder of its own"
    assert not list(Path(first["folder"]).parent.glob("*/j.py")) or not Path(first["folder"]).exists()


def test_a_script_finds_awsglue_and_its_extra_files(glue: Any, tmp_path: Path) -> None:
    (tmp_path / "single.py").write_text("WORD = 'single'", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as bundle:
        bundle.writestr("packed.py", "WORD = 'packed'")
    script = """
import sys
import packed, single
from awsglue.utils import getResolvedOptions
args = getResolvedOptions(sys.argv, ["expected"])
assert f"{single.WORD} {packed.WORD}" == args["expected"], args
"""
    files = ",".join((tmp_path / name).as_uri() for name in ("single.py", "bundle.zip"))
    add_job(glue, tmp_path, "j", script, DefaultArguments={"--extra-py-files": files})
    job_run_ended(glue, "j", started(glue, Arguments={"--expected": "single packed"}))


def test_a_script_location_of_the_arguments_wins(glue: Any, tmp_path: Path, record: Record) -> None:
    other = tmp_path / "other.py"
    other.write_text(record.script, encoding="utf-8")
    add_job(glue, tmp_path, "j", exits(1))
    job_run_ended(glue, "j", started(glue, Arguments={"--scriptLocation": other.as_uri()}))
    assert len(record.runs) == 1


def test_a_run_keeps_what_it_was_started_with(glue: Any, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", gate.script, Timeout=10)
    run_id = started(glue, Timeout=7, NotificationProperty={"NotifyDelayAfter": 3})
    glue.update_job(JobName="j", JobUpdate={"Role": ROLE, "Command": command("file:///gone.py"), "Timeout": 99})
    gate.open()
    run = job_run_ended(glue, "j", run_id)
    assert (run["Timeout"], run["NotificationProperty"]) == (7, {"NotifyDelayAfter": 3})


def test_job_runs_are_read_newest_first(glue: Any, tmp_path: Path) -> None:
    add_job(glue, tmp_path, "j")
    ids = []
    for _ in range(3):
        ids.append(started(glue))
        job_run_ended(glue, "j", ids[-1])
    assert [run["Id"] for run in glue.get_job_runs(JobName="j")["JobRuns"]] == ids[::-1]


def test_a_job_is_not_run_more_often_than_it_may(glue: Any, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", gate.script)
    first = started(glue)
    fault = ("ConcurrentRunsExceededException", "Concurrent runs exceeded for j")
    assert refused(glue.start_job_run, JobName="j") == fault
    gate.open()
    job_run_ended(glue, "j", first)
    second = started(glue)
    job_run_ended(glue, "j", second)
    assert len(glue.get_job_runs(JobName="j")["JobRuns"]) == 2, "what was refused leaves no record"


@pytest.mark.parametrize("on_job", [True, False])
def test_a_queued_run_waits_for_its_turn(glue: Any, tmp_path: Path, gate: Gate, on_job: bool) -> None:
    add_job(glue, tmp_path, "j", gate.script, JobRunQueuingEnabled=on_job)
    queued: dict[str, Any] = {} if on_job else {"JobRunQueuingEnabled": True}
    first, second = started(glue, **queued), started(glue, **queued)
    waiting = job_run(glue, "j", second)
    assert (waiting["JobRunState"], waiting["JobRunQueuingEnabled"]) == ("WAITING", True)
    assert waiting["StateDetail"], "a run that waits says why"
    gate.open()
    job_run_ended(glue, "j", first)
    job_run_ended(glue, "j", second)


def test_a_run_may_refuse_to_queue(glue: Any, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", gate.script, JobRunQueuingEnabled=True)
    started(glue)
    code, _ = refused(glue.start_job_run, JobName="j", JobRunQueuingEnabled=False)
    assert code == "ConcurrentRunsExceededException"
    gate.open()


def test_a_batch_stops_what_runs_and_says_what_it_could_not(glue: Any, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", gate.script, ExecutionProperty={"MaxConcurrentRuns": 2})
    add_job(glue, tmp_path, "quick")
    running = started(glue)
    gate.reached()
    ended = started(glue, "quick")
    job_run_ended(glue, "quick", ended)
    found = answer(glue.batch_stop_job_run(JobName="j", JobRunIds=[running, "jr_0"]))
    assert found["SuccessfulSubmissions"] == [{"JobName": "j", "JobRunId": running}]
    (error,) = found["Errors"]
    assert (error["JobName"], error["JobRunId"]) == ("j", "jr_0")
    assert error["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    stopped = job_run_ended(glue, "j", running, "STOPPED")
    assert "ErrorMessage" not in stopped
    found = answer(glue.batch_stop_job_run(JobName="quick", JobRunIds=[ended]))
    assert found["SuccessfulSubmissions"] == []
    assert found["Errors"][0]["ErrorDetail"]["ErrorCode"] == "JobRunInTerminalStateException"
    assert job_run(glue, "quick", ended)["JobRunState"] == "SUCCEEDED"


def test_a_waiting_run_can_be_stopped(glue: Any, tmp_path: Path, gate: Gate) -> None:
    add_job(glue, tmp_path, "j", gate.script, JobRunQueuingEnabled=True)
    first, second = started(glue), started(glue)
    glue.batch_stop_job_run(JobName="j", JobRunIds=[second])
    job_run_ended(glue, "j", second, "STOPPED")
    gate.open()
    job_run_ended(glue, "j", first)


def test_a_stop_ends_all_that_the_script_started(glue: Any, tmp_path: Path) -> None:
    children = tmp_path / "children"
    script = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(90)"
pids = [subprocess.Popen([sys.executable, "-S", "-c", child]).pid for _ in range(3)] + [os.getpid()]
with open({str(children)!r} + ".part", "w") as file:
    file.write(" ".join(map(str, pids)))
os.replace({str(children)!r} + ".part", {str(children)!r})
time.sleep(90)
"""
    add_job(glue, tmp_path, "j", script)
    run_id = started(glue)
    eventually(children.exists, "the script to start its children")
    pids = [int(pid) for pid in children.read_text(encoding="utf-8").split()]
    glue.batch_stop_job_run(JobName="j", JobRunIds=[run_id])
    job_run_ended(glue, "j", run_id, "STOPPED")
    eventually(lambda: not any(_is_alive(pid) for pid in pids), "the whole process group to be gone")


def test_a_flood_of_output_does_not_hurt(glue: Any, tmp_path: Path) -> None:
    flood = "import sys\nfor _ in range(2000):\n    sys.stdout.write('x' * 8192 + chr(10))\n"
    add_job(glue, tmp_path, "flood", flood)
    add_job(glue, tmp_path, "binary", "import os\nos.write(1, bytes(range(256)) * 100)\n")
    runs = {job: started(glue, job) for job in ("flood", "binary")}
    for job, run_id in runs.items():
        job_run_ended(glue, job, run_id)


def test_a_retry_of_a_run_by_its_id_names_it(glue: Any, tmp_path: Path) -> None:
    add_job(glue, tmp_path, "j")
    first = started(glue)
    job_run_ended(glue, "j", first)
    second = started(glue, JobRunId=first)
    run = job_run_ended(glue, "j", second)
    assert (run["PreviousRunId"], run["Attempt"]) == (first, 0)
    assert JOB_RUN_ID.fullmatch(second)
    assert refused(glue.start_job_run, JobName="j", JobRunId="jr_0")[0] == "EntityNotFoundException"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Timeout": 10081}, "Timeout should be less than or equal to 10080 minutes."),
        (
            {"WorkerType": "G.1X", "NumberOfWorkers": 2},
            "Worker Type is not supported for Job Command pythonshell",
        ),
    ],
)
def test_a_run_is_held_to_the_rules_of_its_job(
    glue: Any, tmp_path: Path, members: dict[str, Any], message: str
) -> None:
    add_job(glue, tmp_path, "j")
    assert refused(glue.start_job_run, JobName="j", **members) == ("InvalidInputException", message)


def test_a_run_of_another_job_is_not_found(glue: Any, tmp_path: Path) -> None:
    add_job(glue, tmp_path, "j")
    add_job(glue, tmp_path, "other")
    run_id = started(glue)
    assert refused(glue.get_job_run, JobName="other", RunId=run_id)[0] == "EntityNotFoundException"
    job_run_ended(glue, "j", run_id)


def _ended(glue: Any, run_id: str) -> Any:
    run = job_run(glue, "j", run_id)
    return run if run["JobRunState"] in ENDED_JOB_RUNS else None


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
