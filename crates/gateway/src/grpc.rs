//! The public gRPC port: every operation of the contract, validated and routed; nothing internal.

use std::convert::Infallible;

use axum::{Router, response::IntoResponse};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use prost_reflect::DynamicMessage;
use tonic::{Status, body::Body, metadata::MetadataMap, service::Routes};
use tower::service_fn;
use tracing::Instrument as _;
use treenail_proto::contract::{self, Operation};
use treenail_rpc::{Caller, Fault, Reason, limits::GRPC_MESSAGE_BYTES_MAX, telemetry::spans};

use crate::{
    access::{Access, Record, Trail},
    backends::Backends,
    edge,
    limits::BODY_READ,
    origin::Guard,
    raw,
};

/// How many bytes stand before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The routes of the public port.
pub(crate) fn routes(backends: &Backends, guard: &Guard, access: &Access) -> Routes {
    let port = Port {
        backends: backends.clone(),
        guard: guard.clone(),
        access: access.clone(),
    };
    let service = service_fn(move |request: Request<axum::body::Body>| {
        let port = port.clone();
        async move { Ok::<_, Infallible>(port.answer(request).await.into_response()) }
    });
    let mut router = Router::new();
    for operation in contract::operations() {
        router = router.route_service(&operation.path, service.clone());
    }
    Routes::from(router)
}

/// The full names of the services that the public port shows.
pub(crate) fn services() -> Vec<&'static str> {
    let mut services: Vec<&str> = contract::operations()
        .iter()
        .map(|operation| operation.service.as_str())
        .collect();
    services.dedup();
    services
}

/// What the gRPC port works with.
#[derive(Debug, Clone)]
struct Port {
    backends: Backends,
    guard: Guard,
    access: Access,
}

impl Port {
    async fn answer(&self, request: Request<axum::body::Body>) -> Response<Body> {
        let span = spans::grpc_request(&request);
        let response = self.respond(request).instrument(span.clone()).await;
        spans::say_status(&span, response.headers());
        response
    }

    async fn respond(&self, request: Request<axum::body::Body>) -> Response<Body> {
        let admitted = self.guard.admits(request.uri(), request.headers());
        let Some(operation) = contract::by_path(request.uri().path()).filter(|_| admitted) else {
            return Status::permission_denied("this host or origin is not let in").into_http();
        };
        let trail = Trail {
            operation: Some(operation),
            ..Trail::of(request.extensions())
        };
        // gRPC has no request ids.
        let mut record = Record::of(&self.access, "", trail);
        let answer = self.route(operation, request, &mut record.trail).await;
        let refused = answer.as_ref().err().map(|status| Fault::from_status(status).reason);
        record.ended(refused.map(Reason::as_str));
        answer.unwrap_or_else(Status::into_http)
    }

    async fn route(
        &self,
        operation: &'static Operation,
        request: Request<axum::body::Body>,
        trail: &mut Trail,
    ) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let metadata = MetadataMap::from_headers(parts.headers);
        let visit = self.access.grpc(&metadata, &parts.extensions)?;
        let body = Limited::new(body, GRPC_MESSAGE_BYTES_MAX + PREFIX_BYTES).collect();
        let body = tokio::time::timeout(BODY_READ, body)
            .await
            .map_err(|_| Status::deadline_exceeded("the request did not arrive"))?;
        let body = body
            .map_err(|_| Status::resource_exhausted("the request is larger than 4 MiB"))?
            .to_bytes();
        let message = DynamicMessage::decode(operation.input.clone(), message_of(&body)?)
            .map_err(|error| Fault::new(Reason::SerializationException, error.to_string()))?;
        let caller = trail.check(visit, operation, &message)?;
        edge::check(&message, &[])?;
        if operation.is_server_streaming {
            return stream(&self.backends, operation, &caller, &message).await;
        }
        let answer = edge::call(&self.backends, operation, &caller, &message).await?;
        let mut framed = BytesMut::with_capacity(PREFIX_BYTES + answer.len());
        framed.put_u8(0);
        framed.put_u32(u32::try_from(answer.len()).map_err(|_| Status::internal("the answer is too large"))?);
        framed.extend_from_slice(&answer);
        let body = http_body_util::Full::new(framed.freeze()).with_trailers(async { Some(Ok(ok_trailers())) });
        Ok(grpc_response(Body::new(body)))
    }
}

/// Passes a stream of answers on as it comes.
async fn stream(
    backends: &Backends,
    operation: &'static Operation,
    caller: &Caller,
    message: &DynamicMessage,
) -> Result<Response<Body>, Status> {
    let channel = backends.get(operation.backend).ok_or_else(Fault::internal)?;
    let request = caller.request(Bytes::from(prost::Message::encode_to_vec(message)));
    let answers = raw::server_streaming(channel, &operation.path, request)
        .await?
        .into_inner();
    Ok(grpc_response(raw::stream_body(answers)))
}

fn grpc_response(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/grpc"),
    );
    response
}

fn ok_trailers() -> http::HeaderMap {
    http::HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        http::HeaderValue::from_static("0"),
    )])
}

/// The one message of a request's body.
fn message_of(body: &Bytes) -> Result<Bytes, Status> {
    let invalid = || Status::invalid_argument("a request is one message that is not compressed");
    let (prefix, message) = body.split_first_chunk::<PREFIX_BYTES>().ok_or_else(invalid)?;
    let [compressed, length @ ..] = *prefix;
    let is_whole = u32::from_be_bytes(length) as usize == message.len();
    if compressed == 0 && is_whole {
        Ok(body.slice(PREFIX_BYTES..))
    } else {
        Err(invalid())
    }
}
