//! The W3C trace context: what ties the spans of processes together, in headers, in rows and in a job's environment.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header of the trace, the calling span, and whether it is sampled (`W3C Trace Context: traceparent`).
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header of what vendors add (`W3C Trace Context: tracestate`).
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The longest `tracestate` that is passed on, in bytes: what every vendor must be able to pass on.
const TRACESTATE_BYTES_MAX: usize = 512;

/// The context of a sampled span, for whatever belongs to its trace and happens later or elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// `00-<trace>-<span>-01`.
    pub traceparent: String,
    /// What vendors add; empty when there is nothing.
    pub tracestate: String,
}

impl TraceContext {
    /// The context of the current span; none when there is none, or when it is not sampled.
    #[must_use]
    pub fn current() -> Option<TraceContext> {
        TraceContext::of(&Span::current())
    }

    /// The context of a span; none when the span is not sampled.
    #[must_use]
    pub fn of(span: &Span) -> Option<TraceContext> {
        if span.is_disabled() {
            return None;
        }
        let context = span.context();
        let span = context.span();
        let span = span.span_context();
        (span.is_valid() && span.is_sampled()).then(|| TraceContext {
            traceparent: to_text(span),
            tracestate: span.trace_state().header(),
        })
    }

    /// The context as spans are told of it; none when its texts are not in their form.
    pub(super) fn parse(&self) -> Option<Context> {
        from_text(&self.traceparent, Some(&self.tracestate))
    }
}

/// The context that a request carries; none when it carries none in the form that it must have.
pub(super) fn extract(headers: &HeaderMap) -> Option<Context> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let (Some(parent), None) = (parents.next(), parents.next()) else {
        return None;
    };
    let state = headers.get(TRACESTATE).and_then(|state| state.to_str().ok());
    from_text(parent.to_str().ok()?, state)
}

/// Lets a request carry a span's context, in place of whatever it carries.
pub(super) fn inject(span: &Span, headers: &mut HeaderMap) {
    if span.is_disabled() {
        return;
    }
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    if !span.is_valid() {
        return;
    }
    if let Ok(parent) = HeaderValue::try_from(to_text(span)) {
        headers.insert(TRACEPARENT, parent);
    }
    let state = span.trace_state().header();
    match HeaderValue::try_from(state) {
        Ok(state) if !state.is_empty() => {
            headers.insert(TRACESTATE, state);
        }
        Ok(_) | Err(_) => {
            headers.remove(TRACESTATE);
        }
    }
}

fn to_text(span: &SpanContext) -> String {
    let (trace, id, flags) = (
        span.trace_id(),
        span.span_id(),
        span.trace_flags() & TraceFlags::SAMPLED,
    );
    format!("00-{trace}-{id}-{flags:02x}")
}

/// Reads `00-<32 digits>-<16 digits>-<2 digits>`; a later version may say more after it.
fn from_text(traceparent: &str, tracestate: Option<&str>) -> Option<Context> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = [version.len(), trace.len(), span.len(), flags.len()];
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let has_form = lengths == [2, 32, 16, 2] && [version, trace, span, flags].into_iter().all(is_hex);
    if !has_form || version == "ff" || version == "00" && parts.next().is_some() {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let state = tracestate
        .filter(|state| state.len() <= TRACESTATE_BYTES_MAX)
        .and_then(|state| state.parse::<TraceState>().ok())
        .unwrap_or_default();
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let span = SpanContext::new(trace, span, flags, true, state);
    span.is_valid().then(|| Context::new().with_remote_span_context(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_what_has_the_form_of_a_traceparent_is_continued() {
        let rows = [
            (PARENT, true),
            (" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00 ", true),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false),
            ("", false),
        ];
        for (text, is_continued) in rows {
            assert_eq!(from_text(text, None).is_some(), is_continued, "{text}");
        }
    }

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let context = from_text(PARENT, Some("vendor=value")).unwrap();
        let span = context.span();
        assert_eq!(to_text(span.span_context()), PARENT);
        assert_eq!(span.span_context().trace_state().header(), "vendor=value");
    }

    #[test]
    fn a_tracestate_that_is_too_long_or_garbled_is_left_behind() {
        for state in [format!("vendor={}", "x".repeat(600)), "no pairs".to_owned()] {
            let context = from_text(PARENT, Some(&state)).unwrap();
            assert_eq!(context.span().span_context().trace_state().header(), "", "{state}");
        }
    }

    #[test]
    fn a_request_with_two_traceparents_carries_none() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static(PARENT));
        assert!(extract(&headers).is_some());
        headers.append(TRACEPARENT, HeaderValue::from_static(PARENT));
        assert!(extract(&headers).is_none());
    }
}
