"""A server that is killed: what it had acknowledged is there when it is back, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.aws import client
from harness.flows import Flow, Run, job_is
from harness.scripts import Gate
from harness.server import SPLIT, Server
from harness.waiting import eventually

CALLERS = 8


@pytest.fixture
def mortal(shape: str, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(shape, tmp_path / "server")
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def flow(mortal: Server, tmp_path: Path, account: str) -> Flow:
    """A workflow of two jobs, of which the first waits at a gate."""
    return Flow(client("glue", mortal.endpoint, account), tmp_path, Tags={"kept": "yes"})


def two_jobs(flow: Flow, gate: Gate) -> None:
    """Gives the workflow a job that waits at a gate, and one that follows however the first ended."""
    several = {"ExecutionProperty": {"MaxConcurrentRuns": 500}}
    flow.job("J1", gate.script, **several)
    # A kill may hit it as well, and a job that was lost after it started has failed: its retries decide.
    flow.job("J2", MaxRetries=9, **several)
    flow.starts_with("J1")
    flow.when("then", [job_is("J1"), job_is("J1", "FAILED")], "J2", logical="ANY")


def ended(run: Run) -> None:
    """Waits until a run has ended, and checks that both jobs have run."""
    eventually(lambda: run.get()["Status"] == "COMPLETED", f"run {run.id} to end", patience_seconds=60)
    assert run.states()["J2"][-1] == "SUCCEEDED"
    assert len(run.job_runs("J1")) == 1


def test_runs_that_were_acknowledged_finish_after_a_kill(mortal: Server, flow: Flow, gate: Gate, account: str) -> None:
    two_jobs(flow, gate)
    acknowledged: list[str] = []

    def start_until_it_is_dead(_: int) -> None:
        glue = client("glue", mortal.endpoint, account)
        while len(acknowledged) < 200:
            try:
                acknowledged.append(glue.start_workflow_run(Name="flow", RunProperties={"x": "1"})["RunId"])
            except Exception:  # the kill: what was not acknowledged may be there or not
                return

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(start_until_it_is_dead, number) for number in range(CALLERS)]
        eventually(lambda: len(acknowledged) >= 5 and gate.is_reached, "runs to be under way")
        mortal.kill()
        for caller in callers:
            caller.result()
    gate.open()
    mortal.start()
    glue = flow.glue
    found = {run["WorkflowRunId"] for page in _pages(glue) for run in page["Runs"]}
    assert set(acknowledged) <= found
    for run_id in found:
        run = Run(glue, "flow", run_id)
        ended(run)
        assert run.properties() == {"x": "1"}
    assert glue.get_tags(ResourceArn=f"arn:aws:glue:us-east-1:{account}:workflow/flow")["Tags"] == {"kept": "yes"}
    assert glue.list_triggers()["TriggerNames"] == ["start", "then"]


def test_a_server_is_killed_again_and_again(mortal: Server, flow: Flow, gate: Gate) -> None:
    two_jobs(flow, gate)
    runs = []
    for number in range(4):
        runs.append(flow.run(number=str(number)))
        flow.glue.put_workflow_run_properties(Name="flow", RunId=runs[-1].id, RunProperties={"put": str(number)})
        mortal.kill()
        mortal.start()
    gate.open()
    for number, run in enumerate(runs):
        ended(run)
        assert run.properties() == {"number": str(number), "put": str(number)}
    assert [run.id for run in flow.runs()] == [run.id for run in reversed(runs)]


def test_a_stop_that_was_acknowledged_stays(mortal: Server, flow: Flow, gate: Gate) -> None:
    two_jobs(flow, gate)
    run = flow.run()
    gate.reached()
    run.stop()
    mortal.kill()
    mortal.start()
    run.ended("STOPPED")
    assert run.states()["J2"] == []


@pytest.mark.parametrize("victim", ["worker", "run-scheduler", "properties-store", "control-plane", "gateway"])
def test_each_service_may_be_killed_alone(mortal: Server, flow: Flow, gate: Gate, shape: str, victim: str) -> None:
    if shape != SPLIT:
        pytest.skip("one process has no services to kill alone")
    two_jobs(flow, gate)
    run = flow.run()
    gate.reached()
    mortal.kill(victim)
    mortal.start()
    gate.open()
    ended(run)
    flow.run().ended()


def test_runs_start_while_the_control_plane_is_away(mortal: Server, flow: Flow, gate: Gate, shape: str) -> None:
    if shape != SPLIT:
        pytest.skip("one process has no control-plane to kill alone")
    two_jobs(flow, gate)
    mortal.kill("control-plane")
    gate.open()
    ended(flow.run())


def test_a_second_server_does_not_touch_the_data_of_the_first(mortal: Server, flow: Flow, shape: str) -> None:
    second = Server(shape, mortal.data_dir)
    with pytest.raises(AssertionError, match="ended with"):
        second.start()
    second.kill()
    assert flow.glue.list_workflows()["Workflows"] == ["flow"]


def _pages(glue: Any) -> Iterator[dict[str, Any]]:
    yield from glue.get_paginator("get_workflow_runs").paginate(Name="flow", PaginationConfig={"PageSize": 100})
