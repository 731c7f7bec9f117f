"""Workflow runs: which jobs run, in which order, and what the run tells of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.aws import refused
from harness.flows import ROLE, Flow, add_job, command, crawler_is, job_is, job_run_ended
from harness.scripts import Gate, Record, exits
from harness.waiting import eventually

RUN_ID = re.compile(r"wr_[0-9a-f]{64}")


def test_a_line_of_jobs_runs_to_its_end(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script)
    flow.job("J2")
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    run = flow.run()
    assert RUN_ID.fullmatch(run.id)
    gate.reached()
    run.state("J1", "RUNNING")
    found = run.get()
    assert (found["Status"], found["Name"], found["WorkflowRunId"]) == ("RUNNING", "flow", run.id)
    assert not {"CompletedOn", "PreviousRunId", "ErrorMessage", "Graph", "StartingEventBatchCondition"} & set(found)
    assert run.counts() == {"Total": 2, "Running": 1}
    gate.open()
    ended = run.ended()
    assert run.counts() == {"Total": 2, "Succeeded": 2}
    (first,), (second,) = run.job_runs("J1"), run.job_runs("J2")
    assert (first["TriggerName"], second["TriggerName"]) == ("start", "then")
    assert first["CompletedOn"] <= second["StartedOn"] <= second["CompletedOn"] <= ended["CompletedOn"]
    assert second["PredecessorRuns"] == [{"JobName": "J1", "RunId": first["Id"]}]
    assert flow.glue.get_job_run(JobName="J2", RunId=second["Id"])["JobRun"]["TriggerName"] == "then"
    nodes = {node["Name"]: node["UniqueId"] for node in run.graph()["Nodes"]}
    edges = [(edge["SourceId"], edge["DestinationId"]) for edge in run.graph()["Edges"]]
    wanted = [("start", "J1"), ("J1", "then"), ("then", "J2")]
    assert sorted(edges) == sorted((nodes[source], nodes[target]) for source, target in wanted)


def test_a_failed_job_does_not_fail_the_run(flow: Flow) -> None:
    flow.job("J1", exits(1))
    flow.job("J2")
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    run = flow.run()
    ended = run.ended("COMPLETED")
    assert "ErrorMessage" not in ended
    assert run.counts() == {"Total": 2, "Failed": 1}
    assert run.states() == {"J1": ["FAILED"], "J2": []}
    assert run.node("J2").get("JobDetails", {}) == {}


def test_a_trigger_may_wait_for_a_failure(flow: Flow) -> None:
    flow.job("J1", exits(1))
    flow.job("J2")
    flow.job("J3")
    flow.starts_with("J1")
    flow.when("good", [job_is("J1")], "J2")
    flow.when("bad", [job_is("J1", "FAILED")], "J3")
    run = flow.run()
    run.ended()
    assert run.states() == {"J1": ["FAILED"], "J2": [], "J3": ["SUCCEEDED"]}
    assert run.counts() == {"Total": 3, "Failed": 1, "Succeeded": 1}


def test_and_waits_for_the_last_condition(flow: Flow, tmp_path: Path) -> None:
    gate = Gate(tmp_path, "slow")
    flow.job("J1")
    flow.job("J2", gate.script)
    flow.job("J3")
    flow.starts_with("J1", "J2")
    flow.when("both", [job_is("J1"), job_is("J2")], "J3", logical="AND")
    run = flow.run()
    run.state("J1", "SUCCEEDED")
    gate.reached()
    assert run.states()["J3"] == []
    gate.open()
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED"], "J2": ["SUCCEEDED"], "J3": ["SUCCEEDED"]}


def test_and_never_fires_when_one_condition_fails(flow: Flow) -> None:
    flow.job("J1")
    flow.job("J2", exits(1))
    flow.job("J3")
    flow.starts_with("J1", "J2")
    flow.when("both", [job_is("J1"), job_is("J2")], "J3", logical="AND")
    run = flow.run()
    run.ended()
    assert run.states()["J3"] == []


def test_any_fires_once_with_the_first(flow: Flow, gate: Gate) -> None:
    flow.job("J1")
    flow.job("J2", gate.script)
    flow.job("J3")
    flow.starts_with("J1", "J2")
    flow.when("either", [job_is("J1"), job_is("J2")], "J3", logical="ANY")
    run = flow.run()
    run.state("J3", "SUCCEEDED")
    assert run.get()["Status"] == "RUNNING"
    gate.open()
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED"], "J2": ["SUCCEEDED"], "J3": ["SUCCEEDED"]}
    assert run.counts() == {"Total": 3, "Succeeded": 3}


def test_a_trigger_that_is_not_activated_does_not_fire(flow: Flow) -> None:
    for job in ("J1", "J2", "J3"):
        flow.job(job)
    flow.starts_with("J1")
    flow.when("created", [job_is("J1")], "J2", activated=False)
    flow.when("stopped", [job_is("J1")], "J3")
    flow.glue.stop_trigger(Name="stopped")
    run = flow.run()
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED"], "J2": [], "J3": []}


@pytest.mark.parametrize("kind", ["ON_DEMAND", "SCHEDULED", "EVENT"])
def test_a_run_starts_whatever_the_start_trigger_is(flow: Flow, kind: str) -> None:
    flow.job("J1")
    schedule = {"Schedule": "cron(0 0 1 1 ? 2199)"} if kind == "SCHEDULED" else {}
    flow.starts_with("J1", kind=kind, **schedule)
    run = flow.run()
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED"]}
    assert run.job_runs("J1")[0]["TriggerName"] == "start"


def test_starting_the_on_demand_trigger_starts_a_run(flow: Flow) -> None:
    flow.job("J1")
    flow.starts_with("J1")
    flow.glue.start_trigger(Name="start")
    (run,) = eventually(flow.runs, "a run of the workflow")
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED"]}
    assert flow.glue.get_trigger(Name="start")["Trigger"]["State"] == "CREATED"


def test_a_workflow_without_triggers_completes_at_once(flow: Flow) -> None:
    run = flow.run(x="1")
    run.ended()
    assert run.counts() == {}
    assert run.properties() == {"x": "1"}


def test_properties_are_merged_over_the_defaults_and_by_jobs(glue: Any, tmp_path: Path) -> None:
    flow = Flow(glue, tmp_path, DefaultRunProperties={"x": "1", "y": "2"})
    flow.job(
        "J1",
        """
