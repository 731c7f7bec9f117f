//! What the proto files say about AWS, read once into plain values: the operations, and the rules of fields.

use std::{collections::BTreeMap, sync::LazyLock};

use prost::Message;
use prost_reflect::{
    DynamicMessage, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor, Value,
};

use crate::{
    aws::v1::{Backend, FieldRules, Operation as OperationOption, ValueRules, WireCase},
    descriptors,
};

/// One RPC that callers can reach through the gateway.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The `X-Amz-Target` that names it in AWS JSON (`AWSGlue.StartWorkflowRun`); none where only gRPC reaches it.
    pub target: Option<String>,
    /// The full name of its service (`treenail.glue.v1.WorkflowRunService`).
    pub service: String,
    /// The RPC's name, which is the AWS operation's (`StartWorkflowRun`).
    pub method: String,
    /// The path of its gRPC requests (`/treenail.glue.v1.WorkflowRunService/StartWorkflowRun`).
    pub path: String,
    /// The service behind the gateway that serves it; never [`Backend::Unspecified`].
    pub backend: Backend,
    /// What a request holds.
    pub input: MessageDescriptor,
    /// What an answer holds.
    pub output: MessageDescriptor,
    /// Whether the caller sends a stream of requests.
    pub is_client_streaming: bool,
    /// Whether the server sends a stream of answers.
    pub is_server_streaming: bool,
}

/// All that is known of the operations, in the forms in which it is asked for.
struct Contract {
    operations: Vec<Operation>,
    by_target: BTreeMap<String, usize>,
    by_path: BTreeMap<String, usize>,
}

/// Gets every operation that the gateway routes, ordered by path.
///
/// Services without a backend (`treenail.internal.v1`, `treenail.worker.v1`) are not among them.
pub fn operations() -> &'static [Operation] {
    &contract().operations
}

/// Finds the operation that an `X-Amz-Target` names; the spelling has to be exact.
pub fn by_target(target: &str) -> Option<&'static Operation> {
    let contract = contract();
    contract.by_target.get(target).map(|&index| &contract.operations[index])
}

/// Finds the operation that a gRPC request's path names.
pub fn by_path(path: &str) -> Option<&'static Operation> {
    let contract = contract();
    contract.by_path.get(path).map(|&index| &contract.operations[index])
}

/// Gets a field's rules; those of a field that has none constrain nothing.
pub fn field_rules(field: &FieldDescriptor) -> FieldRules {
    option(&field.options(), "treenail.aws.v1.field").unwrap_or_default()
}

/// Gets a field's spelling in AWS JSON (`MaxConcurrentRuns`).
pub fn wire_name(field: &FieldDescriptor) -> String {
    if let Some(name) = field_rules(field).wire_name {
        return name;
    }
    match wire_case(field) {
        WireCase::LowerCamel => field.json_name().to_owned(),
        WireCase::UpperCamel | WireCase::Unspecified => upper_camel(field.name()),
    }
}

/// Gets an enum value's spelling in AWS JSON: the name without its enum's prefix, unless the proto file says otherwise.
pub fn value_wire_name(value: &EnumValueDescriptor) -> String {
    if let Some(rules) = option::<ValueRules>(&value.options(), "treenail.aws.v1.value") {
        return rules.wire_name;
    }
    let prefix = format!("{}_", upper_snake(value.parent_enum().name()));
    value
        .name()
        .strip_prefix(&prefix)
        .unwrap_or_else(|| value.name())
        .to_owned()
}

fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> = LazyLock::new(read_contract);
    &CONTRACT
}

fn read_contract() -> Contract {
    let mut operations: Vec<Operation> = descriptors()
        .services()
        .flat_map(|service| of_service(&service))
        .collect();
    operations.sort_by(|left, right| left.path.cmp(&right.path));
    let mut by_target = BTreeMap::new();
    let mut by_path = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        by_path.insert(operation.path.clone(), index);
        if let Some(target) = &operation.target {
            by_target.insert(target.clone(), index);
        }
    }
    Contract {
        operations,
        by_target,
        by_path,
    }
}

fn of_service(service: &ServiceDescriptor) -> Vec<Operation> {
    let options = service.options();
    let value = options.get_extension(&extension("treenail.aws.v1.backend"));
    let number = value.as_enum_number().expect("the option is declared as an enum");
    match Backend::try_from(number).expect("protox checked the value against the enum") {
        Backend::Unspecified => Vec::new(),
        backend => service.methods().map(|method| of_method(&method, backend)).collect(),
    }
}

fn of_method(method: &MethodDescriptor, backend: Backend) -> Operation {
    let service = method.parent_service().full_name().to_owned();
    let operation: Option<OperationOption> = option(&method.options(), "treenail.aws.v1.operation");
    Operation {
        target: operation.map(|operation| operation.target),
        path: format!("/{service}/{}", method.name()),
        service,
        method: method.name().to_owned(),
        backend,
        input: method.input(),
        output: method.output(),
        is_client_streaming: method.is_client_streaming(),
        is_server_streaming: method.is_server_streaming(),
    }
}

/// Reads one of our message-typed options; `None` where it was not given.
fn option<T: Message + Default>(options: &DynamicMessage, name: &str) -> Option<T> {
    let extension = extension(name);
    if !options.has_extension(&extension) {
        return None;
    }
    let value = options.get_extension(&extension);
    let Value::Message(message) = value.as_ref() else {
        return None;
    };
    Some(
        message
            .transcode_to()
            .expect("the option and its generated type come from one proto file"),
    )
}

fn extension(name: &str) -> ExtensionDescriptor {
    descriptors()
        .get_extension_by_name(name)
        .expect("options.proto declares the option")
}

fn wire_case(field: &FieldDescriptor) -> WireCase {
    let options = field.parent_file().options();
    let value = options.get_extension(&extension("treenail.aws.v1.wire_case"));
    let number = value.as_enum_number().expect("the option is declared as an enum");
    WireCase::try_from(number).expect("protox checked the value against the enum")
}

/// `max_concurrent_runs` → `MaxConcurrentRuns`.
fn upper_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split('_') {
        let mut characters = word.chars();
        out.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(characters.as_str());
    }
    out
}

/// `WorkflowRunStatus` → `WORKFLOW_RUN_STATUS`.
fn upper_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(character.to_ascii_uppercase());
    }
    out
}
