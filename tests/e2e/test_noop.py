"""The noop command: a workflow without the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.flows import ROLE, Flow, job_is
from harness.waiting import eventually


def noop(glue: Any, name: str, **arguments: str) -> str:
    """Makes a job that does nothing."""
    given = {f"--{key.replace('_', '-')}": value for key, value in arguments.items()}
    glue.create_job(Name=name, Role=ROLE, Command={"Name": "noop"}, DefaultArguments=given)
    return name


def test_noop_jobs_end_as_their_arguments_say(glue: Any, tmp_path: Path) -> None:
    flow = Flow(glue, tmp_path)
    first = noop(glue, "first")
    fails = noop(glue, "fails", outcome="failed", error_message="no luck", duration_ms="20")
    last = noop(glue, "last")
    wrong = noop(glue, "wrong", outcome="perhaps")
    flow.starts_with(first)
    flow.when("then", [job_is(first)], fails, wrong)
    flow.when("after", [job_is(fails, "FAILED")], last)
    run = flow.run()
    statistics = run.ended()["Statistics"]
    assert (statistics["SucceededActions"], statistics["FailedActions"]) == (2, 2)
    assert run.job_runs("fails")[0]["ErrorMessage"] == "no luck"
    assert "--outcome is succeeded or failed" in run.job_runs("wrong")[0]["ErrorMessage"]


def test_a_long_noop_job_is_stopped(glue: Any, tmp_path: Path) -> None:
    flow = Flow(glue, tmp_path)
    flow.starts_with(noop(glue, "long", duration_ms="100000"))
    run = flow.run()
    eventually(lambda: [job for job in run.job_runs("long") if job["JobRunState"] == "RUNNING"], "the job to run")
    glue.stop_workflow_run(Name=run.workflow, RunId=run.id)
    run.ended("STOPPED")
    assert run.job_runs("long")[0]["JobRunState"] == "STOPPED"
