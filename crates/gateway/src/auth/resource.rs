//! What an operation is called in a policy, and the entity that a request names there.

use prost_reflect::{DynamicMessage, Value};
use treenail_proto::contract::Operation;
use treenail_rpc::Scope;

/// The action: AWS's for its operations, ours for what AWS has not.
pub(crate) fn action(operation: &Operation) -> String {
    let service = if operation.service.starts_with("treenail.glue.") {
        "glue"
    } else {
        "treenail"
    };
    format!("{service}:{}", operation.method)
}

/// The ARN of what a request names: a workflow, job or trigger; all of the account's where it names none
/// (`AWS Glue: resource ARNs`).
pub(crate) fn of(operation: &Operation, message: &DynamicMessage, scope: &Scope) -> String {
    let Scope { account, region } = scope;
    let text = |field: &str| match message.get_field_by_name(field).as_deref() {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    if let Some(arn) = text("resource_arn") {
        return arn;
    }
    let service = operation.service.rsplit('.').next().unwrap_or_default();
    let named = match service {
        "WorkflowService" | "WorkflowRunService" | "EventService" | "HistoryService" | "WatchService" => {
            text("workflow_name")
                .or_else(|| text("name"))
                .map(|name| ("workflow", name))
        }
        "TriggerService" => text("name").map(|name| ("trigger", name)),
        "JobService" | "JobRunService" => text("job_name").or_else(|| text("name")).map(|name| ("job", name)),
        _ => None,
    };
    match named {
        Some((kind, name)) => format!("arn:aws:glue:{region}:{account}:{kind}/{name}"),
        None => format!("arn:aws:glue:{region}:{account}:*"),
    }
}
