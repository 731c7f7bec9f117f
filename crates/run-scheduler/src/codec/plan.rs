//! Plans: what the control-plane publishes, parsed for the engine.

use std::{collections::BTreeMap, sync::Arc};

use treenail_engine::glue::{
    Action, Command, Component, Condition, CrawlState, EventBatching, Input, JobPlan, JobRunState, Logical, Predicate,
    Settings, TriggerKind, TriggerPlan, WorkflowPlan,
};
use treenail_proto::{glue::v1 as glue, internal::v1 as internal};
use treenail_schedule::AwsCron;

use super::Malformed;

/// A plan, parsed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Published {
    Workflow(Arc<WorkflowPlan>),
    Trigger(Arc<TriggerPlan>),
    Job(Arc<JobPlan>),
    Deleted {
        kind: internal::PlanKind,
        name: String,
        uid: String,
    },
}

impl Published {
    pub(crate) fn parse(plan: &internal::Plan) -> Result<Self, Malformed> {
        let sequence = plan.sequence;
        match plan.subject.as_ref().ok_or(Malformed("plan without a subject"))? {
            internal::plan::Subject::Workflow(subject) => Ok(Self::Workflow(Arc::new(workflow(subject, sequence)?))),
            internal::plan::Subject::Trigger(subject) => {
                let definition = subject.trigger.as_ref().ok_or(Malformed("trigger plan"))?;
                Ok(Self::Trigger(Arc::new(trigger(definition, &subject.uid, sequence)?)))
            }
            internal::plan::Subject::Job(subject) => Ok(Self::Job(Arc::new(job(subject, sequence)?))),
            internal::plan::Subject::Deleted(subject) => {
                let (uid, name) = (subject.uid.clone(), subject.name.clone());
                Ok(Self::Deleted {
                    kind: subject.kind(),
                    name,
                    uid,
                })
            }
        }
    }

    /// What the plan is of.
    pub(crate) fn kind(&self) -> internal::PlanKind {
        match self {
            Self::Workflow(_) => internal::PlanKind::Workflow,
            Self::Trigger(_) => internal::PlanKind::Trigger,
            Self::Job(_) => internal::PlanKind::Job,
            Self::Deleted { kind, .. } => *kind,
        }
    }

    /// The name of what the plan is of.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Workflow(plan) => &plan.name,
            Self::Trigger(plan) => &plan.name,
            Self::Job(plan) => &plan.name,
            Self::Deleted { name, .. } => name,
        }
    }

    /// The identity of the creation that the plan is of.
    pub(crate) fn uid(&self) -> &str {
        match self {
            Self::Workflow(plan) => &plan.uid,
            Self::Trigger(plan) => &plan.uid,
            Self::Job(plan) => &plan.uid,
            Self::Deleted { uid, .. } => uid,
        }
    }

    pub(crate) fn into_input(self) -> Result<Input, Malformed> {
        Ok(match self {
            Self::Workflow(plan) => Input::PublishWorkflow(plan),
            Self::Trigger(plan) => Input::PublishTrigger(plan),
            Self::Job(plan) => Input::PublishJob(plan),
            Self::Deleted { kind, name, uid } => match kind {
                internal::PlanKind::Workflow => Input::DeleteWorkflow { name, uid },
                internal::PlanKind::Trigger => Input::DeleteTrigger { name, uid },
                internal::PlanKind::Job => Input::DeleteJob { name, uid },
                internal::PlanKind::Unspecified => return Err(Malformed("kind of deleted plan")),
            },
        })
    }
}

fn workflow(subject: &internal::WorkflowPlan, sequence: u64) -> Result<WorkflowPlan, Malformed> {
    let definition = subject.workflow.as_ref().ok_or(Malformed("workflow plan"))?;
    let triggers = subject
        .triggers
        .iter()
        .map(|definition| trigger(definition, "", 0))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(WorkflowPlan {
        uid: subject.uid.clone(),
        sequence,
        name: definition.name().to_owned(),
        max_concurrent_runs: definition.max_concurrent_runs.and_then(positive),
        default_run_properties: definition.default_run_properties.clone(),
        graph: WorkflowPlan::compile_graph(&triggers),
        triggers,
    })
}

