"""A gRPC client in Python: the same operations, the same rules, through reflection and stubs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from harness.flows import add_job, job_run_ended
from harness.grpc_client import metadata, reason, stubs
from harness.server import Server

PUBLIC = {
    "treenail.glue.v1.JobRunService",
    "treenail.glue.v1.JobService",
    "treenail.glue.v1.RunPropertiesService",
    "treenail.glue.v1.TagService",
    "treenail.glue.v1.TriggerService",
    "treenail.glue.v1.WorkflowRunService",
    "treenail.glue.v1.WorkflowService",
    "treenail.ops.v1.BookmarkService",
    "treenail.ops.v1.ClockService",
    "treenail.ops.v1.EventService",
    "treenail.ops.v1.HistoryService",
    "treenail.ops.v1.LogService",
}


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    """A channel to the server's public port."""
    with grpc.insecure_channel(server.grpc_target) as channel:
        yield channel


def test_reflection_lists_the_public_services(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    assert set(database.get_services()) >= PUBLIC
    file = database.FindFileContainingSymbol("treenail.glue.v1.WorkflowService")
    (service,) = file.service
    assert "CreateWorkflow" in {method.name for method in service.method}


def test_the_server_says_that_it_is_well(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_grpc_and_aws_clients_see_the_same(channel: grpc.Channel, glue: Any, account: str) -> None:
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    workflows = clients.WorkflowServiceStub(channel)
    request = messages.CreateWorkflowRequest(name="w", description="by gRPC", max_concurrent_runs=3)
    request.default_run_properties["x"] = "1"
    assert workflows.CreateWorkflow(request, metadata=metadata(account), timeout=10).name == "w"
    seen = glue.get_workflow(Name="w")["Workflow"]
    assert (seen["Description"], seen["MaxConcurrentRuns"], seen["DefaultRunProperties"]) == ("by gRPC", 3, {"x": "1"})
    glue.update_workflow(Name="w", Description="by boto3")
    found = workflows.GetWorkflow(messages.GetWorkflowRequest(name="w"), metadata=metadata(account), timeout=10)
    assert found.workflow.description == "by boto3"
    assert (
        found.workflow.created_on.ToDatetime() == seen["CreatedOn"].replace(tzinfo=None) - seen["CreatedOn"].utcoffset()
    )


def test_a_caller_without_an_account_is_in_the_default_one(channel: grpc.Channel) -> None:
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    workflows = clients.WorkflowServiceStub(channel)
    workflows.CreateWorkflow(messages.CreateWorkflowRequest(name="by nobody"), timeout=10)
    request = messages.GetWorkflowRequest(name="by nobody")
    assert workflows.GetWorkflow(request, metadata=metadata("0" * 12), timeout=10).workflow.name == "by nobody"
    workflows.DeleteWorkflow(messages.DeleteWorkflowRequest(name="by nobody"), timeout=10)


@pytest.mark.parametrize(
    ("members", "code", "exception", "message"),
    [
        ({"name": "nowhere"}, grpc.StatusCode.NOT_FOUND, "EntityNotFoundException", "Entity not found"),
        (
            {},
            grpc.StatusCode.INVALID_ARGUMENT,
            "ValidationException",
            "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"name": ""},
            grpc.StatusCode.INVALID_ARGUMENT,
            "ValidationException",
            "1 validation error detected: Value '' at 'name' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
    ],
)
def test_errors_carry_aws_names_and_words(
    channel: grpc.Channel, account: str, members: dict[str, str], code: grpc.StatusCode, exception: str, message: str
) -> None:
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    workflows = clients.WorkflowServiceStub(channel)
    with pytest.raises(grpc.RpcError) as raised:
        workflows.GetWorkflow(messages.GetWorkflowRequest(**members), metadata=metadata(account), timeout=10)
    assert (raised.value.code(), raised.value.details()) == (code, message)
    assert reason(raised.value) == exception


@pytest.mark.parametrize("wrong", [[("treenail-account", "12")], [("treenail-region", "US EAST")]])
def test_a_garbled_caller_is_refused(channel: grpc.Channel, wrong: list[tuple[str, str]]) -> None:
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    request = messages.ListWorkflowsRequest()
    with pytest.raises(grpc.RpcError) as raised:
        clients.WorkflowServiceStub(channel).ListWorkflows(request, metadata=wrong, timeout=10)
    assert raised.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED)


@pytest.mark.parametrize(
    "method",
    [
        "/treenail.internal.v1.PlanService/PublishPlans",
        "/treenail.internal.v1.SeedService/SeedProperties",
        "/treenail.worker.v1.WorkerService/UploadLogs",
        "/treenail.glue.v1.WorkflowService/NoSuchMethod",
    ],
)
def test_what_is_internal_is_not_reached_from_outside(channel: grpc.Channel, method: str) -> None:
    call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=10)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("body", [b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xc3\x28"])
def test_bytes_that_are_no_message_are_refused(channel: grpc.Channel, body: bytes) -> None:
    path = "/treenail.glue.v1.WorkflowService/CreateWorkflow"
    call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as raised:
        call(body, timeout=10)
    assert raised.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


def test_a_message_beyond_the_limit_is_refused(channel: grpc.Channel, account: str) -> None:
    messages, clients = stubs("treenail/glue/v1/workflow_service")
    request = messages.CreateWorkflowRequest(name="w", description="x" * 6_000_000)
    with pytest.raises(grpc.RpcError) as raised:
        clients.WorkflowServiceStub(channel).CreateWorkflow(request, metadata=metadata(account), timeout=10)
    assert raised.value.code() in (
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INVALID_ARGUMENT,
    )


def test_output_is_streamed(channel: grpc.Channel, glue: Any, account: str, tmp_path: Path) -> None:
    add_job(glue, tmp_path, "j", "import sys\nprint('out')\nprint('err', file=sys.stderr)")
    run_id = glue.start_job_run(JobName="j")["JobRunId"]
    messages, clients = stubs("treenail/ops/v1/log_service")
    tail = clients.LogServiceStub(channel).TailLogs(
        messages.TailLogsRequest(job_run_id=run_id, follow=True), metadata=metadata(account), timeout=30
    )
    written: dict[int, bytes] = {}
    for answer in tail:
        for chunk in answer.chunks:
            written[chunk.stream] = written.get(chunk.stream, b"") + chunk.data
    assert sorted(written.values()) == [b"err\n", b"out\n"]
    job_run_ended(glue, "j", run_id)
    unknown = messages.TailLogsRequest(job_run_id="jr_0")
    with pytest.raises(grpc.RpcError) as raised:
        list(clients.LogServiceStub(channel).TailLogs(unknown, metadata=metadata(account), timeout=10))
    assert reason(raised.value) == "EntityNotFoundException"


def test_one_call_that_is_repeated_is_one_run(channel: grpc.Channel, glue: Any, account: str) -> None:
    glue.create_workflow(Name="w")
    messages, clients = stubs("treenail/glue/v1/workflow_run_service")
    start = clients.WorkflowRunServiceStub(channel).StartWorkflowRun
    caller = [*metadata(account), ("treenail-invocation-id", "once")]
    request = messages.StartWorkflowRunRequest(name="w")
    ids = {start(request, metadata=caller, timeout=10).run_id for _ in range(3)}
    assert len(ids) == 1
    assert len(glue.get_workflow_runs(Name="w")["Runs"]) == 1