import sys
import boto3
from awsglue.utils import getResolvedOptions

args = getResolvedOptions(sys.argv, ["WORKFLOW_NAME", "WORKFLOW_RUN_ID"])
run = dict(Name=args["WORKFLOW_NAME"], RunId=args["WORKFLOW_RUN_ID"])
glue = boto3.client("glue")
seen = glue.get_workflow_run_properties(**run)["RunProperties"]
glue.put_workflow_run_properties(**run, RunProperties={"z": "4", "seen": seen["y"]})
""",
    )
    flow.starts_with("J1")
    run = flow.run(y="3")
    assert run.properties() == {"x": "1", "y": "3"}
    run.ended()
    final = {"x": "1", "y": "3", "z": "4", "seen": "3"}
    assert run.properties() == final
    assert run.get()["WorkflowRunProperties"] == final
    assert glue.get_workflow(Name="flow")["Workflow"]["DefaultRunProperties"] == {"x": "1", "y": "2"}
    glue.put_workflow_run_properties(Name="flow", RunId=run.id, RunProperties={"x": "9", "late": ""})
    assert run.properties() == {**final, "x": "9", "late": ""}
    assert flow.run().properties() == {"x": "1", "y": "2"}


def test_properties_have_a_limit(flow: Flow) -> None:
    run = flow.run()
    put = flow.glue.put_workflow_run_properties
    put(Name="flow", RunId=run.id, RunProperties={"a": "x" * 100_000})
    put(Name="flow", RunId=run.id, RunProperties={"b": "x" * 100_000})
    code, _ = refused(put, Name="flow", RunId=run.id, RunProperties={"c": "x" * 100_000})
    assert code == "ResourceNumberLimitExceededException"
    assert set(run.properties()) == {"a", "b"}
    code, _ = refused(put, Name="flow", RunId=run.id, RunProperties={"k" * 256: ""})
    assert code == "ValidationException"


def test_a_job_that_was_deleted_is_an_error_of_its_node(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script)
    flow.job("J2")
    flow.job("J3")
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2", "J3")
    run = flow.run()
    gate.reached()
    flow.glue.delete_job(JobName="J2")
    gate.open()
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED"], "J2": ["ERROR"], "J3": ["SUCCEEDED"]}
    assert run.counts() == {"Total": 3, "Succeeded": 2, "Errored": 1}


def test_jobs_may_be_missing_when_a_run_starts(flow: Flow) -> None:
    flow.starts_with("nowhere")
    run = flow.run()
    run.ended()
    assert run.states() == {"nowhere": ["ERROR"]}
    assert run.counts() == {"Total": 1, "Errored": 1}


def test_a_crawler_node_ends_in_error_while_there_are_no_crawlers(flow: Flow) -> None:
    for job in ("J1", "J2"):
        flow.job(job)
    flow.starts_with("J1", {"CrawlerName": "C1"})
    flow.when("crawled", [crawler_is("C1")], "J2")
    run = flow.run()
    run.ended()
    (crawl,) = run.node("C1")["CrawlerDetails"]["Crawls"]
    assert crawl["State"] in ("ERROR", "FAILED")
    assert crawl["ErrorMessage"]
    assert run.states() == {"J1": ["SUCCEEDED"], "J2": []}
    assert run.counts() == {"Total": 3, "Succeeded": 1, "Failed": 1}


def test_a_run_by_hand_fires_no_trigger(flow: Flow) -> None:
    flow.job("J1")
    flow.job("J2")
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    job_run_ended(flow.glue, "J1", flow.glue.start_job_run(JobName="J1")["JobRunId"])
    marker = flow.run()
    marker.ended()
    assert len(flow.glue.get_job_runs(JobName="J2")["JobRuns"]) == 1, "only the workflow run's"


def test_a_trigger_outside_ignores_jobs_of_workflow_runs(flow: Flow, tmp_path: Path) -> None:
    flow.job("J1")
    add_job(flow.glue, tmp_path, "outside")
    watched = {"Conditions": [job_is("J1")]}
    actions = [{"JobName": "outside"}]
    flow.glue.create_trigger(
        Name="watching", Type="CONDITIONAL", Predicate=watched, Actions=actions, StartOnCreation=True
    )
    flow.starts_with("J1")
    flow.run().ended()
    flow.run().ended()
    assert flow.glue.get_job_runs(JobName="outside")["JobRuns"] == []


def test_triggers_outside_a_workflow_follow_their_chain(glue: Any, tmp_path: Path) -> None:
    for job in ("A", "B", "C"):
        add_job(glue, tmp_path, job)
    glue.create_trigger(Name="root", Type="ON_DEMAND", Actions=[{"JobName": "A"}, {"JobName": "B"}])
    glue.create_trigger(
        Name="joined",
        Type="CONDITIONAL",
        StartOnCreation=True,
        Predicate={"Logical": "AND", "Conditions": [job_is("A"), job_is("B")]},
        Actions=[{"JobName": "C"}],
    )
    for job in ("A", "B"):
        job_run_ended(glue, job, glue.start_job_run(JobName=job)["JobRunId"])
    assert glue.get_job_runs(JobName="C")["JobRuns"] == [], "runs by hand belong to no chain"
    glue.start_trigger(Name="root")
    (run,) = eventually(lambda: glue.get_job_runs(JobName="C")["JobRuns"], "C to run")
    assert run["TriggerName"] == "joined"
    job_run_ended(glue, "C", run["Id"])


def test_runs_at_once_do_not_mix(flow: Flow, tmp_path: Path) -> None:
    script = f"""
