//! The spans of calls and of attempts, and how a call carries its context to the next process.
//!
//! There is a span only where one is sent: whether a trace is, is settled before its first span is made, so that the
//! requests of all others cost next to nothing. A trace begins at the gateway's ports or with what falls due; what is
//! behind them only goes on with one. A span says what was called and how it ended; it never has a value that a user gave.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
};

use futures::future::{Either, FutureExt as _};
use http::{HeaderMap, Request, Response};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::{Instrument as _, Level, Span, field::Empty, info_span, span_enabled};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::context::{self, TraceContext};

/// The target of all spans, by which they are told from whatever else a library may call a span.
pub(super) const TARGET: &str = "treenail::span";

/// How all services of the contract begin; health checks and reflection have no spans.
const CONTRACT: &str = "/treenail.";

/// Which part of the traces that begin here is sent, of [`u64::MAX`].
static SENT: AtomicU64 = AtomicU64::new(0);

/// Sets which part of the traces that begin here is sent, 0 to 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a part of all numbers; the conversion stays within them"
)]
pub(super) fn send_part(ratio: f64) {
    SENT.store((ratio * u64::MAX as f64) as u64, Ordering::Relaxed);
}

/// Whether a trace that begins now is sent.
fn is_sent() -> bool {
    let drawn = RandomIdGenerator::default().new_trace_id().to_bytes();
    let [.., a, b, c, d, e, f, g, h] = drawn;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) < SENT.load(Ordering::Relaxed)
}

/// Where a request belongs in a trace that is sent: below a caller's span, or at a trace's beginning; `None` for none.
fn place(headers: &HeaderMap) -> Option<opentelemetry::Context> {
    if !span_enabled!(target: TARGET, Level::INFO) {
        return None;
    }
    match context::extract(headers) {
        Some(parent) => Some(parent).filter(is_sampled),
        None => is_sent().then(opentelemetry::Context::new),
    }
}

/// The span of a request to the HTTP port, which continues the trace that the request belongs to, or begins one.
///
/// [`answered`] says how it ended.
#[must_use]
pub fn http_request(headers: &HeaderMap) -> Span {
    let Some(place) = place(headers) else {
        return Span::none();
    };
    let span = info_span!(
        target: TARGET,
        "request",
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "aws-api",
        rpc.method = Empty,
        aws.request_id = Empty,
        "error.type" = Empty,
        http.response.status_code = Empty,
    );
    adopt(&span, place);
    span
}

/// The span of a call to a public gRPC port that belongs to no trace yet: one may begin with it.
///
/// [`say_status`] says how it ended.
#[must_use]
pub fn grpc_request<B>(request: &Request<B>) -> Span {
    // A call that belongs to a trace has its span already, or is not to have one.
    if request.headers().contains_key(context::TRACEPARENT) {
        return Span::none();
    }
    place(request.headers()).map_or_else(Span::none, |place| grpc_call(request.uri().path(), place))
}

/// Names the operation that the current request is for.
pub fn name_request(operation: &str) {
    let span = Span::current();
    if !span.is_disabled() {
        // A span that has begun takes no name as a field.
        span.context().span().update_name(operation.to_owned());
        span.record("rpc.method", operation);
    }
}

/// Says how a request ended: the HTTP status, AWS's request id, and AWS's error where it was refused.
pub fn answered<B>(span: &Span, response: &Response<B>) {
    if span.is_disabled() {
        return;
    }
    let told = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    span.record("aws.request_id", told("x-amzn-requestid"));
    span.record("error.type", told("x-amzn-errortype"));
    // What a client did wrong is no error of ours (`OpenTelemetry semantic conventions: HTTP server spans`).
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// A span of what follows from an earlier request: its context is the parent.
#[must_use]
pub fn follow_up(name: &'static str, parent: Option<&TraceContext>) -> Span {
    let Some(parent) = parent.and_then(TraceContext::parse) else {
        return Span::none();
    };
    let span = info_span!(target: TARGET, "follow-up", otel.name = name, otel.kind = "internal");
    adopt(&span, parent);
    span
}

/// A span of what no request asked for, with which a trace begins.
#[must_use]
pub fn root(name: &'static str) -> Span {
    if !span_enabled!(target: TARGET, Level::INFO) || !is_sent() {
        return Span::none();
    }
    info_span!(target: TARGET, parent: None, "root", otel.name = name, otel.kind = "internal")
}

/// What the span of an attempt tells.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The job.
    pub job: &'a str,
    /// The job run.
    pub job_run_id: &'a str,
    /// Which attempt it is; 0 for the first.
    pub attempt: u32,
    /// The workflow; empty outside a workflow run.
    pub workflow: &'a str,
    /// The workflow run; empty outside a workflow run.
    pub workflow_run_id: &'a str,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
}

