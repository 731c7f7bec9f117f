//! Traces, metrics and logs leave over OTLP, in batches, from threads of their own: no request waits for it.
//!
//! What a collector does not take in time is dropped: queues are bounded (2,048 spans, 2,048 log records), and so is the
//! time of an export. The variables of OpenTelemetry for these (`OTEL_BSP_…`, `OTEL_BLRP_…`, `OTEL_METRIC_EXPORT_INTERVAL`),
//! `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_EXPORTER_OTLP_CERTIFICATE` are obeyed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{self, LogBatch, SdkLoggerProvider},
    metrics::{SdkMeterProvider, Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{self, Sampler, SdkTracerProvider, SpanData},
};

use tonic::transport::Endpoint;

use crate::{
    Entropy, channel,
    tls::{self, ClientTls},
};

/// How long what is left may take to leave when the process ends.
const FLUSH: Duration = Duration::from_secs(3);
/// How long an export may take.
const EXPORT: Duration = Duration::from_secs(10);
/// The variable that names a file with the authority of the collector's certificate, where the machine's are not it.
const AUTHORITY_VARIABLE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
/// The variable that names the service in place of ours.
const SERVICE_NAME_VARIABLE: &str = "OTEL_SERVICE_NAME";

/// Where telemetry is sent, and what it is called.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// The collector's gRPC port: `http://127.0.0.1:4317`, or `https://…`.
    pub endpoint: Uri,
    /// The service's name: `treenail-gateway`.
    pub service: &'static str,
    /// Which part of the traces that begin here is kept, 0 to 1; a trace that was begun elsewhere is kept when its caller
    /// keeps it.
    pub ratio: f64,
}

/// Why telemetry cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The collector's certificate could not be judged.
    #[error(transparent)]
    Certificates(#[from] tls::Error),
    /// A variable of OpenTelemetry is not in its form.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
}

/// What sends, until it is told to end.
#[derive(Clone, Debug)]
pub(super) struct Pipelines {
    pub(super) tracer: SdkTracerProvider,
    pub(super) meter: SdkMeterProvider,
    pub(super) logger: SdkLoggerProvider,
}

impl Otlp {
    /// Begins to send. Call it within a tokio runtime. That nobody listens is no error: the collector may start later.
    pub(super) fn start(&self) -> Result<Pipelines, Unusable> {
        let resource = self.resource();
        let reach = Reach(Arc::new(AtomicBool::new(true)));
        let tls = match self.endpoint.scheme_str() {
            Some("https") => {
                let authority = std::env::var_os(AUTHORITY_VARIABLE).filter(|path| !path.is_empty());
                Some(ClientTls::open(None, authority.map(Into::into), tls::GRPC)?)
            }
            _ => None,
        };
        let collector = channel::connection(Endpoint::from(self.endpoint.clone()).timeout(EXPORT), tls);
        let spans = SpanExporter::builder().with_tonic().with_channel(collector.clone());
        let metrics = MetricExporter::builder().with_tonic().with_channel(collector.clone());
        let logs = LogExporter::builder().with_tonic().with_channel(collector);
        Ok(Pipelines {
            tracer: SdkTracerProvider::builder()
                .with_resource(resource.clone())
                // Whether a trace that begins here is sent was settled before its first span was made.
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
                .with_batch_exporter(Told(spans.build()?, reach.clone()))
                .build(),
            meter: SdkMeterProvider::builder()
                .with_resource(resource.clone())
                .with_periodic_exporter(Told(metrics.build()?, reach.clone()))
                .build(),
            logger: SdkLoggerProvider::builder()
                .with_resource(resource)
                .with_batch_exporter(Told(logs.build()?, reach))
                .build(),
        })
    }

    fn resource(&self) -> Resource {
        let resource = Resource::builder().with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Entropy::os().uuid().to_string()),
        ]);
        match std::env::var_os(SERVICE_NAME_VARIABLE) {
            Some(name) if !name.is_empty() => resource.build(),
            _ => resource.with_service_name(self.service).build(),
        }
    }
}

impl Pipelines {
    /// Sends what is left and ends, within a few seconds.
    pub(super) async fn end(self) {
        let Pipelines { tracer, meter, logger } = self;
        let ends = [
            tokio::task::spawn_blocking(move || tracer.shutdown_with_timeout(FLUSH)),
            tokio::task::spawn_blocking(move || meter.shutdown_with_timeout(FLUSH)),
            tokio::task::spawn_blocking(move || logger.shutdown_with_timeout(FLUSH)),
        ];
        for end in ends {
            match tokio::time::timeout(FLUSH, end).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::debug!(%error, "the last telemetry was not sent"),
                Ok(Err(error)) => tracing::debug!(%error, "the last telemetry was not sent"),
                Err(_elapsed) => tracing::debug!("the last telemetry was not sent in time"),
            }
        }
    }
}

/// Whether the collector took the last export, for all three signals.
#[derive(Clone, Debug)]
struct Reach(Arc<AtomicBool>);

impl Reach {
    /// Tells of a change once, and of every failure to those who look closely.
    fn note(&self, what: &str, result: OTelSdkResult) -> OTelSdkResult {
        let was_taken = self.0.swap(result.is_ok(), Ordering::Relaxed);
        match &result {
            Ok(()) if !was_taken => tracing::info!("telemetry is sent again"),
            Ok(()) => {}
            Err(error) if was_taken => {
                tracing::warn!(%error, what, "telemetry is not taken by its collector and is dropped until it is");
            }
            Err(error) => tracing::debug!(%error, what, "telemetry was dropped"),
        }
        result
    }
}

/// An exporter that tells when it cannot export.
#[derive(Debug)]
struct Told<E>(E, Reach);

impl<E: trace::SpanExporter> trace::SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.1.note("spans", self.0.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl<E: logs::LogExporter> logs::LogExporter for Told<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.1.note("logs", self.0.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Told<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.1.note("metrics", self.0.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.0.temporality()
    }
}
