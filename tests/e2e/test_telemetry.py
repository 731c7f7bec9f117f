"""Traces, metrics and logs reach a collector over OTLP; one that is away or stuck changes nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness.aws import client, new_account, refused
from harness.certificates import Installation
from harness.flows import Flow, add_job, job_is, job_run_ended
from harness.grpc_client import stubs
from harness.otlp import SENDS_SOON, Receiver, Span, Trace, named
from harness.scripts import Gate, Record, fails_once
from harness.server import ALL_IN_ONE, Server
from harness.waiting import eventually

START = "treenail.glue.v1.WorkflowRunService/StartWorkflowRun"

# What joins a job's own calls to the trace that it belongs to: all that a user has to write.
JOINS = """
import os, boto3
glue = boto3.client("glue")
def carry(params, **_):
    params["headers"]["traceparent"] = os.environ["TRACEPARENT"]
glue.meta.events.register("before-call.glue", carry)
glue.put_workflow_run_properties(
    Name=os.environ["AWS_GLUE_WORKFLOW_NAME"],
    RunId=os.environ["AWS_GLUE_WORKFLOW_RUN_ID"],
    RunProperties={"by": "job"},
)
"""


def service(shape: str, name: str) -> str:
    """What a service is called in telemetry: one process has one name."""
    return "treenail" if shape == ALL_IN_ONE else f"treenail-{name}"


def told(endpoint: str, **variables: str) -> dict[str, str]:
    """Gives the environment of a server that sends to an endpoint."""
    return {"TREENAIL_OTLP_ENDPOINT": endpoint, **SENDS_SOON, **variables}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiver for all tests: they tell their traces apart by their ids."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def traced(shape: str, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that sends all that it can."""
    environment = told(receiver.endpoint, TREENAIL_LOG="debug")
    server = Server(shape, tmp_path_factory.mktemp(f"{shape}-traced"), environment=environment)
    try:
        yield server.start()
        server.stop()
    finally:
        server.kill()


@pytest.fixture
def traced_glue(traced: Server) -> Any:
    """A client of an account of its own."""
    return client("glue", traced.endpoint, new_account())


def attempts(receiver: Receiver, trace: Trace, count: int) -> list[Span]:
    """Waits for the spans of attempts in a trace."""

    def probe() -> list[Span] | None:
        found = [span for span in receiver.spans(trace) if "treenail.attempt" in span.attributes]
        return found if len(found) == count else None

    return eventually(probe, f"{count} attempts in the trace")


def span(receiver: Receiver, trace: Trace, name: str, **attributes: Any) -> Span:
    """Waits for a span of a trace."""
    eventually(lambda: any(span.name == name for span in receiver.spans(trace)), f"the span {name}")
    return named(receiver.spans(trace), name, **attributes)


def test_one_trace_leads_from_the_request_to_the_jobs_process_and_what_it_calls(
    traced: Server, shape: str, traced_glue: Any, receiver: Receiver, record: Record, tmp_path: Path
) -> None:
    flow = Flow(traced_glue, tmp_path)
    flow.job("a", record.script + JOINS)
    flow.job("b", record.script)
    flow.starts_with("a")
    flow.when("then", [job_is("a")], "b")
    trace = Trace(tracestate="vendor=value")
    with trace.around(traced_glue):
        run = flow.run(secret="not told")
    run.ended()
    assert run.properties()["by"] == "job"
    first, second = sorted(attempts(receiver, trace, 2), key=lambda span: span.attributes["treenail.job"])
    put = span(receiver, trace, "PutWorkflowRunProperties")
    stored = span(receiver, trace, "treenail.glue.v1.RunPropertiesService/PutWorkflowRunProperties")
    seeded = span(receiver, trace, "treenail.internal.v1.SeedService/SeedRunProperties")
    asked, started = span(receiver, trace, "StartWorkflowRun"), span(receiver, trace, START)
    assert [asked.parent_id, started.parent_id] == [trace.span_id, asked.span_id]
    assert [first.parent_id, second.parent_id] == [started.span_id] * 2, "an attempt belongs to what started its run"
    assert [put.parent_id, stored.parent_id] == [first.span_id, put.span_id], "the job's call belongs to its attempt"
    assert [span.service for span in (asked, started, first, put, stored, seeded)] == [
        service(shape, name)
        for name in ("gateway", "run-scheduler", "worker", "gateway", "properties-store", "properties-store")
    ]
    seen = [run["environment"] for run in record.runs]
    assert [environment["TRACEPARENT"] for environment in seen] == [first.traceparent, second.traceparent]
    assert {environment["TRACESTATE"] for environment in seen} == {"vendor=value"}
    assert first.name == "job a"
    expected = {"job": "a", "attempt": 0, "workflow": "flow", "workflow_run_id": run.id, "outcome": "succeeded"}
    assert {key: first.attributes[f"treenail.{key}"] for key in expected} == expected
    assert first.attributes["treenail.job_run_id"] == run.job_runs("a")[0]["Id"]