fn trigger(definition: &glue::Trigger, uid: &str, sequence: u64) -> Result<TriggerPlan, Malformed> {
    Ok(TriggerPlan {
        uid: uid.to_owned(),
        sequence,
        name: definition.name().to_owned(),
        activated: definition.state() == glue::TriggerState::Activated,
        kind: kind(definition)?,
        actions: definition.actions.iter().map(action).collect::<Result<_, _>>()?,
    })
}

fn kind(definition: &glue::Trigger) -> Result<TriggerKind, Malformed> {
    match definition.r#type() {
        glue::TriggerType::OnDemand => Ok(TriggerKind::OnDemand),
        glue::TriggerType::Scheduled => {
            let cron = AwsCron::parse(definition.schedule()).map_err(|_| Malformed("schedule"))?;
            Ok(TriggerKind::Scheduled(Arc::new(cron)))
        }
        glue::TriggerType::Conditional => Ok(TriggerKind::Conditional(predicate(definition)?)),
        glue::TriggerType::Event => Ok(TriggerKind::Event(definition.event_batching_condition.as_ref().map_or(
            EventBatching::EACH,
            |condition| {
                EventBatching {
                    size: condition
                        .batch_size
                        .and_then(positive)
                        .unwrap_or(EventBatching::EACH.size),
                    window_seconds: condition
                        .batch_window
                        .and_then(positive)
                        .unwrap_or(EventBatching::EACH.window_seconds),
                }
            },
        ))),
        glue::TriggerType::Unspecified => Err(Malformed("trigger type")),
    }
}

fn predicate(definition: &glue::Trigger) -> Result<Predicate, Malformed> {
    let predicate = definition
        .predicate
        .as_ref()
        .ok_or(Malformed("conditional trigger without a predicate"))?;
    let conditions = predicate
        .conditions
        .iter()
        .map(condition)
        .collect::<Result<Vec<_>, _>>()?;
    if conditions.is_empty() {
        return Err(Malformed("predicate without conditions"));
    }
    let logical = match predicate.logical() {
        glue::Logical::Any => Logical::Any,
        glue::Logical::And | glue::Logical::Unspecified => Logical::And,
    };
    Ok(Predicate { logical, conditions })
}

fn condition(condition: &glue::Condition) -> Result<Condition, Malformed> {
    match (&condition.job_name, &condition.crawler_name) {
        (Some(job), _) => Ok(Condition::Job(job.clone(), job_run_state(condition.state())?)),
        (None, Some(crawler)) => Ok(Condition::Crawler(
            crawler.clone(),
            crawl_state(condition.crawl_state())?,
        )),
        (None, None) => Err(Malformed("condition")),
    }
}

fn action(action: &glue::Action) -> Result<Action, Malformed> {
    let component = match (&action.job_name, &action.crawler_name) {
        (Some(job), None) => Component::Job(job.clone()),
        (None, Some(crawler)) => Component::Crawler(crawler.clone()),
        (Some(_), Some(_)) | (None, None) => return Err(Malformed("action")),
    };
    Ok(Action {
        component,
        arguments: non_empty_map(&action.arguments),
        timeout_minutes: action.timeout.and_then(positive),
        notify_delay_minutes: notify_delay(action.notification_property.as_ref()),
        security_configuration: action.security_configuration.clone(),
    })
}

fn job(subject: &internal::JobPlan, sequence: u64) -> Result<JobPlan, Malformed> {
    let definition = subject.job.as_ref().ok_or(Malformed("job plan"))?;
    let concurrent = definition
        .execution_property
        .as_ref()
        .and_then(|property| property.max_concurrent_runs);
    let command = definition.command.clone().unwrap_or_default();
    Ok(JobPlan {
        uid: subject.uid.clone(),
        sequence,
        name: definition.name().to_owned(),
        max_concurrent_runs: concurrent.and_then(positive).unwrap_or(1),
        max_retries: definition.max_retries.and_then(positive).unwrap_or(0),
        command: Command {
            name: command.name,
            script_location: command.script_location,
            python_version: command.python_version,
            runtime: command.runtime,
        },
        default_arguments: definition.default_arguments.clone(),
        non_overridable_arguments: definition.non_overridable_arguments.clone(),
        settings: settings(definition),
    })
}

