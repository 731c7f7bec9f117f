//! `POST /_treenail/workflows/{name}/events`: takes events in EventBridge's shape, one or a list.

use http::Request;
use hyper::body::Incoming;
use prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _};
use serde_json::Value;
use treenail_proto::{
    contract::{self, Operation},
    ops::v1::{EventPayload, NotifyEventRequest, NotifyEventResponse},
};
use treenail_rpc::{Caller, Fault, Reason, telemetry::spans::name_request};

use super::{Answer, Edge, body, single};
use crate::{
    access::{Record, Trail},
    edge,
    limits::EVENTS_MAX,
};

/// The operation that takes one event.
const NOTIFY_EVENT: &str = "/treenail.ops.v1.EventService/NotifyEvent";

/// The workflow that a path names.
pub(super) fn workflow_of(path: &str) -> Option<String> {
    let name = path.strip_prefix("/_treenail/workflows/")?.strip_suffix("/events")?;
    if name.contains('/') {
        None
    } else {
        percent_decoded(name)
    }
}

pub(super) async fn answer(edge: &Edge, workflow: &str, request: Request<Incoming>, request_id: &str) -> Answer {
    let mut record = Record::of(&edge.access, request_id, Trail::of(request.extensions()));
    let answer = notify(edge, workflow, request, &mut record.trail).await;
    record.ended(answer.as_ref().err().map(|fault| fault.reason.as_str()));
    match answer {
        Ok(run_ids) => Answer::json(200, serde_json::json!({ "RunIds": run_ids }).to_string().into_bytes()),
        Err(fault) => Answer::fault(fault),
    }
}

async fn notify(
    gateway: &Edge,
    workflow: &str,
    request: Request<Incoming>,
    trail: &mut Trail,
) -> Result<Vec<String>, Fault> {
    let (parts, incoming) = request.into_parts();
    let operation = contract::by_path(NOTIFY_EVENT).ok_or_else(Fault::internal)?;
    trail.operation = Some(operation);
    name_request(&operation.method);
    // A form of a web page cannot be of this type: such a request was meant.
    let content_type = single(&parts.headers, "content-type")?.unwrap_or_default();
    if !content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/json")
    {
        return Err(Fault::new(
            Reason::SerializationException,
            "The Content-Type must be application/json",
        ));
    }
    let body = body::read(&parts.headers, incoming).await?;
    let mut visit = Some(gateway.access.http(&parts, &body)?);
    let not_json = |error: serde_json::Error| Fault::new(Reason::SerializationException, error.to_string());
    let events = match serde_json::from_slice(&body).map_err(not_json)? {
        Value::Array(events) => events,
        event => vec![event],
    };
    if events.is_empty() || events.len() > EVENTS_MAX {
        return Err(Fault::new(
            Reason::InvalidInputException,
            format!("A request brings 1 to {EVENTS_MAX} events"),
        ));
    }
    let requests = events
        .iter()
        .map(|event| to_request(workflow, event))
        .collect::<Result<Vec<_>, _>>()?;
    let mut caller = Caller::default();
    let mut run_ids = Vec::new();
    for request in requests {
        let message = to_message(operation, &request)?;
        // All of a request's events are for one workflow.
        if let Some(visit) = visit.take() {
            caller = trail.check(visit, operation, &message)?;
        }
        run_ids.extend(send(gateway, operation, &caller, &message).await?.run_id);
    }
    Ok(run_ids)
}

fn to_request(workflow: &str, event: &Value) -> Result<NotifyEventRequest, Fault> {
    let missing = || Fault::new(Reason::InvalidInputException, "An event is an object with an id");
    let id = event.get("id").and_then(Value::as_str).ok_or_else(missing)?;
    Ok(NotifyEventRequest {
        workflow_name: Some(workflow.to_owned()),
        event_payload: Some(EventPayload {
            event_id: Some(id.to_owned()),
            event_body: Some(event.to_string()),
        }),
    })
}

fn to_message(operation: &Operation, request: &NotifyEventRequest) -> Result<DynamicMessage, Fault> {
    let message = DynamicMessage::decode(operation.input.clone(), request.encode_to_vec().as_slice());
    let message = message.map_err(|_| Fault::internal())?;
    debug_assert_eq!(message.descriptor(), operation.input, "decoded as such");
    Ok(message)
}

async fn send(
    gateway: &Edge,
    operation: &'static Operation,
    caller: &Caller,
    message: &DynamicMessage,
) -> Result<NotifyEventResponse, Fault> {
    edge::check(message, &[])?;
    let answer = edge::call(&gateway.backends, operation, caller, message).await?;
    NotifyEventResponse::decode(answer).map_err(|_| Fault::internal())
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_workflow() {
        let rows = [
            ("/_treenail/workflows/nightly/events", Some("nightly")),
            ("/_treenail/workflows/my%20flow/events", Some("my flow")),
            ("/_treenail/workflows/a%2Fb/events", Some("a/b")),
            ("/_treenail/workflows/a/b/events", None),
            ("/_treenail/workflows/%zz/events", None),
            ("/_treenail/workflows/%2/events", None),
            ("/_treenail/workflows/%ff/events", None),
            ("/_treenail/workflows/x", None),
        ];
        for (path, workflow) in rows {
            assert_eq!(workflow_of(path).as_deref(), workflow, "{path}");
        }
    }
}
