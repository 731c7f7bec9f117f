//! Between the contract's messages and what the catalog works with.

use treenail_proto::glue::v1::{CreateJobRequest, CreateTriggerRequest, Job, JobUpdate, Trigger, TriggerUpdate};
use treenail_rpc::Clock;
use treenail_schedule::Timestamp;

/// The present time, as the contract tells it.
pub(crate) fn now(clock: &Clock) -> prost_types::Timestamp {
    timestamp(clock.now())
}

/// A time, as the contract tells it.
pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let milliseconds = time.as_millis();
    let nanos = i32::try_from(milliseconds.rem_euclid(1_000) * 1_000_000).expect("less than a second");
    prost_types::Timestamp {
        seconds: milliseconds.div_euclid(1_000),
        nanos,
    }
}

/// A time that the contract told; what is finer than a millisecond is cut.
pub(crate) fn from_timestamp(time: &prost_types::Timestamp) -> Timestamp {
    let milliseconds = time
        .seconds
        .saturating_mul(1_000)
        .saturating_add(i64::from(time.nanos / 1_000_000));
    Timestamp::from_millis(milliseconds)
}

/// The job that a CreateJob request describes.
pub(crate) fn new_job(request: CreateJobRequest) -> Job {
    Job {
        name: request.name,
        job_mode: request.job_mode,
        job_run_queuing_enabled: request.job_run_queuing_enabled,
        description: request.description,
        log_uri: request.log_uri,
        role: request.role,
        created_on: None,
        last_modified_on: None,
        execution_property: request.execution_property,
        command: request.command,
        default_arguments: request.default_arguments,
        non_overridable_arguments: request.non_overridable_arguments,
        connections: request.connections,
        max_retries: request.max_retries,
        allocated_capacity: request.allocated_capacity,
        timeout: request.timeout,
        max_capacity: request.max_capacity,
        worker_type: request.worker_type,
        number_of_workers: request.number_of_workers,
        security_configuration: request.security_configuration,
        notification_property: request.notification_property,
        glue_version: request.glue_version,
        code_gen_configuration_nodes: request.code_gen_configuration_nodes,
        execution_class: request.execution_class,
        source_control_details: request.source_control_details,
        maintenance_window: request.maintenance_window,
        profile_name: None,
    }
}

/// The job that an UpdateJob request describes: all of it but its name.
pub(crate) fn updated_job(name: String, update: JobUpdate) -> Job {
    Job {
        name: Some(name),
        job_mode: update.job_mode,
        job_run_queuing_enabled: update.job_run_queuing_enabled,
        description: update.description,
        log_uri: update.log_uri,
        role: update.role,
        created_on: None,
        last_modified_on: None,
        execution_property: update.execution_property,
        command: update.command,
        default_arguments: update.default_arguments,
        non_overridable_arguments: update.non_overridable_arguments,
        connections: update.connections,
        max_retries: update.max_retries,
        allocated_capacity: update.allocated_capacity,
        timeout: update.timeout,
        max_capacity: update.max_capacity,
        worker_type: update.worker_type,
        number_of_workers: update.number_of_workers,
        security_configuration: update.security_configuration,
        notification_property: update.notification_property,
        glue_version: update.glue_version,
        code_gen_configuration_nodes: update.code_gen_configuration_nodes,
        execution_class: update.execution_class,
        source_control_details: update.source_control_details,
        maintenance_window: update.maintenance_window,
        profile_name: None,
    }
}

/// The trigger that a CreateTrigger request describes, without a state.
pub(crate) fn new_trigger(request: CreateTriggerRequest) -> Trigger {
    Trigger {
        name: request.name,
        workflow_name: request.workflow_name,
        id: None,
        r#type: request.r#type,
        state: None,
        description: request.description,
        schedule: request.schedule,
        actions: request.actions,
        predicate: request.predicate,
        event_batching_condition: request.event_batching_condition,
    }
}

/// A trigger with the definition that an UpdateTrigger request describes; its name, type, workflow and state stay.
pub(crate) fn updated_trigger(trigger: Trigger, update: TriggerUpdate) -> Trigger {
    Trigger {
        description: update.description,
        schedule: update.schedule,
        actions: update.actions,
        predicate: update.predicate,
        event_batching_condition: update.event_batching_condition,
        ..trigger
    }
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, from_timestamp, timestamp};

    #[test]
    fn a_time_survives_the_wire() {
        for milliseconds in [0, 1, 999, 1_000, 1_602_811_020_518, -1, -1_500] {
            let time = Timestamp::from_millis(milliseconds);
            assert_eq!(from_timestamp(&timestamp(time)), time);
            assert!((0..1_000_000_000).contains(&timestamp(time).nanos));
        }
    }
}
