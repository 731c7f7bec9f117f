//! `POST /`: AWS JSON 1.1.

use http::Request;
use hyper::body::Incoming;
use metrics::{counter, histogram};
use tokio::time::Instant;
use treenail_aws_json::Limits;
use treenail_proto::contract::{self, Operation};
use treenail_rpc::{Fault, Reason, telemetry::spans::name_request};

use super::{Answer, Edge, body, single, unknown};
use crate::{
    access::{Record, Trail},
    edge,
};

/// The content types that are AWS JSON.
const CONTENT_TYPES: [&str; 3] = [
    "application/x-amz-json-1.1",
    "application/x-amz-json-1.0",
    "application/json",
];

pub(super) async fn answer(edge: &Edge, request: Request<Incoming>, request_id: &str) -> Answer {
    let began = Instant::now();
    let mut record = Record::of(&edge.access, request_id, Trail::of(request.extensions()));
    let answer = call(edge, request, &mut record.trail).await;
    // What is unknown has one name: strangers must not be able to make metrics.
    let name = record
        .trail
        .operation
        .map_or("unknown", |operation| operation.method.as_str());
    let code = answer.as_ref().map_or_else(|fault| fault.reason.as_str(), |_| "OK");
    counter!("treenail_api_requests_total", "operation" => name, "code" => code).increment(1);
    histogram!("treenail_api_request_seconds", "operation" => name).record(began.elapsed());
    record.ended(answer.as_ref().err().map(|fault| fault.reason.as_str()));
    match answer {
        Ok(body) => Answer::json(200, body),
        Err(fault) => Answer::fault(fault),
    }
}

async fn call(edge: &Edge, request: Request<Incoming>, trail: &mut Trail) -> Result<Vec<u8>, Fault> {
    let (parts, incoming) = request.into_parts();
    let operation = operation(single(&parts.headers, "x-amz-target")?)?;
    trail.operation = Some(operation);
    name_request(&operation.method);
    let content_type = single(&parts.headers, "content-type")?.unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !CONTENT_TYPES.iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
        return Err(Fault::new(
            Reason::SerializationException,
            "The Content-Type must be application/x-amz-json-1.1",
        ));
    }
    let body = body::read(&parts.headers, incoming).await?;
    let visit = edge.access.http(&parts, &body)?;
    let decoded = edge
        .schema
        .decode(&operation.input, &body, &Limits::default())
        .map_err(|error| Fault::new(Reason::SerializationException, error.to_string()))?;
    let caller = trail.check(visit, operation, &decoded.message)?;
    edge::check(&decoded.message, &decoded.unknown_enums)?;
    let answer = edge::call(&edge.backends, operation, &caller, &decoded.message).await?;
    let mut json = Vec::with_capacity(answer.len() * 2);
    edge.schema
        .encode(&operation.output, &answer, &mut json)
        .map_err(|error| {
            tracing::error!(%error, operation = operation.path, "an answer of a service could not be read");
            Fault::internal()
        })?;
    Ok(json)
}

fn operation(target: Option<&str>) -> Result<&'static Operation, Fault> {
    let target = target.ok_or_else(|| unknown("The header X-Amz-Target names no operation"))?;
    contract::by_target(target).ok_or_else(|| {
        unknown(
            "This operation is unknown, or AWS has it and Treenail has not: docs/compatibility.md lists those it has",
        )
    })
}
