//! Answers in AWS's shape.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use treenail_rpc::{Fault, Reason};

/// The body of every response.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// An answer before it has its headers.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    body: Vec<u8>,
    reason: Option<Reason>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            reason: None,
        }
    }

    /// An error (`AWS JSON 1.1 protocol: __type`).
    pub(crate) fn fault(fault: Fault) -> Self {
        let Fault { reason, message } = fault;
        // The framework's own errors spell the member small; those of the service's model spell it large.
        let member = match reason {
            Reason::ValidationException | Reason::SerializationException => "message",
            _ => "Message",
        };
        let message = serde_json::Value::from(message);
        let body = format!("{{\"__type\":\"{}\",\"{member}\":{message}}}", reason.as_str()).into_bytes();
        Self {
            status: reason.http_status(),
            body,
            reason: Some(reason),
        }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn into_response(self, request_id: &impl ToString) -> Response<ResponseBody> {
        let mut response = Response::new(
            Full::new(Bytes::from(self.body))
                .map_err(|never| match never {})
                .boxed_unsync(),
        );
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Ok(request_id) = HeaderValue::try_from(request_id.to_string()) {
            headers.insert("x-amzn-requestid", request_id);
        }
        if let Some(reason) = self.reason {
            headers.insert("x-amzn-errortype", HeaderValue::from_static(reason.as_str()));
        }
        response
    }
}
