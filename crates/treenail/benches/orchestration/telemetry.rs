//! What it costs that traces, metrics and logs are sent.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport};

use crate::{http, server::Server, tell, workflows::Workflows};

/// How often each of the two is measured, one after another and again: the machine is not the same from minute to minute.
const ROUNDS: u32 = 3;

/// `StartWorkflowRun` with telemetry sent, 1 % of the traces, and without, at 64 connections.
pub(crate) async fn traced() {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let served = transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .add_service(MetricsServiceServer::new(collector.clone()))
        .add_service(LogsServiceServer::new(collector.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let served = tokio::spawn(served);

    let silent = Server::start(0);
    let telling = Server::start_with(0, &["--otlp-endpoint", &endpoint, "--trace-ratio", "0.01"]);
    for server in [&silent, &telling] {
        Workflows::of(server).workflow("empty").await;
    }
    let (mut without, mut with) = (0.0, 0.0);
    let start = |_| http::request("AWSGlue.StartWorkflowRun", "{\"Name\":\"empty\"}");
    for _ in 0..ROUNDS {
        without += http::rate(&silent.http(), start).await;
        with += http::rate(&telling.http(), start).await;
    }
    assert!(collector.spans.load(Ordering::Relaxed) > 0, "spans were to be sent");
    tell(
        "StartWorkflowRun, 1 % traced, 64 connections",
        &format!("{:.0}/s", with / f64::from(ROUNDS)),
        Some((with / without, "x that without telemetry, goal 0.95")),
    );
    served.abort();
}

/// A collector that takes everything and keeps nothing.
#[derive(Debug, Clone, Default)]
struct Collector {
    spans: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans;
        let scopes = resources.iter().flat_map(|resource| &resource.scope_spans);
        let spans = scopes.map(|scope| scope.spans.len()).sum();
        self.spans.fetch_add(spans, Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        _: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        _: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
