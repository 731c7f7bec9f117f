//! Short words for what tests say: requests, and what refuses them.

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};
use treenail_proto::glue::v1::{
    Action, Condition, CrawlState, CreateJobRequest, CreateTriggerRequest, JobCommand, JobRunState, JobUpdate, Logical,
    LogicalOperator, Predicate, TriggerType, TriggerUpdate, UpdateJobRequest, UpdateTriggerRequest, WorkerType,
};
use treenail_rpc::{Caller, Fault};

/// Checks that a call is refused with a reason and a text.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(response: Result<Response<T>, Status>, reason: &str, message: &str) {
    let fault = Fault::from_status(&response.expect_err("the call should be refused"));
    assert_eq!((fault.reason.as_str(), fault.message.as_str()), (reason, message));
}

/// A call that the client sends again with the same invocation id when no answer comes.
pub(crate) fn invoked<T>(invocation: &str, message: T) -> Request<T> {
    Caller {
        invocation: text(invocation),
        ..Caller::default()
    }
    .request(message)
}

pub(crate) fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

pub(crate) fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn job(name: &str, command: &str) -> CreateJobRequest {
    CreateJobRequest {
        name: text(name),
        role: text("role"),
        command: Some(JobCommand {
            name: text(command),
            ..JobCommand::default()
        }),
        ..CreateJobRequest::default()
    }
}

pub(crate) fn on_demand(name: &str, workflow: Option<&str>, jobs: &[&str]) -> CreateTriggerRequest {
    CreateTriggerRequest {
        name: text(name),
        workflow_name: workflow.map(str::to_owned),
        r#type: Some(TriggerType::OnDemand.into()),
        actions: jobs.iter().map(|job| starts(job)).collect(),
        ..CreateTriggerRequest::default()
    }
}

pub(crate) fn conditional(name: &str, workflow: Option<&str>, watched: &str, jobs: &[&str]) -> CreateTriggerRequest {
    CreateTriggerRequest {
        r#type: Some(TriggerType::Conditional.into()),
        predicate: Some(Predicate {
            conditions: vec![succeeded(watched)],
            ..Predicate::default()
        }),
        ..on_demand(name, workflow, jobs)
    }
}

pub(crate) fn scheduled(name: &str, workflow: Option<&str>, schedule: &str, jobs: &[&str]) -> CreateTriggerRequest {
    CreateTriggerRequest {
        r#type: Some(TriggerType::Scheduled.into()),
        schedule: text(schedule),
        ..on_demand(name, workflow, jobs)
    }
}

pub(crate) fn starts(job: &str) -> Action {
    Action {
        job_name: text(job),
        ..Action::default()
    }
}

pub(crate) fn succeeded(job: &str) -> Condition {
    Condition {
        logical_operator: Some(LogicalOperator::Equals.into()),
        job_name: text(job),
        state: Some(JobRunState::Succeeded.into()),
        ..Condition::default()
    }
}

pub(crate) fn of_type(kind: TriggerType) -> CreateTriggerRequest {
    CreateTriggerRequest {
        r#type: Some(kind.into()),
        ..on_demand("t", None, &["j"])
    }
}

pub(crate) fn event(name: &str, workflow: &str) -> CreateTriggerRequest {
    CreateTriggerRequest {
        r#type: Some(TriggerType::Event.into()),
        ..on_demand(name, Some(workflow), &["j"])
    }
}

pub(crate) fn with_conditions(conditions: Vec<Condition>, logical: Option<Logical>) -> CreateTriggerRequest {
    CreateTriggerRequest {
        predicate: Some(Predicate {
            logical: logical.map(Into::into),
            conditions,
        }),
        ..of_type(TriggerType::Conditional)
    }
}

pub(crate) fn with_actions(actions: Vec<Action>) -> CreateTriggerRequest {
    CreateTriggerRequest {
        actions,
        ..on_demand("t", None, &[])
    }
}

pub(crate) fn crawled(crawler: &str, state: Option<CrawlState>) -> Condition {
    Condition {
        logical_operator: Some(LogicalOperator::Equals.into()),
        crawler_name: text(crawler),
        crawl_state: state.map(Into::into),
        ..Condition::default()
    }
}

pub(crate) fn crawls(crawler: &str) -> Action {
    Action {
        crawler_name: text(crawler),
        ..Action::default()
    }
}

pub(crate) fn trigger_update(request: CreateTriggerRequest) -> UpdateTriggerRequest {
    let update = TriggerUpdate {
        name: None,
        description: request.description,
        schedule: request.schedule,
        actions: request.actions,
        predicate: request.predicate,
        event_batching_condition: request.event_batching_condition,
    };
    UpdateTriggerRequest {
        name: request.name,
        trigger_update: Some(update),
    }
}

pub(crate) fn workers(command: &str, kind: WorkerType, number: Option<i32>) -> CreateJobRequest {
    CreateJobRequest {
        worker_type: Some(kind.into()),
        number_of_workers: number,
        ..job("j", command)
    }
}

pub(crate) fn job_update(request: CreateJobRequest) -> UpdateJobRequest {
    let update = JobUpdate {
        role: request.role,
        command: request.command,
        max_capacity: request.max_capacity,
        allocated_capacity: request.allocated_capacity,
        worker_type: request.worker_type,
        number_of_workers: request.number_of_workers,
        timeout: request.timeout,
        execution_class: request.execution_class,
        glue_version: request.glue_version,
        maintenance_window: request.maintenance_window,
        execution_property: request.execution_property,
        max_retries: request.max_retries,
        ..JobUpdate::default()
    };
    UpdateJobRequest {
        job_name: request.name,
        job_update: Some(update),
    }
}