fn settings(job: &glue::Job) -> Settings {
    Settings {
        timeout_minutes: job.timeout.and_then(positive),
        notify_delay_minutes: notify_delay(job.notification_property.as_ref()),
        queuing: job.job_run_queuing_enabled,
        allocated_capacity: job.allocated_capacity,
        max_capacity: job.max_capacity,
        worker_type: job.worker_type.map(|_| job.worker_type().as_str_name().to_owned()),
        number_of_workers: job.number_of_workers,
        security_configuration: job.security_configuration.clone(),
        glue_version: job.glue_version.clone(),
        execution_class: job
            .execution_class
            .map(|_| job.execution_class().as_str_name().to_owned()),
        job_mode: job.job_mode.map(|_| job.job_mode().as_str_name().to_owned()),
        maintenance_window: job.maintenance_window.clone(),
        execution_role_session_policy: None,
    }
}

pub(crate) fn notify_delay(property: Option<&glue::NotificationProperty>) -> Option<u32> {
    property?.notify_delay_after.and_then(positive)
}

/// A number that counts only when it is greater than zero.
pub(crate) fn positive(number: i32) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number > 0)
}

pub(crate) fn non_empty_map(map: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    if map.is_empty() { None } else { Some(map.clone()) }
}

pub(crate) fn job_run_state(state: glue::JobRunState) -> Result<JobRunState, Malformed> {
    match state {
        glue::JobRunState::Waiting => Ok(JobRunState::Waiting),
        glue::JobRunState::Starting => Ok(JobRunState::Starting),
        glue::JobRunState::Running => Ok(JobRunState::Running),
        glue::JobRunState::Stopping => Ok(JobRunState::Stopping),
        glue::JobRunState::Stopped => Ok(JobRunState::Stopped),
        glue::JobRunState::Succeeded => Ok(JobRunState::Succeeded),
        glue::JobRunState::Failed => Ok(JobRunState::Failed),
        glue::JobRunState::Timeout => Ok(JobRunState::Timeout),
        glue::JobRunState::Error => Ok(JobRunState::Error),
        glue::JobRunState::Expired | glue::JobRunState::Unspecified => Err(Malformed("job run state")),
    }
}

pub(crate) fn to_job_run_state(state: JobRunState) -> glue::JobRunState {
    match state {
        JobRunState::Waiting => glue::JobRunState::Waiting,
        JobRunState::Starting => glue::JobRunState::Starting,
        JobRunState::Running => glue::JobRunState::Running,
        JobRunState::Stopping => glue::JobRunState::Stopping,
        JobRunState::Stopped => glue::JobRunState::Stopped,
        JobRunState::Succeeded => glue::JobRunState::Succeeded,
        JobRunState::Failed => glue::JobRunState::Failed,
        JobRunState::Timeout => glue::JobRunState::Timeout,
        JobRunState::Error => glue::JobRunState::Error,
    }
}

pub(crate) fn crawl_state(state: glue::CrawlState) -> Result<CrawlState, Malformed> {
    match state {
        glue::CrawlState::Running => Ok(CrawlState::Running),
        glue::CrawlState::Cancelling => Ok(CrawlState::Cancelling),
        glue::CrawlState::Cancelled => Ok(CrawlState::Cancelled),
        glue::CrawlState::Succeeded => Ok(CrawlState::Succeeded),
        glue::CrawlState::Failed => Ok(CrawlState::Failed),
        glue::CrawlState::Error => Ok(CrawlState::Error),
        glue::CrawlState::Unspecified => Err(Malformed("crawl state")),
    }
}

pub(crate) fn to_crawl_state(state: CrawlState) -> glue::CrawlState {
    match state {
        CrawlState::Running => glue::CrawlState::Running,
        CrawlState::Cancelling => glue::CrawlState::Cancelling,
        CrawlState::Cancelled => glue::CrawlState::Cancelled,
        CrawlState::Succeeded => glue::CrawlState::Succeeded,
        CrawlState::Failed => glue::CrawlState::Failed,
        CrawlState::Error => glue::CrawlState::Error,
    }
}
