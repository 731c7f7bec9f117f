//! The sentences in which AWS refuses a request.

use prost::Message;
use prost_reflect::{DynamicMessage, Value};
use treenail_proto::{
    descriptors,
    glue::v1::{
        Action, BatchGetWorkflowsRequest, Condition, CreateJobRequest, CreateTriggerRequest, CreateWorkflowRequest,
        EventBatchingCondition, GetTriggersRequest, JobCommand, Predicate, StartTriggerRequest, TagResourceRequest,
        TriggerType, UntagResourceRequest, UpdateTriggerRequest,
    },
    validate::{VALUE_CHARACTERS_MAX, VIOLATIONS_MAX, Violation, message, violations},
};

const NAME: &str = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*";

fn dynamic(name: &str, request: &impl Message) -> DynamicMessage {
    let descriptor = descriptors()
        .get_message_by_name(&format!("treenail.glue.v1.{name}"))
        .expect("the proto files hold the message");
    DynamicMessage::decode(descriptor, request.encode_to_vec().as_slice())
        .expect("bytes that prost wrote are well formed")
}

#[track_caller]
fn check(name: &str, request: &impl Message, expected: &str) {
    let found = violations(&dynamic(name, request));
    let text = if found.is_empty() {
        String::new()
    } else {
        message(&found)
    };
    assert_eq!(text, expected);
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn trigger() -> CreateTriggerRequest {
    CreateTriggerRequest {
        name: text("t"),
        r#type: Some(TriggerType::OnDemand.into()),
        actions: vec![Action {
            job_name: text("j"),
            ..Action::default()
        }],
        ..CreateTriggerRequest::default()
    }
}

#[test]
fn a_request_that_meets_its_rules_has_no_violation() {
    check("CreateTriggerRequest", &trigger(), "");
    check("GetTriggersRequest", &GetTriggersRequest::default(), "");
}

#[test]
fn a_missing_member_is_null() {
    check(
        "StartTriggerRequest",
        &StartTriggerRequest::default(),
        "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
    );
}

#[test]
fn an_enum_without_a_value_is_null() {
    for unset in [None, Some(0)] {
        check(
            "CreateTriggerRequest",
            &CreateTriggerRequest {
                r#type: unset,
                ..trigger()
            },
            "1 validation error detected: Value null at 'type' failed to satisfy constraint: Member must not be null",
        );
    }
}

#[test]
fn an_enum_value_that_nobody_knows_names_those_that_exist() {
    check(
        "CreateTriggerRequest",
        &CreateTriggerRequest {
            r#type: Some(77),
            ..trigger()
        },
        "1 validation error detected: Value '77' at 'type' failed to satisfy constraint: \
         Member must satisfy enum value set: [SCHEDULED, CONDITIONAL, ON_DEMAND, EVENT]",
    );
}

#[test]
fn several_violations_make_one_sentence() {
    check(
        "CreateJobRequest",
        &CreateJobRequest {
            name: text(""),
            command: Some(JobCommand::default()),
            timeout: Some(0),
            ..CreateJobRequest::default()
        },
        "3 validation errors detected: Value '' at 'name' failed to satisfy constraint: \
         Member must have length greater than or equal to 1; \
         Value null at 'role' failed to satisfy constraint: Member must not be null; \
         Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
    );
}

#[test]
fn lengths_are_counted_in_code_points() {
    let fits = CreateWorkflowRequest {
        name: Some("é".repeat(255)),
        ..CreateWorkflowRequest::default()
    };
    check("CreateWorkflowRequest", &fits, "");
    let long = "🚢".repeat(256);
    check(
        "CreateWorkflowRequest",
        &CreateWorkflowRequest {
            name: Some(long.clone()),
            ..CreateWorkflowRequest::default()
        },
        &format!(
            "1 validation error detected: Value '{long}' at 'name' failed to satisfy constraint: \
             Member must have length less than or equal to 255"
        ),
    );
}

#[test]
fn a_pattern_is_printed_as_aws_spells_it() {
    check(
        "StartTriggerRequest",
        &StartTriggerRequest { name: text("a\u{1}") },
        &format!(
            "1 validation error detected: Value 'a\u{1}' at 'name' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: {NAME}"
        ),
    );
}

#[test]
fn paths_lead_through_messages_and_count_list_members_from_one() {
    let conditions = vec![
        Condition::default(),
        Condition {
            logical_operator: Some(9),
            ..Condition::default()
        },
    ];
    check(
        "CreateTriggerRequest",
        &CreateTriggerRequest {
            predicate: Some(Predicate {
                conditions,
                ..Predicate::default()
            }),
            ..trigger()
        },
        "1 validation error detected: Value '9' at 'predicate.conditions.2.member.logicalOperator' failed to satisfy \
         constraint: Member must satisfy enum value set: [EQUALS]",
    );
    check(
        "CreateTriggerRequest",
        &CreateTriggerRequest {
            event_batching_condition: Some(EventBatchingCondition {
                batch_size: Some(101),
                batch_window: None,
            }),
            ..trigger()
        },
        "1 validation error detected: Value '101' at 'eventBatchingCondition.batchSize' failed to satisfy constraint: \
         Member must have value less than or equal to 100",
    );
}

#[test]
fn a_required_message_has_to_be_there() {
    check(
        "UpdateTriggerRequest",
        &UpdateTriggerRequest {
            name: text("t"),
            trigger_update: None,
        },
        "1 validation error detected: Value null at 'triggerUpdate' failed to satisfy constraint: Member must not be null",
    );
}

#[test]
fn a_list_reports_all_that_its_elements_have_to_meet() {
    check(
        "UntagResourceRequest",
        &UntagResourceRequest {
            resource_arn: text("arn:aws:glue:us-east-1:000000000000:job/j"),
            tags_to_remove: vec!["a".to_owned(), String::new()],
        },
        "1 validation error detected: Value '[a, ]' at 'tagsToRemove' failed to satisfy constraint: \
         Member must satisfy constraint: [Member must have length less than or equal to 128, \
         Member must have length greater than or equal to 1]",
    );
}

#[test]
fn a_list_has_a_size() {
    check(
        "BatchGetWorkflowsRequest",
        &BatchGetWorkflowsRequest::default(),
        "1 validation error detected: Value '[]' at 'names' failed to satisfy constraint: \
         Member must have length greater than or equal to 1",
    );
    let names = (0..26).map(|index| format!("w{index}")).collect();
    let found = violations(&dynamic(
        "BatchGetWorkflowsRequest",
        &BatchGetWorkflowsRequest {
            names,
            include_graph: None,
        },
    ));
    assert!(message(&found).ends_with("Member must have length less than or equal to 25"));
}

#[test]
fn a_map_reports_its_keys_and_its_values() {
    let tags_to_add = [(String::new(), "x".repeat(300))].into();
    let found = violations(&dynamic(
        "TagResourceRequest",
        &TagResourceRequest {
            resource_arn: text("arn:aws:glue:us-east-1:000000000000:job/j"),
            tags_to_add,
        },
    ));
    let text = message(&found);
    assert!(text.starts_with("2 validation errors detected: Value '{=xxx"));
    assert!(text.contains(
        "' at 'tagsToAdd' failed to satisfy constraint: Map keys must satisfy constraint: \
         [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]; "
    ));
    assert!(text.ends_with(
        "Map value must satisfy constraint: \
         [Member must have length less than or equal to 256, Member must have length greater than or equal to 0]"
    ));
}

#[test]
fn a_huge_value_is_cut() {
    let request = StartTriggerRequest {
        name: Some("x".repeat(1_000_000)),
    };
    let found = violations(&dynamic("StartTriggerRequest", &request));
    assert!(message(&found).chars().count() < VALUE_CHARACTERS_MAX + 200);
}

#[test]
fn a_huge_list_makes_a_bounded_answer() {
    let actions = vec![
        Action {
            timeout: Some(0),
            ..Action::default()
        };
        10_000
    ];
    let found = violations(&dynamic(
        "CreateTriggerRequest",
        &CreateTriggerRequest { actions, ..trigger() },
    ));
    assert_eq!(found.len(), VIOLATIONS_MAX);
}

#[test]
fn an_unknown_spelling_stands_for_the_missing_value() {
    let mut found = violations(&dynamic(
        "CreateTriggerRequest",
        &CreateTriggerRequest {
            r#type: None,
            ..trigger()
        },
    ));
    found.push(Violation::unknown_value(
        "type".to_owned(),
        "NOW",
        ["SCHEDULED", "EVENT"],
    ));
    assert_eq!(
        message(&found),
        "1 validation error detected: Value 'NOW' at 'type' failed to satisfy constraint: \
         Member must satisfy enum value set: [SCHEDULED, EVENT]"
    );
}

#[test]
fn every_message_of_the_contract_has_a_table() {
    for descriptor in descriptors().all_messages() {
        let empty = DynamicMessage::new(descriptor);
        for violation in violations(&empty) {
            assert!(violation.is_missing() || violation.path().chars().next().is_some_and(char::is_lowercase));
        }
    }
}

#[test]
fn values_of_json_structures_have_no_rules() {
    let descriptor = descriptors()
        .get_message_by_name("treenail.glue.v1.CreateJobRequest")
        .unwrap();
    let mut request = DynamicMessage::new(descriptor.clone());
    let nodes = descriptor.get_field_by_name("code_gen_configuration_nodes").unwrap();
    let prost_reflect::Kind::Message(structure) = nodes.kind() else {
        panic!("a struct")
    };
    request.set_field(&nodes, Value::Message(DynamicMessage::new(structure)));
    assert!(violations(&request).iter().all(Violation::is_missing));
}
