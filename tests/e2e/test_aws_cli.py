"""The AWS CLI, unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import aws
from harness.flows import job_is
from harness.server import Server
from harness.waiting import eventually


def test_a_workflow_is_made_and_run_from_the_command_line(server: Server, account: str, tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text("print('from the command line')", encoding="utf-8")

    def glue(*arguments: str) -> Any:
        done = aws(server, account, "glue", *arguments, "--output", "json")
        assert done.returncode == 0, done
        return json.loads(done.stdout or "{}")

    made = aws(server, account, "s3", "mb", f"s3://cli-{account}")
    assert made.returncode == 0, made
    copied = aws(server, account, "s3", "cp", str(script), f"s3://cli-{account}/jobs/job.py")
    assert copied.returncode == 0, copied
    command = f"Name=pythonshell,PythonVersion=3.9,ScriptLocation=s3://cli-{account}/jobs/job.py"
    assert glue("create-workflow", "--name", "w", "--default-run-properties", "x=1") == {"Name": "w"}
    for job in ("J1", "J2"):
        glue("create-job", "--name", job, "--role", "any", "--command", command)
    glue("create-trigger", "--name", "s", "--workflow-name", "w", "--type", "ON_DEMAND", "--actions", "JobName=J1")
    predicate = json.dumps({"Conditions": [job_is("J1")]})
    conditional = ["--name", "t", "--workflow-name", "w", "--type", "CONDITIONAL", "--start-on-creation"]
    glue("create-trigger", *conditional, "--predicate", predicate, "--actions", "JobName=J2")
    run_id = glue("start-workflow-run", "--name", "w", "--run-properties", "y=2")["RunId"]

    def ended() -> Any:
        run = glue("get-workflow-run", "--name", "w", "--run-id", run_id, "--include-graph")["Run"]
        return run if run["Status"] == "COMPLETED" else None

    run = eventually(ended, "the run to end")
    assert run["Statistics"]["SucceededActions"] == 2
    assert run["WorkflowRunProperties"] == {"x": "1", "y": "2"}


def test_an_error_is_shown_as_of_aws(server: Server, account: str) -> None:
    done = aws(server, account, "glue", "get-workflow", "--name", "nowhere")
    assert done.returncode in (254, 255)  # as version 2 or 1 of the command line says it
    expected = "An error occurred (EntityNotFoundException) when calling the GetWorkflow operation: Entity not found"
    assert expected in done.stderr


@pytest.mark.parametrize("size", ["2"])
def test_lists_are_read_page_by_page(server: Server, account: str, glue: Any, size: str) -> None:
    for number in range(5):
        glue.create_workflow(Name=f"w{number}")
    done = aws(server, account, "glue", "list-workflows", "--page-size", size, "--output", "json")
    assert json.loads(done.stdout)["Workflows"] == [f"w{number}" for number in range(5)]
