//! The HTTP port: AWS JSON 1.1 at `POST /`, S3, health, and events.

mod answer;
mod body;
pub(crate) mod caller;
mod events;
mod json;

use std::sync::Arc;

use answer::Answer;
use http::{Method, Request, Response, header};
use hyper::body::Incoming;
use tracing::{Instrument as _, Span};
use treenail_aws_json::Schema;
use treenail_rpc::{Entropy, Fault, Reason, telemetry::spans};

use crate::{
    access::{Access, Record, S3Trail},
    auth::{S3Note, S3Notes},
    backends::Backends,
    origin::Guard,
    s3::S3,
};

pub(crate) use answer::ResponseBody;

/// What the HTTP port works with.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) backends: Backends,
    pub(crate) schema: Arc<Schema>,
    pub(crate) entropy: Entropy,
    pub(crate) guard: Guard,
    pub(crate) s3: Option<S3>,
    pub(crate) access: Access,
}

impl Edge {
    /// Answers a request, within the trace that it belongs to.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        // Probes come every few seconds and tell nothing.
        let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
        let span = if is_probe {
            Span::none()
        } else {
            spans::http_request(request.headers())
        };
        let response = self.respond(request).instrument(span.clone()).await;
        spans::answered(&span, &response);
        response
    }

    /// Every answer but S3's is JSON.
    async fn respond(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let request_id = self.entropy.uuid();
        if !self.guard.admits(request.uri(), request.headers()) {
            let refused =
                "This Host or Origin is not let in: the server listens on loopback for programs of this machine";
            return Answer::fault(Fault::new(Reason::AccessDeniedException, refused)).into_response(&request_id);
        }
        if S3::is_s3(request.uri(), request.headers()) {
            spans::name_request("S3");
            return match &self.s3 {
                Some(s3) => self.serve_s3(s3, request, &request_id.to_string()).await,
                None => Answer::fault(unknown("S3 is answered by another endpoint")).into_response(&request_id),
            };
        }
        self.route(request, &request_id.to_string())
            .await
            .into_response(&request_id)
    }

    async fn serve_s3(&self, s3: &S3, mut request: Request<Incoming>, request_id: &str) -> Response<ResponseBody> {
        let notes = S3Notes::default();
        let bare = S3Note {
            action: format!("s3:{}", request.method()),
            resource: format!("arn:aws:s3:::{}", request.uri().path().trim_start_matches('/')),
            arn: None,
            access_key: None,
            account: None,
        };
        request.extensions_mut().insert(S3Notes::clone(&notes));
        let peer = request.extensions().get().copied();
        let record = Record::of(&self.access, request_id, S3Trail { bare, notes, peer });
        let response = s3.serve(request).await;
        let status = response.status();
        record.ended((!status.is_success()).then(|| status.as_str()));
        response
    }

    async fn route(&self, request: Request<Incoming>, request_id: &str) -> Answer {
        let path = request.uri().path().to_owned();
        match (request.method(), path.as_str()) {
            (&Method::POST, "/") => json::answer(self, request, request_id).await,
            (&Method::GET, "/healthz") => Answer::json(200, br#"{"status":"ok"}"#.to_vec()),
            (&Method::GET, "/readyz") => self.readiness().await,
            (&Method::POST, path) => match events::workflow_of(path) {
                Some(workflow) => events::answer(self, &workflow, request, request_id).await,
                None => Answer::fault(unknown("There is nothing at this path")).with_status(404),
            },
            _ => Answer::fault(unknown("There is nothing at this path")).with_status(404),
        }
    }

    async fn readiness(&self) -> Answer {
        if self.backends.are_ready().await {
            Answer::json(200, br#"{"status":"ready"}"#.to_vec())
        } else {
            Answer::json(503, br#"{"status":"not ready"}"#.to_vec())
        }
    }
}

/// What a request for something that we do not have is answered with (`AWS common errors: UnknownOperationException`).
pub(crate) fn unknown(message: &str) -> Fault {
    Fault::new(Reason::UnknownOperationException, message)
}

/// The one value of a header; an error when it has several.
pub(crate) fn single<'r>(headers: &'r header::HeaderMap, name: &'static str) -> Result<Option<&'r str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let invalid = || {
        Fault::new(
            Reason::InvalidInputException,
            format!("The header {name} must be one visible text"),
        )
    };
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| invalid()),
        (Some(_), Some(_)) => Err(invalid()),
    }
}