import sys, time, os
from awsglue.utils import getResolvedOptions
run = getResolvedOptions(sys.argv, ["WORKFLOW_RUN_ID"])["WORKFLOW_RUN_ID"]
path = os.path.join({str(tmp_path)!r}, run)
for _ in range(4000):
    if os.path.exists(path):
        sys.exit(int(open(path).read()))
    time.sleep(0.02)
"""
    several = {"ExecutionProperty": {"MaxConcurrentRuns": 9}}
    flow.job("J1", script, **several)
    flow.job("J2", **several)
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    runs = [flow.run() for _ in range(3)]
    for number, run in reversed(list(enumerate(runs))):
        unfinished = tmp_path / f"{run.id}.part"
        unfinished.write_text(str(int(number == 1)), encoding="utf-8")
        unfinished.replace(tmp_path / run.id)
        run.ended()
    assert [run.states()["J2"] for run in runs] == [["SUCCEEDED"], [], ["SUCCEEDED"]]
    assert [run.id for run in flow.runs()] == [run.id for run in reversed(runs)], "the newest first"


def test_triggers_are_frozen_when_a_run_starts(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script)
    for job in ("J2", "J9"):
        flow.job(job)
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    flow.when("later", [job_is("J1")], "J9", activated=False)
    run = flow.run()
    gate.reached()
    update = {"Actions": [{"JobName": "J9"}], "Predicate": {"Conditions": [job_is("J1")]}}
    flow.glue.update_trigger(Name="then", TriggerUpdate=update)
    flow.glue.start_trigger(Name="later")
    flow.when("added", [job_is("J1")], "J9")
    gate.open()
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED"], "J2": ["SUCCEEDED"], "J9": []}
    assert run.node("then")["TriggerDetails"]["Trigger"]["Actions"] == [{"JobName": "J2"}]
    assert "added" not in {node["Name"] for node in run.graph()["Nodes"]}
    second = flow.run()
    second.ended()
    assert second.states().keys() == {"J1", "J9"}


def test_a_deleted_trigger_fires_in_the_runs_that_know_it(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script)
    flow.job("J2")
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    run = flow.run()
    gate.reached()
    flow.glue.delete_trigger(Name="then")
    gate.open()
    run.ended()
    assert run.states()["J2"] == ["SUCCEEDED"]


def test_jobs_are_not_frozen(flow: Flow, gate: Gate, record: Record) -> None:
    flow.job("J1", gate.script)
    flow.job("J2", exits(1))
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    run = flow.run()
    gate.reached()
    script = flow.folder / "changed.py"
    script.write_text(record.script, encoding="utf-8")
    flow.glue.update_job(JobName="J2", JobUpdate={"Role": ROLE, "Command": command(script.as_uri())})
    gate.open()
    run.ended()
    assert run.states()["J2"] == ["SUCCEEDED"]
    assert len(record.runs) == 1


def test_a_job_of_several_triggers_is_one_node_with_several_runs(flow: Flow, gate: Gate) -> None:
    flow.job("J1")
    flow.job("J2", gate.script)
    flow.job("J3", ExecutionProperty={"MaxConcurrentRuns": 2})
    flow.starts_with("J1", "J2")
    flow.when("first", [job_is("J1")], "J3")
    flow.when("second", [job_is("J2")], "J3")
    run = flow.run()
    run.state("J3", "SUCCEEDED")
    gate.open()
    run.ended()
    assert [found["TriggerName"] for found in run.job_runs("J3")] == ["first", "second"]
    assert run.counts() == {"Total": 4, "Succeeded": 4}


def test_a_job_at_its_limit_fails_in_its_node(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script)
    flow.starts_with("J1")
    held = flow.glue.start_job_run(JobName="J1")["JobRunId"]
    run = flow.run()
    run.ended()
    (found,) = run.job_runs("J1")
    assert (found["JobRunState"], found["ErrorMessage"]) == ("FAILED", "Max concurrent runs exceeded")
    assert run.counts() == {"Total": 1, "Failed": 1}
    gate.open()
    job_run_ended(flow.glue, "J1", held)


def test_a_queued_job_waits_in_its_node(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script, JobRunQueuingEnabled=True)
    flow.starts_with("J1")
    held = flow.glue.start_job_run(JobName="J1")["JobRunId"]
    run = flow.run()
    run.state("J1", "WAITING")
    assert run.get()["Status"] == "RUNNING"
    assert run.counts() == {"Total": 1, "Waiting": 1}
    gate.open()
    run.ended()
    job_run_ended(flow.glue, "J1", held)
    assert run.counts() == {"Total": 1, "Succeeded": 1}


def test_the_last_run_is_the_one_that_started_last(flow: Flow, gate: Gate) -> None:
    flow.job("J1", gate.script, ExecutionProperty={"MaxConcurrentRuns": 2})
    flow.starts_with("J1")
    flow.run()
    second = flow.run()
    last = flow.glue.get_workflow(Name="flow")["Workflow"]["LastRun"]
    assert (last["WorkflowRunId"], last["Status"]) == (second.id, "RUNNING")
    assert "Graph" not in last
    gate.open()
    second.ended()
    last = flow.glue.get_workflow(Name="flow", IncludeGraph=True)["Workflow"]["LastRun"]
    assert last["Graph"] == second.graph()


def test_a_loop_of_jobs_ends(flow: Flow) -> None:
    flow.job("J1")
    flow.job("J2", exits(1))
    flow.starts_with("J1")
    flow.when("forth", [job_is("J1")], "J2")
    flow.when("back", [job_is("J2", "FAILED")], "J1")
    run = flow.run()
    run.ended()
    assert run.states() == {"J1": ["SUCCEEDED", "SUCCEEDED"], "J2": ["FAILED"]}, "each trigger fires once in a run"
    assert run.counts() == {"Total": 3, "Succeeded": 2, "Failed": 1}


def test_a_wide_and_deep_graph_runs_every_job_once(flow: Flow) -> None:
    layers = [[f"L{depth}-{number}" for number in range(4)] for depth in range(3)]
    for layer in layers:
        for job in layer:
            flow.job(job)
    flow.starts_with(*layers[0])
    for number, (above, below) in enumerate(zip(layers, layers[1:])):
        flow.when(f"layer{number}", [job_is(job) for job in above], *below, logical="AND")
    run = flow.run()
    run.ended()
    assert run.counts() == {"Total": 12, "Succeeded": 12}
    assert all(states == ["SUCCEEDED"] for states in run.states().values())
