"""Why a run is as it is: from the command line, and through gRPC and JSON."""

from __future__ import annotations

from typing import Any

from harness import wire
from harness.cli import treenail
from harness.flows import Flow, job_is
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
    places = [next(index for index, line in enumerate(lines) if words in line) for words in order]
    assert places == sorted(places)


def test_two_runs_are_compared(server: Server, flow: Flow, account: str) -> None:
    flow.starts_with(flow.job("only"))
    one, other = flow.run(day="1"), flow.run(day="2")
    one.ended()
    other.ended()
    assert treenail(server, account, "diff", one.id, one.id).stdout.startswith("The runs do not differ")
    assert "property day: 1 | 2" in treenail(server, account, "diff", one.id, other.id).stdout


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
