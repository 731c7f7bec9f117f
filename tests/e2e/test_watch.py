"""WatchWorkflowRun: a run as it goes on, over a stream."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from harness.flows import Flow, job_is
from harness.grpc_client import metadata, reason, stubs
from harness.scripts import Gate
from harness.server import Server

# More than any wait of a test, so that a stream that hangs fails rather than the test's own limit.
DEADLINE_SECONDS = 60


def watch(channel: grpc.Channel, account: str, name: str, run_id: str, graph: bool = False) -> Any:
    """Opens the stream."""
    messages, clients = stubs("treenail/ops/v1/watch_service")
    request = messages.WatchWorkflowRunRequest(name=name, run_id=run_id, include_graph=graph)
    stub = clients.WatchServiceStub(channel)
    return stub.WatchWorkflowRun(request, metadata=metadata(account), timeout=DEADLINE_SECONDS)


def test_a_watched_run_is_told_of_from_start_to_end(server: Server, flow: Flow, gate: Gate, account: str) -> None:
    flow.job("J1", gate.script)
    flow.job("J2")
    flow.starts_with("J1")
    flow.when("then", [job_is("J1")], "J2")
    run = flow.run()
    with grpc.insecure_channel(server.grpc_target) as channel:
        stream = watch(channel, account, flow.name, run.id, graph=True)
        seen = []
        for answer in stream:
            succeeded = answer.run.statistics.succeeded_actions
            seen.append((answer.run.status, answer.run.statistics.running_actions, succeeded))
            assert len(answer.run.graph.nodes) == 4
            if answer.run.statistics.running_actions == 1 and succeeded == 0:
                gate.open()
        # It ends with the run, and never tells the same twice.
        run.ended()
    last = stubs("treenail/glue/v1/workflow_run")[0].WORKFLOW_RUN_STATUS_COMPLETED
    assert seen[-1] == (last, 0, 2)
    assert len(set(seen)) >= 3
    assert [status for status, _, _ in seen].count(last) == 1


def test_an_ended_run_is_told_once(server: Server, flow: Flow, account: str) -> None:
    flow.job("J1")
    flow.starts_with("J1")
    run = flow.run()
    run.ended()
    with grpc.insecure_channel(server.grpc_target) as channel:
        answers = list(watch(channel, account, flow.name, run.id))
    assert [answer.run.workflow_run_id for answer in answers] == [run.id]
    assert not answers[0].run.HasField("graph")


def test_what_cannot_be_watched_is_refused(server: Server, flow: Flow, account: str) -> None:
    flow.job("J1")
    flow.starts_with("J1")
    run = flow.run()
    with grpc.insecure_channel(server.grpc_target) as channel:
        for name, run_id, caller, expected in (
            (flow.name, "wr_" + "0" * 64, account, "EntityNotFoundException"),
            ("other", run.id, account, "EntityNotFoundException"),
            (flow.name, run.id, "999999999999", "EntityNotFoundException"),
            (flow.name, "", account, "ValidationException"),
        ):
            with pytest.raises(grpc.RpcError) as raised:
                list(watch(channel, caller, name, run_id))
            assert reason(raised.value) == expected


def test_many_watch_one_run(server: Server, flow: Flow, gate: Gate, account: str) -> None:
    flow.job("J1", gate.script)
    flow.starts_with("J1")
    run = flow.run()
    with grpc.insecure_channel(server.grpc_target) as channel:
        streams = [watch(channel, account, flow.name, run.id) for _ in range(50)]
        firsts = [next(stream) for stream in streams]
        # One who goes away disturbs nobody.
        streams.pop().cancel()
        gate.open()
        lasts = [list(stream)[-1] for stream in streams]
    assert {first.run.workflow_run_id for first in firsts} == {run.id}
    assert {last.run.statistics.succeeded_actions for last in lasts} == {1}
