//! What only operators ask a process: whether it lives, whether it is ready, and its metrics.
//!
//! It has a port of its own, so that nothing of it is ever in reach of those who use the API. Beyond loopback the metrics take
//! a token; that a process lives and is ready is told to everybody, since probes have none.

use std::{convert::Infallible, future::Future, sync::Arc};

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet, time::Duration};

use crate::{
    guard::{self, Tokens},
    telemetry::meter,
};

/// How many connections are served at once; a scraper and a few probes need less.
const CONNECTIONS_MAX: usize = 32;
/// How long a request's head may take.
const HEADER_READ: Duration = Duration::from_secs(5);
/// How often what a histogram has gathered is put in its buckets, so that nobody scraping costs no memory.
const UPKEEP: Duration = Duration::from_secs(5);
/// The bounds of all durations, in seconds: from a commit to a slow call.
pub(crate) const SECONDS: [f64; 14] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// The bounds of all counts of things that share a batch.
pub(crate) const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The metrics of this process; without them, recording one costs a look at an empty place.
#[derive(Clone)]
pub struct Metrics {
    gathered: PrometheusHandle,
    /// Who is told; everybody where there are none.
    tokens: Option<Tokens>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Begins to gather the metrics of this process, for the holders of a token or, without any, for everybody.
    ///
    /// # Errors
    /// When they are gathered already.
    pub fn install(tokens: Option<Tokens>) -> Result<Metrics, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?
            .build_recorder();
        let gathered = recorder.handle();
        // Where metrics are sent over OTLP as well, there is a recorder already, and this one joins it.
        if let Err(recorder) = meter::join(recorder) {
            metrics::set_global_recorder(*recorder)?;
        }
        Ok(Metrics { gathered, tokens })
    }

    /// Whether whoever sent these headers is told.
    fn is_for(&self, headers: &HeaderMap) -> bool {
        self.tokens.as_ref().is_none_or(|tokens| guard::says(headers, tokens))
    }

    /// All metrics, in the text form of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.gathered.render()
    }
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown` completes.
///
/// `is_ready` says whether the process does what it is for.
pub async fn serve<R>(
    listener: TcpListener,
    metrics: Metrics,
    is_ready: impl Fn() -> R + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
) where
    R: Future<Output = bool> + Send,
{
    let is_ready = Arc::new(is_ready);
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut upkeep = tokio::time::interval(UPKEEP);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            _ = upkeep.tick() => {
                metrics.gathered.run_upkeep();
                continue;
            }
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _peer)) = accepted else {
            // Out of descriptors, as it goes: whoever asked asks again.
            tokio::time::sleep(HEADER_READ / 10).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            continue;
        };
        let (metrics, is_ready) = (metrics.clone(), Arc::clone(&is_ready));
        connections.spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let (metrics, is_ready) = (metrics.clone(), Arc::clone(&is_ready));
                async move { Ok::<_, Infallible>(answer(&request, &metrics, &*is_ready).await) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_READ)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection to the admin port failed");
            }
        });
    }
}

async fn answer<R>(request: &Request<Incoming>, metrics: &Metrics, is_ready: &impl Fn() -> R) -> Response<Full<Bytes>>
where
    R: Future<Output = bool>,
{
    let json = "application/json";
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => text(StatusCode::OK, json, r#"{"status":"ok"}"#),
        (&Method::GET, "/readyz") if is_ready().await => text(StatusCode::OK, json, r#"{"status":"ready"}"#),
        (&Method::GET, "/readyz") => text(StatusCode::SERVICE_UNAVAILABLE, json, r#"{"status":"not ready"}"#),
        (&Method::GET, "/metrics") if !metrics.is_for(request.headers()) => {
            text(StatusCode::UNAUTHORIZED, json, r#"{"status":"this takes a token"}"#)
        }
        (&Method::GET, "/metrics") => text(StatusCode::OK, "text/plain; version=0.0.4", metrics.render()),
        _ => text(StatusCode::NOT_FOUND, json, r#"{"status":"there is nothing here"}"#),
    }
}

fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