def test_the_resource_tells_which_process_it_is(
    traced: Server, shape: str, traced_glue: Any, receiver: Receiver
) -> None:
    trace = Trace()
    with trace.around(traced_glue):
        traced_glue.list_workflows()
    eventually(lambda: receiver.spans(trace), "the request")
    names = {service(shape, name) for name in ("gateway", "control-plane")}
    eventually(lambda: names <= {resource["service.name"] for resource in receiver.resources()}, "the services")
    for resource in receiver.resources():
        assert re.fullmatch(r"\d+\.\d+\.\d+", resource["service.version"])
        assert len(resource["service.instance.id"]) == 36


def test_every_attempt_is_a_span(traced_glue: Any, receiver: Receiver, tmp_path: Path) -> None:
    flow = Flow(traced_glue, tmp_path)
    flow.job("a", fails_once(tmp_path / "failed"), MaxRetries=1)
    flow.starts_with("a")
    trace = Trace()
    with trace.around(traced_glue):
        run = flow.run()
    run.ended()
    spans = sorted(attempts(receiver, trace, 2), key=lambda span: span.attributes["treenail.attempt"])
    outcomes = [(span.attributes["treenail.attempt"], span.attributes["treenail.outcome"]) for span in spans]
    assert outcomes == [(0, "failed"), (1, "succeeded")]
    assert [span.has_failed for span in spans] == [True, False]
    assert len({span.parent_id for span in spans}) == 1


def test_a_job_outside_workflows_belongs_to_the_request_that_started_it(
    traced_glue: Any, receiver: Receiver, record: Record, tmp_path: Path
) -> None:
    add_job(traced_glue, tmp_path, "lone", record.script)
    trace = Trace()
    with trace.around(traced_glue):
        run_id = traced_glue.start_job_run(JobName="lone")["JobRunId"]
    job_run_ended(traced_glue, "lone", run_id)
    [attempt] = attempts(receiver, trace, 1)
    started = span(receiver, trace, "treenail.glue.v1.JobRunService/StartJobRun")
    assert attempt.parent_id == started.span_id
    assert record.runs[0]["environment"]["TRACEPARENT"] == attempt.traceparent
    assert "treenail.workflow" not in attempt.attributes


