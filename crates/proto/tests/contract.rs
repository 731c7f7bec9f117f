//! What the contract promises to the gateway, and what every proto file has to keep.

use treenail_proto::{
    aws::v1::Backend,
    contract::{self, by_path, by_target, operations},
    descriptors,
};

#[test]
fn an_operation_is_found_by_its_target_and_by_its_path() {
    let operation = by_target("AWSGlue.StartWorkflowRun").unwrap();
    assert_eq!(operation.path, "/treenail.glue.v1.WorkflowRunService/StartWorkflowRun");
    assert_eq!(operation.service, "treenail.glue.v1.WorkflowRunService");
    assert_eq!(operation.method, "StartWorkflowRun");
    assert_eq!(operation.backend, Backend::RunScheduler);
    assert_eq!(operation.input.full_name(), "treenail.glue.v1.StartWorkflowRunRequest");
    assert_eq!(
        operation.output.full_name(),
        "treenail.glue.v1.StartWorkflowRunResponse"
    );
    assert_eq!(
        by_path(&operation.path).unwrap().target.as_deref(),
        Some("AWSGlue.StartWorkflowRun")
    );
}

#[test]
fn targets_are_spelled_exactly() {
    for target in [
        "",
        "AWSGlue",
        "AWSGlue.",
        "AWSGlue.startWorkflowRun",
        "StartWorkflowRun",
        "AWSGlue.StartWorkflowRun ",
    ] {
        assert!(by_target(target).is_none(), "{target:?}");
    }
}

#[test]
fn operations_stand_in_the_order_of_their_paths() {
    assert!(operations().windows(2).all(|pair| pair[0].path < pair[1].path));
}

#[test]
fn internal_services_are_not_operations() {
    let internal = ["treenail.internal.", "treenail.worker."];
    assert!(
        operations()
            .iter()
            .all(|operation| !internal.iter().any(|package| operation.service.starts_with(package)))
    );
    assert!(by_path("/treenail.internal.v1.PlanService/PublishPlans").is_none());
}

#[test]
fn an_rpc_without_an_aws_name_is_reachable_through_grpc() {
    let operation = by_path("/treenail.ops.v1.LogService/TailLogs").unwrap();
    assert_eq!(operation.target, None);
    assert!(operation.is_server_streaming && !operation.is_client_streaming);
}

#[test]
fn an_operation_with_a_target_is_one_request_and_one_answer() {
    for operation in operations().iter().filter(|operation| operation.target.is_some()) {
        assert!(
            !operation.is_client_streaming && !operation.is_server_streaming,
            "{}",
            operation.path
        );
    }
}

#[test]
fn targets_end_in_the_name_of_their_rpc_and_are_unique() {
    let mut targets: Vec<&str> = operations()
        .iter()
        .filter_map(|operation| operation.target.as_deref())
        .collect();
    let total = targets.len();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), total);
    for operation in operations() {
        if let Some(target) = &operation.target {
            assert_eq!(target.split_once('.').unwrap().1, operation.method);
        }
    }
}

#[test]
fn names_are_spelled_as_aws_spells_them() {
    let job_run = descriptors().get_message_by_name("treenail.glue.v1.JobRun").unwrap();
    for (field, expected) in [
        ("dpu_seconds", "DPUSeconds"),
        ("job_run_queuing_enabled", "JobRunQueuingEnabled"),
        ("id", "Id"),
    ] {
        assert_eq!(
            contract::wire_name(&job_run.get_field_by_name(field).unwrap()),
            expected
        );
    }
    let worker_type = descriptors().get_enum_by_name("treenail.glue.v1.WorkerType").unwrap();
    let trigger_type = descriptors().get_enum_by_name("treenail.glue.v1.TriggerType").unwrap();
    assert_eq!(contract::value_wire_name(&worker_type.get_value(4).unwrap()), "G.025X");
    assert_eq!(
        contract::value_wire_name(&trigger_type.get_value(3).unwrap()),
        "ON_DEMAND"
    );
}
