"""Hostile input: every answer has AWS's shape, nothing changes, memory stays bounded, and nobody else notices."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest

from harness import wire
from harness.aws import client
from harness.server import Server
from hostile import bytes as raw
from hostile import frames, shapes

REQUESTS_MIN = 400
ANSWER_SECONDS_MAX = 10.0
BYSTANDER_SECONDS_MAX = 5.0
# A request that is not whole is waited for, here not as long as the server does.
SILENCE_SECONDS = 0.2
STREAMS_ANSWERED_MIN = 45
MEMORY_MIB_MAX = 64
# What a gRPC caller may be told of a message that is none of ours.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
}


def state(glue: Any) -> str:
    """All that an account has, as a text."""
    found = [glue.get_jobs()["Jobs"], glue.get_triggers()["Triggers"], glue.list_workflows()["Workflows"]]
    found += [glue.get_workflow(Name=name) for name in found[2]] + [
        glue.get_workflow_runs(Name=name) for name in found[2]
    ]
    for answer in found:
        if isinstance(answer, dict):
            answer.pop("ResponseMetadata", None)
    return json.dumps(found, default=str, sort_keys=True)


def resident_mib(server: Server) -> float:
    """What all processes of a server hold in memory."""
    total = 0
    for pid in server.pids.values():
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return total / 1024


@contextmanager
def unharmed(server: Server, account: str) -> Iterator[None]:
    """Nothing of an account changes, memory stays bounded, and a bystander is served all the while."""
    glue = client("glue", server.endpoint, account)
    glue.create_workflow(Name="w")
    glue.create_job(Name="j", Role="any", Command={"Name": "noop"})
    glue.create_trigger(Name="t", Type="ON_DEMAND", WorkflowName="w", Actions=[{"JobName": "j"}])
    before, memory = state(glue), resident_mib(server)
    stop, slowest = threading.Event(), [0.0]

    def stand_by() -> None:
        while not stop.is_set():
            began = time.monotonic()
            answer = wire.call(server.endpoint, "AWSGlue.GetWorkflow", {"Name": "w"}, account)
            assert answer.status == 200, answer
            slowest[0] = max(slowest[0], time.monotonic() - began)

    failures: list[BaseException] = []

    def watched() -> None:
        try:
            stand_by()
        except BaseException as failure:
            failures.append(failure)

    bystander = threading.Thread(target=watched)
    bystander.start()
    try:
        yield
    finally:
        stop.set()
        bystander.join()
    assert failures == []
    assert slowest[0] < BYSTANDER_SECONDS_MAX
    assert state(glue) == before
    assert resident_mib(server) - memory < MEMORY_MIB_MAX


def assert_aws_refuses(what: str, answer: wire.Answer) -> None:
    """An answer is a refusal in AWS's shape."""
    assert 400 <= answer.status < 500, (what, answer)
    assert answer.fault, (what, answer)
    assert isinstance(answer.message, str), (what, answer)
    assert len(answer.body) < 100_000, (what, len(answer.body))


def test_every_rule_of_awss_model_is_kept(server: Server, account: str) -> None:
    parts = urlsplit(server.endpoint)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS_MAX)
    count, taken = 0, []
    with unharmed(server, account):
        for what, target, members in shapes.cases():
            connection.request("POST", "/", json.dumps(members).encode(), wire.aws_headers(target, account))
            response = connection.getresponse()
            answer = wire.Answer(response.status, dict(response.getheaders()), response.read())
            if answer.status == 200:
                taken.append(what)
            else:
                assert_aws_refuses(what, answer)
            count += 1
    connection.close()
    assert taken == []
    # As many as reliability asks for, and more: one for each rule of each member.
    assert count >= REQUESTS_MIN


def test_bodies_that_are_none_are_refused(server: Server, account: str) -> None:
    with unharmed(server, account):
        for what, body in raw.json_bodies().items():
            answer = wire.call(server.endpoint, "AWSGlue.CreateWorkflow", body, account)
            assert_aws_refuses(what, answer)


def exchange(port: int, written: bytes) -> bytes:
    """Writes bytes and reads until the other side ends the connection, or has nothing more to say for a while."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS_MAX) as stream:
        # A side that refuses need not read all.
        with suppress(OSError):
            stream.sendall(written)
        stream.settimeout(SILENCE_SECONDS)
        with suppress(ConnectionError, TimeoutError):
            while part := stream.recv(65_536):
                answer += part
    return answer


def test_bytes_that_are_no_request_are_answered_or_the_connection_ends(server: Server, account: str) -> None:
    port = urlsplit(server.endpoint).port or 0
    answered = 0
    with unharmed(server, account):
        for what, written in raw.streams().items():
            answer = exchange(port, written)
            statuses = [int(part.split(b" ")[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]
            if what in raw.READ_AS_RFC_9112_SAYS:
                assert statuses == [200], (what, answer[:500])
                assert b"connection: close" in answer, (what, answer[:500])
                continue
            assert all(400 <= status < 500 for status in statuses), (what, answer[:500])
            answered += bool(statuses)
    assert answered >= STREAMS_ANSWERED_MIN


def test_frames_that_no_library_sends_end_their_connection_only(server: Server, account: str) -> None:
    port = int(server.grpc_target.rsplit(":", 1)[1])
    with unharmed(server, account):
        for _what, written in frames.http2().items():
            exchange(port, written)
        with grpc.insecure_channel(server.grpc_target) as channel:
            grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS_MAX)


@pytest.mark.parametrize(
    "path",
    [
        "/treenail.glue.v1.WorkflowService/CreateWorkflow",
        "/treenail.glue.v1.TriggerService/CreateTrigger",
        "/treenail.glue.v1.JobService/CreateJob",
        "/treenail.glue.v1.WorkflowRunService/StartWorkflowRun",
        "/treenail.ops.v1.HistoryService/ExplainRun",
        "/treenail.internal.v1.PlanService/PublishPlans",
        "/treenail.worker.v1.WorkerService/UploadLogs",
        "/no.such.Service/Method",
    ],
)
def test_messages_that_are_none_are_refused(server: Server, account: str, path: str) -> None:
    with unharmed(server, account), grpc.insecure_channel(server.grpc_target) as channel:
        method = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        for what, message in frames.messages():
            # Noise may be a whole message by chance; in an account of its own it does nobody harm.
            caller = [("treenail-account", "999999999999"), ("treenail-region", "us-east-1")]
            code = method.future(message, metadata=caller, timeout=ANSWER_SECONDS_MAX).code()
            assert code in REFUSALS | {grpc.StatusCode.OK}, (path, what, code)
