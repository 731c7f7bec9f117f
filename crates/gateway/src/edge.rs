//! A call's way through the gateway, whichever port it came to: validate, route, answer.

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use tonic::Request;
use treenail_aws_json::UnknownEnum;
use treenail_proto::{
    contract::Operation,
    validate::{self, Violation},
};
use treenail_rpc::{Caller, Fault, Reason};

use crate::{backends::Backends, raw};

/// Refuses a request that does not fulfil the contract, with all that is wrong with it
/// (`Glue API: ValidationException`).
pub(crate) fn check(message: &DynamicMessage, unknown_enums: &[UnknownEnum]) -> Result<(), Fault> {
    let mut violations = validate::violations(message);
    for unknown in unknown_enums {
        // Its member was left out of the message, so it may seem to be missing.
        violations.retain(|violation| violation.path() != unknown.path);
        let allowed = unknown.allowed.iter().map(String::as_str);
        violations.push(Violation::unknown_value(unknown.path.clone(), &unknown.value, allowed));
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Fault::new(Reason::ValidationException, validate::message(&violations)))
    }
}

/// Calls the service behind an operation.
pub(crate) async fn call(
    backends: &Backends,
    operation: &'static Operation,
    caller: &Caller,
    message: &DynamicMessage,
) -> Result<Bytes, Fault> {
    let channel = backends.get(operation.backend).ok_or_else(Fault::internal)?;
    let mut request = Request::new(Bytes::from(message.encode_to_vec()));
    caller.attach(request.metadata_mut());
    let answer = raw::unary(channel, &operation.path, request).await;
    Ok(answer.map_err(|status| Fault::from_status(&status))?.into_inner())
}
