"""A receiver of OTLP over gRPC, with the official messages: it keeps all that it is sent."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from .certificates import Installation

# What makes servers send soon, so that no test waits for long.
SENDS_SOON = {
    "OTEL_BSP_SCHEDULE_DELAY": "100",
    "OTEL_BLRP_SCHEDULE_DELAY": "100",
    "OTEL_METRIC_EXPORT_INTERVAL": "300",
}


@dataclass(frozen=True)
class Span:
    """A span as it was received."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    tracestate: str
    has_failed: bool
    attributes: dict[str, Any]

    @property
    def traceparent(self) -> str:
        """The context of what the span calls."""
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass(frozen=True)
class LogRecord:
    """A log record as it was received."""

    service: str
    body: str
    severity: str
    target: str
    trace_id: str
    attributes: dict[str, Any]


class Trace:
    """A trace that a client begins."""

    def __init__(self, tracestate: str = "", is_sampled: bool = True) -> None:
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)
        self.headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{'01' if is_sampled else '00'}"}
        if tracestate:
            self.headers["tracestate"] = tracestate

    @contextmanager
    def around(self, client: Any) -> Iterator[None]:
        """Lets each call of a boto3 client carry the trace's context."""
        event, unique_id = f"before-call.{client.meta.service_model.service_name}", secrets.token_hex(4)

        def carry(params: dict[str, Any], **_: Any) -> None:
            params["headers"].update(self.headers)

        client.meta.events.register(event, carry, unique_id=unique_id)
        try:
            yield
        finally:
            client.meta.events.unregister(event, carry, unique_id=unique_id)


class Receiver:
    """Keeps what it is sent; one that is stuck takes calls and never answers.

    With an installation it shows the certificate of its gateway.
    """

    def __init__(self, is_stuck: bool = False, installation: Installation | None = None) -> None:
        self.metadata: list[dict[str, str | bytes]] = []
        self._requests: list[Any] = []
        self._lock = threading.Lock()
        self._let_go = threading.Event()
        self._is_stuck = is_stuck
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(
            self._service(trace_service_pb2.ExportTraceServiceResponse), self._server
        )
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(
            self._service(metrics_service_pb2.ExportMetricsServiceResponse), self._server
        )
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(
            self._service(logs_service_pb2.ExportLogsServiceResponse), self._server
        )
        self._scheme = "https" if installation else "http"
        if installation:
            pair = (installation.key("gateway").read_bytes(), installation.certificate("gateway").read_bytes())
            self._port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        else:
            self._port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Receiver:
        """Begins to listen."""
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends, and lets go of whoever is stuck."""
        self._let_go.set()
        self._server.stop(0).wait()

    @property
    def endpoint(self) -> str:
        """Where servers send to."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    @property
    def calls(self) -> int:
        """How many calls came."""
        return len(self._requests)

    def content(self) -> bytes:
        """Gives all that was received, as it came over the wire."""
        with self._lock:
            return b"".join(request.SerializeToString() for request in self._requests)

    def spans(self, trace: Trace | None = None) -> list[Span]:
        """Gives the spans, or those of a trace."""
        found = [
            _span(resource.resource.attributes, span)
            for request in self._all(trace_service_pb2.ExportTraceServiceRequest)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return [span for span in found if trace is None or span.trace_id == trace.trace_id]

    def logs(self) -> list[LogRecord]:
        """Gives the log records."""
        return [
            LogRecord(
                service=_service_name(resource.resource.attributes),
                body=record.body.string_value,
                severity=record.severity_text,
                target=scope.scope.name,
                trace_id=record.trace_id.hex(),
                attributes=_attributes(record.attributes),
            )
            for request in self._all(logs_service_pb2.ExportLogsServiceRequest)
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def metrics(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Gives the last value of each metric, by service and name: a value for each set of labels."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for request in self._all(metrics_service_pb2.ExportMetricsServiceRequest):
            for resource in request.resource_metrics:
                service = _service_name(resource.resource.attributes)
                for metric in itertools.chain.from_iterable(scope.metrics for scope in resource.scope_metrics):
                    found[service, metric.name] = [_point(metric, point) for point in _points(metric)]
        return found

    def resources(self) -> list[dict[str, Any]]:
        """Gives what senders of spans say of themselves."""
        return [
            _attributes(resource.resource.attributes)
            for request in self._all(trace_service_pb2.ExportTraceServiceRequest)
            for resource in request.resource_spans
        ]

    def _all(self, kind: type) -> list[Any]:
        with self._lock:
            return [request for request in self._requests if isinstance(request, kind)]

    def _service(self, response: Callable[[], Any]) -> Any:
        receiver = self

        class Service:
            def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
                with receiver._lock:
                    receiver._requests.append(request)
                    receiver.metadata.append(dict(context.invocation_metadata()))
                if receiver._is_stuck:
                    receiver._let_go.wait()
                return response()

        return Service()


def named(spans: Iterable[Span], name: str, service: str | None = None, **attributes: Any) -> Span:
    """Finds the one span of a name, a service if that is given, and attributes of ours (`treenail.…`)."""
    known = list(spans)
    found = [
        span
        for span in known
        if span.name == name
        and service in (None, span.service)
        and all(span.attributes.get(f"treenail.{key}") == value for key, value in attributes.items())
    ]
    assert len(found) == 1, (name, attributes, sorted((span.service, span.name) for span in known))
    return found[0]


def _span(resource: Any, span: Any) -> Span:
    return Span(
        service=_service_name(resource),
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        tracestate=span.trace_state,
        has_failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        attributes=_attributes(span.attributes),
    )


def _attributes(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


def _service_name(resource: Any) -> str:
    return str(_attributes(resource)["service.name"])


def _points(metric: Any) -> Any:
    return getattr(metric, metric.WhichOneof("data")).data_points


def _point(metric: Any, point: Any) -> dict[str, Any]:
    kind = metric.WhichOneof("data")
    value = point.count if kind == "histogram" else getattr(point, point.WhichOneof("value"))
    return {"kind": kind, "value": value, "labels": _attributes(point.attributes)}
