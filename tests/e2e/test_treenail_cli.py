"""The binary's own command line, against a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.aws import refused
from harness.cli import treenail
from harness.flows import Flow, Run, job_is
from harness.scripts import Gate, exits
from harness.server import Server
from harness.waiting import eventually

BUNDLE = """
Jobs:
  - Name: J1
    Role: any
    Command: { Name: pythonshell, PythonVersion: "3.9", ScriptLocation: jobs/one.py }
    DefaultArguments: { --bundle: "${bundle}" }
Workflows:
  - Name: flow
    Description: DESCRIPTION
    DefaultRunProperties: { folder: "${bundle}/out" }
    Tags: { team: a }
Triggers:
  - Name: start
    WorkflowName: flow
    Type: ON_DEMAND
    Actions: [{ JobName: J1 }]
"""


def bundle(folder: Path, description: str = "first") -> Path:
    """Writes a bundle."""
    (folder / "jobs").mkdir(exist_ok=True)
    (folder / "jobs" / "one.py").write_text("print('one has run')", encoding="utf-8")
    (folder / "treenail.yaml").write_text(BUNDLE.replace("DESCRIPTION", description), encoding="utf-8")
    return folder


def test_a_bundle_is_applied_and_applied_again(server: Server, glue: Any, account: str, tmp_path: Path) -> None:
    for description in ("first", "first", "second"):
        done = treenail(server, account, "apply", str(bundle(tmp_path, description)))
        assert done.returncode == 0, done
        workflow = glue.get_workflow(Name="flow")["Workflow"]
        assert workflow["Description"] == description
        assert workflow["DefaultRunProperties"] == {"folder": f"{tmp_path}/out"}
    job = glue.get_job(JobName="J1")["Job"]
    assert job["Command"]["ScriptLocation"].endswith(f"{tmp_path}/jobs/one.py")
    assert job["DefaultArguments"] == {"--bundle": str(tmp_path)}
    arn = f"arn:aws:glue:us-east-1:{account}:workflow/flow"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"team": "a"}


def test_a_workflow_is_run_and_followed(server: Server, glue: Any, account: str, tmp_path: Path) -> None:
    treenail(server, account, "apply", str(bundle(tmp_path)))
    done = treenail(server, account, "run", "flow", "-p", "day=monday", "-p", "text=a=b")
    assert done.returncode == 0, done
    assert "J1" in done.stdout
    (found,) = glue.get_workflow_runs(Name="flow")["Runs"]
    assert found["Status"] == "COMPLETED"
    assert found["WorkflowRunProperties"] == {"folder": f"{tmp_path}/out", "day": "monday", "text": "a=b"}
    assert found["WorkflowRunId"] in done.stdout


def test_a_run_with_a_failed_job_is_told_by_the_exit_code(server: Server, flow: Flow, account: str) -> None:
    flow.job("J1", exits(1))
    flow.job("J2")
    flow.starts_with("J1")
    flow.when("then", [job_is("J1", "FAILED")], "J2")
    done = treenail(server, account, "run", "flow")
    assert done.returncode != 0
    assert "FAILED" in (done.stdout + done.stderr).upper()


@pytest.mark.parametrize("arguments", [("run", "nowhere"), ("show", "nowhere"), ("apply", "/nowhere/at/all")])
def test_what_is_not_there_is_told_in_words(server: Server, account: str, arguments: tuple[str, ...]) -> None:
    done = treenail(server, account, *arguments)
    assert done.returncode != 0
    assert done.stderr.strip()
    assert "panicked" not in done.stderr


def test_runs_are_listed_shown_stopped_and_resumed(server: Server, flow: Flow, account: str, gate: Gate) -> None:
    flow.job("J1", gate.script)
    flow.starts_with("J1")
    run = flow.run()
    gate.reached()
    listed = treenail(server, account, "ls")
    assert (listed.returncode, "flow" in listed.stdout) == (0, True), listed
    shown = treenail(server, account, "show", "flow")
    assert (shown.returncode, "J1" in shown.stdout) == (0, True), shown
    stopped = treenail(server, account, "stop", "flow", run.id)
    assert stopped.returncode == 0, stopped
    run.ended("STOPPED")
    gate.open(1)
    failed = flow.run()
    failed.ended()
    (Path(flow.folder) / "gate.opened").unlink()
    gate.open(0)
    resumed = treenail(server, account, "resume", "flow", failed.id, "J1")
    assert resumed.returncode == 0, resumed
    newest = flow.runs()[0]
    assert newest.get()["PreviousRunId"] == failed.id
    newest.ended()
    assert newest.states() == {"J1": ["SUCCEEDED"]}


def test_the_clock_is_moved_from_the_command_line(manual_server: Server, account: str) -> None:
    before = manual_server.now()
    done = treenail(manual_server, account, "clock", "advance", "1d")
    assert done.returncode == 0, done
    assert manual_server.now() == before + 86_400


def test_the_clock_of_the_machine_is_not_moved(server: Server, account: str) -> None:
    done = treenail(server, account, "clock", "advance", "1d")
    assert done.returncode != 0
    assert "manual" in done.stderr


def test_a_wrong_bundle_changes_nothing(server: Server, glue: Any, account: str, tmp_path: Path) -> None:
    (tmp_path / "treenail.yaml").write_text("Jobs:\n  - Name: [not, a, name]\nSpaceships: []\n", encoding="utf-8")
    done = treenail(server, account, "apply", str(tmp_path))
    assert done.returncode != 0
    assert done.stderr.strip()
    assert glue.list_jobs()["JobNames"] == []
    assert refused(glue.get_workflow, Name="flow")[0] == "EntityNotFoundException"


def test_a_run_is_followed_to_its_end_after_a_retry(manual_server: Server, manual_flow: Flow, account: str) -> None:
    marker = manual_flow.folder / "once"
    manual_flow.job(
        "J1",
        f"import os, sys\nif not os.path.exists({str(marker)!r}):\n    open({str(marker)!r}, 'w')\n    sys.exit(1)",
        MaxRetries=1,
    )
    manual_flow.starts_with("J1")
    process = treenail(manual_server, account, "run", "flow", wait=False)
    try:
        eventually(
            lambda: process.poll() is not None,
            "the command to end",
            between=lambda: manual_server.advance_clock(5_000),
        )
        assert process.returncode == 0, process.stdout.read()
    finally:
        process.kill()
    (run,) = manual_flow.runs()
    assert isinstance(run, Run)
    assert run.states() == {"J1": ["FAILED", "SUCCEEDED"]}