impl Attempt<'_> {
    /// The span of an attempt whose run belongs to a trace; no span when it does not.
    #[must_use]
    pub fn span(&self, parent: &TraceContext) -> Span {
        let Some(parent) = parent.parse() else {
            return Span::none();
        };
        let span = info_span!(
            target: TARGET,
            "attempt",
            otel.name = format!("job {}", self.job),
            otel.kind = "consumer",
            otel.status_code = Empty,
            treenail.job = self.job,
            treenail.job_run_id = self.job_run_id,
            // Signed, because OpenTelemetry has no other numbers.
            treenail.attempt = i64::from(self.attempt),
            treenail.workflow = Empty,
            treenail.workflow_run_id = Empty,
            treenail.outcome = Empty,
            cloud.account.id = self.account,
            cloud.region = self.region,
        );
        adopt(&span, parent);
        if !span.is_disabled() && !self.workflow_run_id.is_empty() {
            span.record("treenail.workflow", self.workflow);
            span.record("treenail.workflow_run_id", self.workflow_run_id);
        }
        span
    }
}

/// Says how an attempt ended: `succeeded`, `failed` or `cancelled`.
pub fn attempt_ended(span: &Span, outcome: &'static str) {
    if span.is_disabled() {
        return;
    }
    span.record("treenail.outcome", outcome);
    if outcome == "failed" {
        span.record("otel.status_code", "ERROR");
    }
}

/// Lets outgoing calls carry the context of the span that makes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PropagateLayer;

impl<S> Layer<S> for PropagateLayer {
    type Service = Propagate<S>;

    fn layer(&self, inner: S) -> Propagate<S> {
        Propagate { inner }
    }
}

/// A service whose calls carry the context of the span that makes them.
#[derive(Clone, Debug)]
pub(crate) struct Propagate<S> {
    inner: S,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Propagate<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> S::Future {
        context::inject(&Span::current(), request.headers_mut());
        self.inner.call(request)
    }
}

/// Gives every call that is answered a span, which continues the trace of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerLayer;

impl<S> Layer<S> for AnswerLayer {
    type Service = Answer<S>;

    fn layer(&self, inner: S) -> Answer<S> {
        Answer { inner }
    }
}

/// A service whose calls have spans.
#[derive(Clone, Debug)]
pub(crate) struct Answer<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Answer<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let parent = continued(request.headers());
        let Some(span) = parent.map(|parent| grpc_call(request.uri().path(), parent)) else {
            return Either::Left(self.inner.call(request));
        };
        let answer = span.in_scope(|| self.inner.call(request));
        let told = span.clone();
        let answer = answer.inspect(move |answer| match answer {
            Ok(response) => say_status(&told, response.headers()),
            Err(_) => {
                told.record("otel.status_code", "ERROR");
            }
        });
        Either::Right(Box::pin(answer.instrument(span)))
    }
}

/// The span that a call continues, if it is sent.
fn continued(headers: &HeaderMap) -> Option<opentelemetry::Context> {
    if !span_enabled!(target: TARGET, Level::INFO) {
        return None;
    }
    context::extract(headers).filter(is_sampled)
}

fn grpc_call(path: &str, place: opentelemetry::Context) -> Span {
    let Some((service, method)) = path
        .strip_prefix('/')
        .filter(|_| path.starts_with(CONTRACT))
        .and_then(|path| path.split_once('/'))
    else {
        return Span::none();
    };
    let span = info_span!(
        target: TARGET,
        "call",
        otel.name = &path[1..],
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
    );
    adopt(&span, place);
    span
}

/// Says how a call ended: one that failed says so in the head of its response, one that did well after its message.
pub fn say_status(span: &Span, head: &HeaderMap) {
    if span.is_disabled() {
        return;
    }
    let code = Status::from_header_map(head).map_or(Code::Ok, |status| status.code());
    span.record("rpc.grpc.status_code", code as i32);
    // The others are what a client did wrong (`OpenTelemetry semantic conventions: gRPC`).
    let is_ours = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    if is_ours {
        span.record("otel.status_code", "ERROR");
    }
}

fn is_sampled(context: &opentelemetry::Context) -> bool {
    context.span().span_context().is_sampled()
}

/// Puts a new span where it belongs.
fn adopt(span: &Span, parent: opentelemetry::Context) {
    // A span is new here, so it is refused a parent only where nothing is sent.
    let _not_sent = span.set_parent(parent);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_sent_no_span_is_made_and_no_call_carries_one() {
        let mut headers = HeaderMap::new();
        assert!(http_request(&headers).is_none());
        assert!(root("nothing").is_none());
        assert_eq!(TraceContext::current(), None);
        context::inject(&Span::current(), &mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn as_many_traces_begin_as_are_to_be_sent() {
        for (ratio, range) in [(0.0, 0..=0), (0.1, 50..=150), (1.0, 1_000..=1_000)] {
            send_part(ratio);
            let sent = (0..1_000).filter(|_| is_sent()).count();
            assert!(range.contains(&sent), "{sent} of 1,000 at {ratio}");
        }
    }
}