def test_a_trigger_that_is_started_leads_through_the_control_plane(
    shape: str, traced_glue: Any, receiver: Receiver, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        add_job(traced_glue, tmp_path, name)
    traced_glue.create_trigger(Name="by-hand", Type="ON_DEMAND", Actions=[{"JobName": "one"}])
    predicate = {"Conditions": [job_is("one")]}
    traced_glue.create_trigger(
        Name="after", Type="CONDITIONAL", Predicate=predicate, Actions=[{"JobName": "two"}], StartOnCreation=True
    )
    trace = Trace()
    with trace.around(traced_glue):
        traced_glue.start_trigger(Name="by-hand")
    jobs = {span.attributes["treenail.job"] for span in attempts(receiver, trace, 2)}
    assert jobs == {"one", "two"}, "what follows in a chain belongs to the same trace"
    asked = span(receiver, trace, "StartTrigger")
    judged = span(receiver, trace, "treenail.glue.v1.TriggerService/StartTrigger")
    fired = span(receiver, trace, "treenail.internal.v1.PlanService/FireTrigger")
    assert [judged.parent_id, fired.parent_id] == [asked.span_id, judged.span_id]
    assert judged.service == service(shape, "control-plane")


def test_a_call_over_grpc_continues_its_callers_trace(traced: Server, receiver: Receiver, tmp_path: Path) -> None:
    account, trace = new_account(), Trace()
    flow = Flow(client("glue", traced.endpoint, account), tmp_path)
    flow.job("a")
    flow.starts_with("a")
    messages, clients = stubs("treenail/glue/v1/workflow_run_service")
    metadata = [("treenail-account", account), *trace.headers.items()]
    with grpc.insecure_channel(traced.grpc_target) as channel:
        started = clients.WorkflowRunServiceStub(channel)
        started.StartWorkflowRun(messages.StartWorkflowRunRequest(name="flow"), metadata=metadata)
    [attempt] = attempts(receiver, trace, 1)
    eventually(lambda: sum(span.name == START for span in receiver.spans(trace)) == 2, "both calls")
    calls = {span.span_id: span for span in receiver.spans(trace) if span.name == START}
    inner = calls[attempt.parent_id]
    assert calls[inner.parent_id].parent_id == trace.span_id, "the gateway's port, then the run-scheduler's"


def test_what_the_caller_does_not_sample_is_not_sent(
    traced_glue: Any, receiver: Receiver, record: Record, tmp_path: Path
) -> None:
    flow = Flow(traced_glue, tmp_path)
    flow.job("a", record.script)
    flow.starts_with("a")
    unsampled, marker = Trace(is_sampled=False), Trace()
    with unsampled.around(traced_glue):
        flow.run().ended()
    with marker.around(traced_glue):
        traced_glue.list_workflows()
    eventually(lambda: receiver.spans(marker), "a later span")
    assert receiver.spans(unsampled) == []
    assert "TRACEPARENT" not in record.runs[0]["environment"]


def test_a_trace_outlives_a_crash(shape: str, receiver: Receiver, gate: Gate, record: Record, tmp_path: Path) -> None:
    server = Server(shape, tmp_path / "server", environment=told(receiver.endpoint))
    try:
        server.start()
        flow = Flow(client("glue", server.endpoint, new_account(), attempts=5), tmp_path)
        flow.job("a", gate.script, MaxRetries=1)
        flow.job("b", record.script)
        flow.starts_with("a")
        flow.when("then", [job_is("a")], "b")
        trace = Trace(tracestate="vendor=value")
        with trace.around(flow.glue):
            run = flow.run()
        gate.reached()
        started = span(receiver, trace, START)
        server.kill()
        gate.open()
        server.start()
        run.ended()
        after = eventually(
            lambda: [span for span in receiver.spans(trace) if span.attributes.get("treenail.job") == "b"],
            "the attempt after the crash",
        )
        assert [span.parent_id for span in after] == [started.span_id]
        environment = record.runs[0]["environment"]
        assert (environment["TRACEPARENT"], environment["TRACESTATE"]) == (after[0].traceparent, "vendor=value")
    finally:
        server.kill()


def test_what_a_schedule_starts_begins_a_trace(receiver: Receiver, record: Record, tmp_path: Path) -> None:
    environment = told(receiver.endpoint, OTEL_SERVICE_NAME="scheduled")
    server = Server(ALL_IN_ONE, tmp_path / "server", manual_clock=True, environment=environment)
    try:
        flow = Flow(client("glue", server.start().endpoint, new_account()), tmp_path)
        flow.job("a", record.script)
        flow.starts_with("a", kind="SCHEDULED", Schedule="cron(0 12 * * ? *)", StartOnCreation=True)
        server.advance_clock(24 * 60 * 60 * 1000)
        flow.runs()[0].ended()
        found = eventually(
            lambda: [span for span in receiver.spans() if span.service == "scheduled" and span.name == "job a"],
            "the attempt",
        )
        [due] = [span for span in receiver.spans() if span.name == "start what is due"]
        assert (due.parent_id, found[0].parent_id, found[0].trace_id) == ("", due.span_id, due.trace_id)
        assert record.runs[0]["environment"]["TRACEPARENT"] == found[0].traceparent
    finally:
        server.kill()


def test_metrics_are_sent_as_prometheus_has_them(
    traced: Server, shape: str, traced_glue: Any, receiver: Receiver, tmp_path: Path
) -> None:
    add_job(traced_glue, tmp_path, "measured")
    job_run_ended(traced_glue, "measured", traced_glue.start_job_run(JobName="measured")["JobRunId"])

    def value(process: str, name: str, **labels: str) -> Any:
        points = receiver.metrics().get((service(shape, process), name), [])
        found = [point["value"] for point in points if labels.items() <= point["labels"].items()]
        return found[0] if found else None

    def requests() -> Any:
        return value("gateway", "treenail_api_requests_total", operation="StartJobRun", code="OK")

    before = eventually(requests, "the counter of requests")
    traced_glue.start_job_run(JobName="measured")
    eventually(lambda: requests() > before, "the counter to grow")
    eventually(lambda: value("gateway", "treenail_api_request_seconds", operation="StartJobRun"), "a histogram")
    eventually(lambda: value("worker", "treenail_worker_tasks_ended_total", result="RESULT_SUCCEEDED"), "the worker's")
    eventually(lambda: value("run-scheduler", "treenail_worker_slots_free") == 8, "a gauge")
    eventually(lambda: value("run-scheduler", "treenail_store_commit_seconds", database="runs"), "the store's")


def test_logs_are_sent_and_belong_to_their_trace(
    shape: str, traced_glue: Any, receiver: Receiver, gate: Gate, tmp_path: Path
) -> None:
    flow = Flow(traced_glue, tmp_path, MaxConcurrentRuns=1)
    flow.job("a", gate.script)
    flow.starts_with("a")
    run = flow.run()
    trace = Trace()
    with trace.around(traced_glue):
        assert refused(traced_glue.start_trigger, Name="start")[0] == "ConcurrentRunsExceededException"
    gate.open()
    run.ended()
    logged = eventually(
        lambda: [log for log in receiver.logs() if log.trace_id == trace.trace_id], "a log record of the trace"
    )
    assert [(log.service, log.body) for log in logged] == [
        (service(shape, "control-plane"), "the run-scheduler refused")
    ]
    known = {log.body for log in receiver.logs()}
    assert "a worker connected" in known
    senders = {log.target.split("::")[0] for log in receiver.logs()}
    assert senders & {"h2", "hyper", "tonic", "tower", "opentelemetry_sdk"} == set(), "what sends is not sent"


def test_a_request_that_no_client_traces_begins_a_trace_as_often_as_was_said(
    receiver: Receiver, tmp_path: Path
) -> None:
    environment = told(receiver.endpoint, OTEL_SERVICE_NAME="seldom")
    server = Server(ALL_IN_ONE, tmp_path / "server", environment=environment)
    server.arguments = {"serve": ["--trace-ratio", "0"]}
    try:
        glue = client("glue", server.start().endpoint, new_account())
        glue.list_jobs()
        trace = Trace()
        with trace.around(glue):
            glue.list_workflows()
        eventually(lambda: receiver.spans(trace), "the request whose client traces it")
        names = {span.name for span in receiver.spans() if span.service == "seldom"}
        assert names == {"ListWorkflows", "treenail.glue.v1.WorkflowService/ListWorkflows"}
    finally:
        server.kill()


@pytest.mark.parametrize("is_there", [False, True], ids=["away", "stuck"])
def test_a_collector_that_does_not_take_anything_changes_nothing(is_there: bool, shape: str, tmp_path: Path) -> None:
    with Receiver(is_stuck=True) as stuck:
        endpoint = stuck.endpoint if is_there else "http://127.0.0.1:9"
        server = Server(shape, tmp_path / "server", environment=told(endpoint))
        try:
            flow = Flow(client("glue", server.start().endpoint, new_account()), tmp_path)
            flow.job("a")
            flow.starts_with("a")
            for _ in range(20):
                flow.run()
            for run in flow.runs():
                run.ended()
            if is_there:
                eventually(lambda: stuck.calls > 0, "the stuck collector to be called")
            else:
                eventually(lambda: "is dropped until it is" in server.logs(), "one line that tells")
            stopping = time.monotonic()
            server.stop()
            assert time.monotonic() - stopping < 20
            for name in server.names():
                assert server.log(name).count("is dropped until it is") <= 1, "told once, not with every export"
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"TREENAIL_OTLP_ENDPOINT": "localhost:4317"}, "not of the form http://host:port"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "only grpc is spoken",
        ),
    ],
)
def test_an_endpoint_that_cannot_be_sent_to_is_refused_at_start(
    environment: dict[str, str], why: str, tmp_path: Path
) -> None:
    server = Server(ALL_IN_ONE, tmp_path / "server", environment=environment)
    try:
        server.launch()
        eventually(lambda: server.exit_code("serve") == 78, "the server to refuse")
        assert why in server.log("serve")
    finally:
        server.kill()


