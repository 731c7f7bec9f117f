"""Why a run is as it is: from the command line, and through gRPC and JSON."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from harness import wire
from harness.cli import treenail
from harness.flows import Flow, job_is, job_run_ended
from harness.grpc_client import metadata, reason, stubs
from harness.scripts import Gate, exits
from harness.server import Server
from harness.waiting import eventually


def sentences(server: Server, account: str, run: str, *node: str) -> str:
    """What `treenail explain` says."""
    done = treenail(server, account, "explain", run, *node)
    assert done.returncode == 0, done
    return done.stdout


def test_a_node_that_waits_is_explained(server: Server, flow: Flow, account: str, gate: Gate) -> None:
    slow, fails = flow.job("slow", gate.script), flow.job("fails", exits(1))
    flow.job("last")
    flow.starts_with(slow, fails)
    flow.when("join", [job_is(slow), job_is(fails)], "last", logical="AND")
    run = flow.run()
    failed = "fails is to end as SUCCEEDED and ended as FAILED"
    eventually(lambda: failed in sentences(server, account, run.id, "last"), "the job to fail")
    said = sentences(server, account, run.id, "last")
    assert "The trigger join needs all of its conditions and has not fired" in said
    assert "slow is to end as SUCCEEDED and is RUNNING" in said
    gate.open()
    run.ended()
    said = sentences(server, account, run.id)
    assert "ended as COMPLETED" in said
    assert "which does not fail a run: fails ended as FAILED" in said
    assert "These never ran: last" in said


def test_what_runs_is_named_with_its_job_run(server: Server, flow: Flow, account: str, gate: Gate) -> None:
    slow = flow.job("slow", gate.script)
    flow.starts_with(slow)
    flow.when("then", [job_is(slow)], flow.job("second"))
    flow.when("last", [job_is("second")], flow.job("third"))
    run = flow.run()
    job_run = run.state(slow, "RUNNING")["Id"]
    said = sentences(server, account, run.id, "third")
    assert "second is to end as SUCCEEDED and has not run" in said
    assert f"slow is to end as SUCCEEDED and is RUNNING ({job_run}, attempt 0, since " in said
    run.stop()
    run.ended("STOPPED")
    assert "ended as STOPPED" in sentences(server, account, run.id, slow)
    assert "because the run was stopped" in sentences(server, account, run.id, slow)
    assert "the run was stopped" in sentences(server, account, run.id, "third")
    gate.open()


def test_a_run_that_waits_for_a_slot_is_told_the_limit(server: Server, flow: Flow, account: str, gate: Gate) -> None:
    flow.starts_with(flow.job("narrow", gate.script, JobRunQueuingEnabled=True))
    first, second = flow.run(), flow.run()
    first.state("narrow", "RUNNING")
    second.state("narrow", "WAITING")
    waits = "waits for one of the 1 concurrent runs of the job to end"
    assert waits in sentences(server, account, second.id)
    assert waits in sentences(server, account, second.id, "narrow")
    gate.open()
    first.ended()
    second.ended()


def test_only_what_others_ran_in_the_meantime_is_told(
    server: Server, flow: Flow, account: str, glue: Any, gate: Gate
) -> None:
    flow.job("other")
    flow.starts_with(flow.job("slow", gate.script))
    flow.when("t", [job_is("other")], flow.job("last"))
    run = flow.run()
    outside = glue.start_job_run(JobName="other")["JobRunId"]
    job_run_ended(glue, "other", outside)
    told = f"did so only in {outside}, which this workflow run did not start"
    assert told in sentences(server, account, run.id, "last")
    gate.open()
    run.ended()
    assert told in sentences(server, account, run.id, "last")

    later = flow.run()
    later.ended()
    job_run_ended(glue, "other", glue.start_job_run(JobName="other")["JobRunId"])
    said = sentences(server, account, later.id, "last")
    assert "other is to end as SUCCEEDED and has not run" in said
    assert "nothing was left that could meet its conditions" in said


def test_grpc_tells_the_same_as_the_command_line(server: Server, flow: Flow, account: str) -> None:
    first = flow.job("first")
    flow.starts_with(first)
    flow.when("then", [job_is(first, "FAILED")], flow.job("second"))
    run = flow.run()
    run.ended()
    messages, clients = stubs("treenail/ops/v1/history_service")
    with grpc.insecure_channel(server.grpc_target) as channel:
        client = clients.HistoryServiceStub(channel)
        request = messages.ExplainRunRequest(run_id=run.id, node="second")
        answer = client.ExplainRun(request, metadata=metadata(account), timeout=10)
        assert answer.name == flow.name
        assert "\n".join(answer.sentences) == sentences(server, account, run.id, "second").strip()
        request = messages.GetRunHistoryRequest(name=flow.name, run_id=run.id)
        history = client.GetRunHistory(request, metadata=metadata(account), timeout=10)
        assert (history.name, history.events[0].sequence) == (flow.name, 1)
        assert history.plan_version > 0
        created = next(event for event in history.events if event.job_run_id)
        assert (created.node, created.job_run_id) == ("first", run.job_runs("first")[0]["Id"])
        for caller, run_id in ((account, "wr_" + "0" * 64), ("9" * 12, run.id)):
            request = messages.ExplainRunRequest(run_id=run_id)
            with pytest.raises(grpc.RpcError) as raised:
                client.ExplainRun(request, metadata=metadata(caller), timeout=10)
            assert reason(raised.value) == "EntityNotFoundException"


def test_the_history_tells_what_happened_in_order(server: Server, flow: Flow, account: str) -> None:
    first = flow.job("first")
    flow.starts_with(first)
    flow.when("then", [job_is(first)], flow.job("second"))
    run = flow.run()
    run.ended()
    done = treenail(server, account, "history", run.id)
    lines = done.stdout.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1))
    order = ["started by a call of StartWorkflowRun", "trigger start fired", "trigger then fired", "ended as COMPLETED"]
    assert any(": jr_" in line and line.split()[2] == "first:" and "is SUCCEEDED" in line for line in lines)
    places = [next(index for index, line in enumerate(lines) if words in line) for words in order]
    assert places == sorted(places)


def test_two_runs_are_compared(server: Server, flow: Flow, account: str) -> None:
    flow.starts_with(flow.job("only"))
    one = flow.run(day="1")
    one.ended()
    other = flow.run(day="2")
    other.ended()
    assert treenail(server, account, "diff", one.id, one.id).stdout.startswith("The runs do not differ")
    assert treenail(server, account, "diff", one.id, other.id).stdout == "property day: 1 | 2\n"
    flow.when("then", [job_is("only")], flow.job("more"))
    third = flow.run(day="1")
    third.ended()
    lines = treenail(server, account, "diff", one.id, third.id).stdout.splitlines()
    assert lines[0].startswith("version of the definition: ")
    assert lines[1] == "more: - | SUCCEEDED"


def test_history_is_paged_and_unknown_runs_are_refused(server: Server, flow: Flow, account: str) -> None:
    flow.starts_with(flow.job("only"))
    run = flow.run()
    run.ended()
    events: list[dict[str, Any]] = []
    token = None
    while True:
        body = {"RunId": run.id, "MaxResults": 2} | ({"NextToken": token} if token else {})
        page = wire.call(server.endpoint, "Treenail.GetRunHistory", body, account).json
        assert len(page["Events"]) <= 2
        events += page["Events"]
        token = page.get("NextToken")
        if token is None:
            break
    assert [event["Sequence"] for event in events] == list(range(1, len(events) + 1))
    for target in ("GetRunHistory", "ExplainRun"):
        answer = wire.call(server.endpoint, f"Treenail.{target}", {"RunId": "wr_" + "0" * 64}, account)
        assert (answer.status, answer.json["__type"]) == (400, "EntityNotFoundException")
