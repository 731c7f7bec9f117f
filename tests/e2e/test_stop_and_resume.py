"""Stopping a run, and resuming one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.aws import answer, refused
from harness.flows import Flow, Run, job_is
from harness.scripts import Gate, exits, fails_once
from harness.waiting import eventually

ILLEGAL = "IllegalWorkflowStateException"


def stopped(flow: Flow, gate: Gate) -> Run:
    """Makes a run that was stopped while its first job ran."""
    flow.job("J1", gate.script)
    flow.job("J2")
    flow.starts_with("J1")
    flow.when("good", [job_is("J1")], "J2")
    flow.when("stopped", [job_is("J1", "STOPPED")], "J2")
    run = flow.run()
    gate.reached()
    assert answer(flow.glue.stop_workflow_run(Name="flow", RunId=run.id)) == {}
    return run


def test_a_stop_ends_what_runs_and_starts_nothing(flow: Flow, gate: Gate) -> None:
    run = stopped(flow, gate)
    assert run.get()["Status"] in ("STOPPING", "STOPPED")
    ended = run.ended("STOPPED")
    assert "CompletedOn" in ended
    assert run.states() == {"J1": ["STOPPED"], "J2": []}
    assert run.counts() == {"Total": 2, "Stopped": 1}


def test_a_stop_ends_what_waits(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script, JobRunQueuingEnabled=True)
    flow.starts_with("J1")
    held = flow.glue.start_job_run(JobName="J1")["JobRunId"]
    run = flow.run()
    run.state("J1", "WAITING")
    run.stop()
    run.ended("STOPPED")
    assert run.counts() == {"Total": 1, "Stopped": 1}
    flow.glue.batch_stop_job_run(JobName="J1", JobRunIds=[held])


def test_a_run_that_has_ended_cannot_be_stopped(flow: Flow, gate: Gate) -> None:
    run = stopped(flow, gate)
    run.ended("STOPPED")
    assert refused(flow.glue.stop_workflow_run, Name="flow", RunId=run.id)[0] == ILLEGAL
    gate.open()
    completed = flow.run()
    completed.ended()
    assert refused(flow.glue.stop_workflow_run, Name="flow", RunId=completed.id)[0] == ILLEGAL
    assert completed.get()["Status"] == "COMPLETED"


def test_only_a_completed_run_is_resumed(flow: Flow, gate: Gate) -> None:
    flow.job("slow", gate.script)
    flow.starts_with("slow")
    running = flow.run()
    gate.reached()
    node = running.node("slow")["UniqueId"]
    call = {"Name": "flow", "RunId": running.id, "NodeIds": [node]}
    assert refused(flow.glue.resume_workflow_run, **call)[0] == ILLEGAL
    running.stop()
    running.ended("STOPPED")
    assert refused(flow.glue.resume_workflow_run, **call)[0] == ILLEGAL


def test_a_resumed_run_restarts_a_node_and_what_is_downstream(flow: Flow, tmp_path: Path) -> None:
    flow.job("J1", fails_once(tmp_path / "once"))
    for job in ("J2", "J3", "aside"):
        flow.job(job)
    flow.starts_with("J1", "aside")
    flow.when("second", [job_is("J1")], "J2")
    flow.when("third", [job_is("J2"), job_is("aside")], "J3", logical="AND")
    first = flow.run(day="monday")
    first.ended()
    assert first.states() == {"J1": ["FAILED"], "J2": [], "J3": [], "aside": ["SUCCEEDED"]}
    flow.glue.put_workflow_run_properties(Name="flow", RunId=first.id, RunProperties={"note": "fixed"})
    second, nodes = flow.resume(first, "J1")
    assert nodes == ["J1"]
    assert second.id != first.id
    ended = second.ended()
    assert ended["PreviousRunId"] == first.id
    assert second.states() == {"J1": ["SUCCEEDED"], "J2": ["SUCCEEDED"], "J3": ["SUCCEEDED"], "aside": ["SUCCEEDED"]}
    assert second.job_runs("aside") == first.job_runs("aside"), "what was not run again shows its earlier run"
    assert second.job_runs("J1")[0]["Id"] != first.job_runs("J1")[0]["Id"]
    assert second.job_runs("J1")[0]["TriggerName"] == "start"
    assert second.counts() == {"Total": 4, "Succeeded": 4}
    assert second.properties() == {"day": "monday", "note": "fixed"}
    assert len(flow.glue.get_job_runs(JobName="aside")["JobRuns"]) == 1
    assert first.states()["J1"] == ["FAILED"], "the run that was resumed stays as it was"
    assert [run.id for run in flow.runs()] == [second.id, first.id]


def test_downstream_nodes_that_had_succeeded_run_again(flow: Flow) -> None:
    for job in ("J1", "J2", "J3"):
        flow.job(job)
    flow.starts_with("J1")
    flow.when("second", [job_is("J1")], "J2")
    flow.when("third", [job_is("J2")], "J3")
    first = flow.run()
    first.ended()
    second, nodes = flow.resume(first, "J2", "J3")
    assert nodes == ["J2"], "a node downstream of another is started by the triggers"
    second.ended()
    assert second.job_runs("J1") == first.job_runs("J1")
    for job in ("J2", "J3"):
        assert [run["Id"] for run in second.job_runs(job)] != [run["Id"] for run in first.job_runs(job)]
        assert len(second.job_runs(job)) == 1
    third, _ = flow.resume(second, "J3")
    third.ended()
    assert third.get()["PreviousRunId"] == second.id


def test_an_earlier_failure_counts_as_it_ended(flow: Flow, tmp_path: Path) -> None:
    flow.job("J1", exits(1))
    flow.job("J2", fails_once(tmp_path / "once"))
    flow.job("J3")
    flow.starts_with("J1", "J2")
    flow.when("both", [job_is("J1", "FAILED"), job_is("J2")], "J3", logical="AND")
    first = flow.run()
    first.ended()
    assert first.states() == {"J1": ["FAILED"], "J2": ["FAILED"], "J3": []}
    second, _ = flow.resume(first, "J2")
    second.ended()
    assert second.states() == {"J1": ["FAILED"], "J2": ["SUCCEEDED"], "J3": ["SUCCEEDED"]}
    assert second.counts() == {"Total": 3, "Failed": 1, "Succeeded": 2}


def test_a_resumed_run_keeps_the_triggers_of_its_first(flow: Flow, tmp_path: Path) -> None:
    flow.job("J1", fails_once(tmp_path / "once"))
    for job in ("J2", "J9"):
        flow.job(job)
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    first = flow.run()
    first.ended()
    flow.glue.delete_trigger(Name="then")
    flow.when("other", [job_is("J1")], "J9")
    second, _ = flow.resume(first, "J1")
    second.ended()
    assert second.states() == {"J1": ["SUCCEEDED"], "J2": ["SUCCEEDED"]}


@pytest.mark.parametrize("nodes", [["never"], ["ran", "never"], ["trigger"], ["unknown"], []])
def test_a_node_without_an_attempt_is_refused(flow: Flow, nodes: list[str]) -> None:
    flow.job("ran", exits(1))
    flow.job("never")
    flow.starts_with("ran", name="trigger")
    flow.when("then", [job_is("ran")], "never")
    run = flow.run()
    run.ended()
    ids = {node["Name"]: node["UniqueId"] for node in run.graph()["Nodes"]}
    call: dict[str, Any] = {"Name": "flow", "RunId": run.id}
    call["NodeIds"] = [ids.get(node, f"wnode_{'0' * 64}") for node in nodes]
    code, message = refused(flow.glue.resume_workflow_run, **call)
    assert code == "InvalidInputException"
    if nodes == ["never"]:
        assert message == f"Node {ids['never']} cannot be resumed: it was not run in workflow run {run.id}"
    assert len(flow.runs()) == 1


def test_a_resumed_run_counts_for_the_limit(glue: Any, tmp_path: Path, gate: Gate) -> None:
    flow = Flow(glue, tmp_path, MaxConcurrentRuns=1)
    flow.job("J1", gate.script, ExecutionProperty={"MaxConcurrentRuns": 5})
    flow.starts_with("J1")
    first = flow.run()
    gate.open(1)
    first.ended()
    (tmp_path / "gate.opened").unlink()
    node = first.node("J1")["UniqueId"]
    second = flow.run()
    call = {"Name": "flow", "RunId": first.id, "NodeIds": [node]}
    assert refused(glue.resume_workflow_run, **call)[0] == "ConcurrentRunsExceededException"
    gate.open(0)
    second.ended()
    eventually(lambda: glue.resume_workflow_run(**call)["RunId"], "the run to be resumed")
