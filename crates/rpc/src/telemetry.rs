//! What a process tells of itself: its log on standard error, and traces, metrics and logs over OTLP where it is told to.
//!
//! Start reading at [`init`], then `spans` for what is traced and `otlp` for how it leaves.

mod context;
pub(crate) mod meter;
mod otlp;
pub mod spans;

use std::io::{self, IsTerminal as _};

pub use context::TraceContext;
use opentelemetry::{metrics::MeterProvider as _, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
pub use otlp::{Otlp, Unusable};
use tracing::{Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt as _, ParseError, filter_fn},
    fmt,
    layer::{Filter, SubscriberExt as _},
    registry,
    registry::LookupSpan,
    util::{SubscriberInitExt as _, TryInitError},
};

/// What instruments and spans are said to be made by.
const SCOPE: &str = "treenail";
/// The families of crates that sending works with: what they log while they send would be sent, and logged.
const SENDERS: [&str; 9] = [
    "h2",
    "hyper",
    "metrics",
    "opentelemetry",
    "rustls",
    "tokio",
    "tonic",
    "tower",
    "want",
];

/// For whom the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people, coloured on a terminal.
    #[default]
    Human,
    /// A JSON object for machines.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not one.
    #[error("the log filter {filter:?} is not valid")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Again(#[from] TryInitError),
    /// Telemetry cannot be sent as it was asked for.
    #[error("telemetry cannot be sent to {endpoint}")]
    Otlp {
        /// Where it was to be sent.
        endpoint: String,
        /// What is wrong with it.
        source: Box<Unusable>,
    },
    /// Metrics were gathered before.
    #[error("metrics are gathered already")]
    Metrics,
}

/// What was set up, until the process ends.
#[derive(Debug)]
#[must_use = "what is left is sent when it is told to end"]
pub struct Telemetry(Option<otlp::Pipelines>);

impl Telemetry {
    /// Sends what is left, for a few seconds at the most.
    pub async fn end(self) {
        if let Some(pipelines) = self.0 {
            pipelines.end().await;
        }
    }
}

/// Sends the process's log to standard error, and traces, metrics and logs over OTLP where it is told to.
///
/// The filter is in the form of `RUST_LOG`: `info,treenail_run_scheduler=debug`; it holds for the log wherever it goes.
/// Call it within a tokio runtime.
///
/// # Errors
/// When the filter or the endpoint is not valid, or when it was set up before.
pub fn init(format: LogFormat, filter: &str, otlp: Option<&Otlp>) -> Result<Telemetry, Error> {
    let lines = match format {
        LogFormat::Human => fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .boxed(),
        LogFormat::Json => fmt::layer().with_writer(io::stderr).json().flatten_event(true).boxed(),
    };
    let lines = lines.with_filter(events(filter)?);
    let Some(otlp) = otlp else {
        registry().with(lines).try_init()?;
        return Ok(Telemetry(None));
    };
    let pipelines = otlp.start().map_err(|source| Error::Otlp {
        endpoint: otlp.endpoint.to_string(),
        source: Box::new(source),
    })?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(pipelines.tracer.tracer(SCOPE))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_span).with_max_level_hint(LevelFilter::INFO));
    let logs = OpenTelemetryTracingBridge::new(&pipelines.logger)
        .with_filter(events(filter)?.and(filter_fn(is_ours).with_max_level_hint(LevelFilter::TRACE)));
    registry().with(lines).with(spans).with(logs).try_init()?;
    spans::send_part(otlp.ratio);
    meter::install(pipelines.meter.meter(SCOPE)).map_err(|_| Error::Metrics)?;
    Ok(Telemetry(Some(pipelines)))
}

/// The events that the log's filter lets through. Spans are no lines of a log, and where nothing else wants them, making
/// one costs a look at a flag.
fn events<S: Subscriber + for<'a> LookupSpan<'a>>(
    filter: &str,
) -> Result<impl Filter<S> + Send + Sync + use<S>, Error> {
    let parsed = EnvFilter::builder().parse(filter).map_err(|source| Error::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    Ok(parsed.and(filter_fn(is_event).with_max_level_hint(LevelFilter::TRACE)))
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

fn is_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == spans::TARGET
}

/// Whether an event is not of what sends it, or could be.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    // `opentelemetry-otlp` and `opentelemetry_sdk` are of one family.
    let family = crate_name.split(['-', '_']).next().unwrap_or_default();
    !SENDERS.contains(&family)
}

#[cfg(test)]
mod tests {
    use super::{Error, LogFormat, init};

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let refusal = init(LogFormat::Human, "treenail=loudly", None).unwrap_err();
        assert!(matches!(refusal, Error::Filter { filter, .. } if filter == "treenail=loudly"));
    }

    #[test]
    fn logging_is_set_up_once() {
        let _telemetry = init(LogFormat::Json, "warn,treenail_rpc=debug", None).unwrap();
        assert!(matches!(init(LogFormat::Human, "info", None), Err(Error::Again(_))));
    }
}
