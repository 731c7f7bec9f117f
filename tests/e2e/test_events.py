"""Events that start workflows: through NotifyEvent and over HTTP, one by one and in batches."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness import wire
from harness.flows import Flow, Run
from harness.scripts import Gate
from harness.server import Server

MINUTE = 60_000


def notify(server: Server, account: str, event_id: str, workflow: str = "flow") -> wire.Answer:
    """Hands an event to a workflow as EventBridge does."""
    payload = {"EventId": event_id, "EventBody": json.dumps({"id": event_id, "detail": {}})}
    members = {"WorkflowName": workflow, "EventPayload": payload}
    return wire.call(server.endpoint, "AWSGlue.NotifyEvent", members, account)


def post(server: Server, account: str, body: Any, workflow: str = "flow") -> wire.Answer:
    """Hands an event to a workflow over HTTP."""
    headers = {"Content-Type": "application/json", "Authorization": wire.authorization(account)}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/_treenail/workflows/{quote(workflow, safe='')}/events"
    return wire.request(server.endpoint, path=path, headers=headers, body=content)


def event(event_id: str) -> dict[str, Any]:
    """Gives an event in EventBridge's shape."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-11-20T12:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"object": {"key": "a.csv"}},
    }


def listening(flow: Flow, batching: dict[str, int] | None = None) -> None:
    """Gives a workflow an EVENT trigger."""
    flow.job("J1")
    flow.starts_with("J1", kind="EVENT", **({} if batching is None else {"EventBatchingCondition": batching}))


def test_each_event_starts_a_run(server: Server, flow: Flow, account: str) -> None:
    listening(flow)
    answer = notify(server, account, "e-1")
    assert answer.status == 200, answer
    run = Run(flow.glue, "flow", answer.json["RunId"])
    found = run.ended()
    assert "StartingEventBatchCondition" not in found
    assert run.properties() == {"aws:eventIds": "[e-1]"}
    assert run.job_runs("J1")[0]["TriggerName"] == "start"


def test_a_full_batch_starts_a_run(manual_server: Server, manual_flow: Flow, account: str) -> None:
    listening(manual_flow, {"BatchSize": 2})
    for number, size in ((1, 0), (2, 1), (3, 1), (4, 2)):
        answer = notify(manual_server, account, f"e-{number}")
        assert answer.status == 200, answer
        assert ("RunId" in answer.json) == (number % 2 == 0)
        assert len(manual_flow.runs()) == size
    second, first = manual_flow.runs()
    assert first.properties() == {"aws:eventIds": "[e-1, e-2]"}
    assert second.properties() == {"aws:eventIds": "[e-3, e-4]"}
    condition = first.get()["StartingEventBatchCondition"]
    assert condition["BatchSize"] == 2
    assert not condition.get("BatchWindow")
    manual_server.advance_clock(20 * MINUTE)
    assert len(manual_flow.runs()) == 2, "a batch that was started is over"


@pytest.mark.parametrize(("given", "window"), [(None, 900), (60, 60)])
def test_an_incomplete_batch_starts_a_run_when_its_window_ends(
    manual_server: Server, manual_flow: Flow, account: str, given: int | None, window: int
) -> None:
    listening(manual_flow, {"BatchSize": 5, **({} if given is None else {"BatchWindow": given})})
    notify(manual_server, account, "e-1")
    manual_server.advance_clock(window * 1000 // 2)
    notify(manual_server, account, "e-2")
    manual_server.advance_clock(window * 1000 // 2 - 1)
    assert manual_flow.runs() == []
    manual_server.advance_clock(1)
    (run,) = manual_flow.runs()
    assert run.properties() == {"aws:eventIds": "[e-1, e-2]"}
    condition = run.get()["StartingEventBatchCondition"]
    assert condition["BatchWindow"] == window
    assert not condition.get("BatchSize")
    run.ended()


def test_an_event_beyond_the_limit_is_lost(
    manual_server: Server, manual_glue: Any, tmp_path: Path, gate: Gate, account: str
) -> None:
    flow = Flow(manual_glue, tmp_path, MaxConcurrentRuns=1)
    flow.job("J1", gate.script)
    flow.starts_with("J1", kind="EVENT")
    notify(manual_server, account, "e-1")
    gate.reached()
    answer = notify(manual_server, account, "e-2")
    assert answer.status == 200 or answer.fault == "ConcurrentRunsExceededException"
    gate.open()
    running = [run for run in flow.runs() if run.get()["Status"] != "ERROR"]
    assert len(running) == 1
    for run in flow.runs():
        if run.get()["Status"] == "ERROR":
            assert run.get()["ErrorMessage"] == "Concurrent runs exceeded for workflow: flow."
    running[0].ended()


def test_events_arrive_over_http(server: Server, flow: Flow, account: str) -> None:
    listening(flow, {"BatchSize": 2})
    ids = [str(uuid.uuid4()) for _ in range(2)]
    for event_id in ids:
        answer = post(server, account, event(event_id))
        assert 200 <= answer.status < 300, answer
    (run,) = flow.runs()
    assert run.properties() == {"aws:eventIds": f"[{', '.join(ids)}]"}
    run.ended()


def test_a_workflow_is_named_by_its_arn_too(server: Server, flow: Flow, account: str) -> None:
    listening(flow)
    answer = notify(server, account, "e-1", f"arn:aws:glue:us-east-1:{account}:workflow/flow")
    assert answer.status == 200, answer
    assert len(flow.runs()) == 1


@pytest.mark.parametrize("hand_over", [notify, lambda server, account, name: post(server, account, event(name))])
def test_a_workflow_that_events_do_not_start_refuses_them(
    server: Server, flow: Flow, account: str, hand_over: Any
) -> None:
    flow.job("J1")
    flow.starts_with("J1")
    answer = hand_over(server, account, "e-1")
    assert (answer.status, answer.fault) == (400, "InvalidInputException")
    assert answer.message == "Workflow flow does not have an EVENT starting trigger"
    assert flow.runs() == []


def test_an_unknown_workflow_is_not_found(server: Server, account: str) -> None:
    assert notify(server, account, "e-1", "nowhere").fault == "EntityNotFoundException"
    assert post(server, account, event("e-1"), "nowhere").fault == "EntityNotFoundException"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b"\xff\xfe", b'{"id": 5}', b"{}", b"[" * 50_000])
def test_what_is_not_an_event_is_refused(server: Server, flow: Flow, account: str, body: bytes) -> None:
    listening(flow)
    answer = post(server, account, body)
    assert 400 <= answer.status < 500, answer
    assert answer.fault
    assert flow.runs() == []