def test_a_collector_proves_itself_and_may_ask_for_a_key(tmp_path: Path) -> None:
    installation, stranger = Installation(tmp_path / "trust"), Installation(tmp_path / "stranger")
    for trusted in (installation, stranger):
        variables = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(trusted.authority)}
        with Receiver(installation=installation) as receiver:
            environment = told(receiver.endpoint, OTEL_EXPORTER_OTLP_HEADERS="api-key=of-the-collector", **variables)
            server = Server(ALL_IN_ONE, tmp_path / trusted.folder.name / "server", environment=environment)
            try:
                client("glue", server.start().endpoint, new_account()).list_workflows()
                if trusted is installation:
                    eventually(receiver.spans, "a span")
                    assert {metadata["api-key"] for metadata in receiver.metadata} == {"of-the-collector"}
                else:
                    eventually(lambda server=server: "is dropped until it is" in server.logs(), "the refusal")
                    assert receiver.calls == 0
            finally:
                server.kill()
            assert "of-the-collector" not in server.logs()


def test_the_standard_variable_is_enough(receiver: Receiver, tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_SERVICE_NAME": "standard", **SENDS_SOON}
    server = Server(ALL_IN_ONE, tmp_path / "server", environment=environment)
    try:
        client("glue", server.start().endpoint, new_account()).list_workflows()
        eventually(lambda: any(span.service == "standard" for span in receiver.spans()), "a span")
    finally:
        server.kill()
