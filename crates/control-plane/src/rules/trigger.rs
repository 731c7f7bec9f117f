//! The rules of triggers (spec §4), checked in AWS's order.

use treenail_proto::glue::v1::{
    Action, Condition, CrawlState, JobRunState, Logical, LogicalOperator, Predicate, Trigger, TriggerState, TriggerType,
};
use treenail_schedule::AwsCron;

use crate::{config::Quotas, error::Error};

/// The window that an event batch has when none is given, in seconds (`Glue API: EventBatchingCondition`).
const BATCH_WINDOW_SECONDS_DEFAULT: i32 = 900;

/// Fills in what AWS fills in, and drops what it drops.
pub(crate) fn normalize(trigger: &mut Trigger) {
    match trigger.r#type() {
        TriggerType::Event => {
            if let Some(batching) = &mut trigger.event_batching_condition {
                batching.batch_window.get_or_insert(BATCH_WINDOW_SECONDS_DEFAULT);
            }
        }
        TriggerType::Conditional => {
            for condition in trigger
                .predicate
                .iter_mut()
                .flat_map(|predicate| &mut predicate.conditions)
            {
                if condition.job_name.is_some() {
                    condition.crawler_name = None;
                    condition.crawl_state = None;
                }
            }
        }
        TriggerType::Scheduled | TriggerType::OnDemand | TriggerType::Unspecified => {}
    }
}

/// Checks a trigger, whether it is new or changed.
///
/// # Errors
/// `InvalidInputException` with AWS's texts; `ResourceNumberLimitExceededException` beyond a quota.
pub(crate) fn check(trigger: &Trigger, quotas: &Quotas) -> Result<(), Error> {
    match trigger.r#type() {
        TriggerType::Scheduled => check_schedule(trigger.schedule.as_deref())?,
        TriggerType::Conditional => check_predicate(trigger.predicate.as_ref())?,
        TriggerType::Event if trigger.workflow_name.is_none() => {
            return Err(Error::invalid("Workflow name cannot be null or empty"));
        }
        TriggerType::Event | TriggerType::OnDemand => {}
        TriggerType::Unspecified => return Err(Error::invalid("Trigger type cannot be null or empty")),
    }
    check_actions(trigger, quotas)
}

/// Decides the state of a new trigger.
///
/// # Errors
/// `InvalidInputException` when a trigger that is never active is to be activated.
pub(crate) fn initial_state(kind: TriggerType, is_started: bool) -> Result<TriggerState, Error> {
    match (kind, is_started) {
        (_, false) => Ok(TriggerState::Created),
        (TriggerType::Scheduled | TriggerType::Conditional, true) => Ok(TriggerState::Activated),
        (TriggerType::OnDemand | TriggerType::Event | TriggerType::Unspecified, true) => Err(Error::invalid(format!(
            "Starting trigger on create is not supported for {} trigger type.",
            kind_name(kind)
        ))),
    }
}

/// What StartTrigger does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// It activates the trigger.
    Activate,
    /// It fires the trigger, which stays as it is.
    Fire,
}

/// Decides what StartTrigger does.
///
/// # Errors
/// `InvalidInputException` when the trigger's type or state does not allow it.
pub(crate) fn start(trigger: &Trigger) -> Result<Start, Error> {
    match trigger.r#type() {
        TriggerType::OnDemand => Ok(Start::Fire),
        TriggerType::Event | TriggerType::Unspecified => Err(Error::invalid(format!(
            "Trigger Type {} cannot be started",
            kind_name(trigger.r#type())
        ))),
        TriggerType::Scheduled | TriggerType::Conditional => match trigger.state() {
            TriggerState::Created | TriggerState::Deactivated => Ok(Start::Activate),
            state => Err(wrong_state(state)),
        },
    }
}

/// Checks whether StopTrigger may deactivate the trigger.
///
/// # Errors
/// `InvalidInputException` when it is not active.
pub(crate) fn stop(trigger: &Trigger) -> Result<(), Error> {
    match trigger.state() {
        TriggerState::Activated => Ok(()),
        state => Err(wrong_state(state)),
    }
}

/// Whether a trigger of a workflow starts it; a workflow has at most one that does.
pub(crate) fn is_start(trigger: &Trigger) -> bool {
    match trigger.r#type() {
        TriggerType::Scheduled | TriggerType::OnDemand | TriggerType::Event => true,
        TriggerType::Conditional | TriggerType::Unspecified => false,
    }
}

fn wrong_state(state: TriggerState) -> Error {
    let state = state.as_str_name().trim_start_matches("TRIGGER_STATE_");
    Error::invalid(format!(
        "The operation is not allowed when trigger is in state: {state}"
    ))
}

fn kind_name(kind: TriggerType) -> &'static str {
    kind.as_str_name().trim_start_matches("TRIGGER_TYPE_")
}

fn check_schedule(schedule: Option<&str>) -> Result<(), Error> {
    let schedule = schedule.filter(|schedule| !schedule.is_empty());
    let schedule = schedule.ok_or_else(|| Error::invalid("Schedule cannot be null or empty"))?;
    match AwsCron::parse(schedule) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(format!("The schedule {schedule} is invalid."))),
    }
}

fn check_predicate(predicate: Option<&Predicate>) -> Result<(), Error> {
    let predicate = predicate.filter(|predicate| !predicate.conditions.is_empty());
    let predicate = predicate.ok_or_else(|| Error::invalid("Predicate cannot be null or empty"))?;
    if predicate.conditions.len() > 1 && predicate.logical() == Logical::Unspecified {
        return Err(Error::invalid(
            "Logical operator cannot be null or empty when more than one condition is present.",
        ));
    }
    predicate.conditions.iter().try_for_each(check_condition)
}

fn check_condition(condition: &Condition) -> Result<(), Error> {
    if condition.logical_operator() == LogicalOperator::Unspecified {
        return Err(Error::invalid("Logical operator cannot be null or empty"));
    }
    match (&condition.job_name, &condition.crawler_name) {
        (Some(_), _) => check_job_state(condition.state()),
        (None, Some(_)) => check_crawl_state(condition.crawl_state()),
        (None, None) => Err(Error::invalid(
            "JobName or CrawlerName in condition cannot be null or empty",
        )),
    }
}

fn check_job_state(state: JobRunState) -> Result<(), Error> {
    match state {
        JobRunState::Succeeded | JobRunState::Stopped | JobRunState::Failed | JobRunState::Timeout => Ok(()),
        JobRunState::Unspecified => Err(Error::invalid(
            "State cannot be null or empty, choose from one of the following job state: \
             [SUCCEEDED, STOPPED, FAILED, TIMEOUT]",
        )),
        JobRunState::Starting
        | JobRunState::Running
        | JobRunState::Stopping
        | JobRunState::Error
        | JobRunState::Waiting
        | JobRunState::Expired => Err(Error::invalid(
            "JobRunState should be any of: [SUCCEEDED, STOPPED, FAILED, TIMEOUT]",
        )),
    }
}

fn check_crawl_state(state: CrawlState) -> Result<(), Error> {
    match state {
        CrawlState::Succeeded | CrawlState::Failed | CrawlState::Cancelled => Ok(()),
        CrawlState::Unspecified => Err(Error::invalid(
            "State cannot be null or empty, choose from one of the following crawler state: \
             [SUCCEEDED, FAILED, CANCELLED]",
        )),
        CrawlState::Running | CrawlState::Cancelling | CrawlState::Error => Err(Error::invalid(
            "CrawlerState should be any of: [SUCCEEDED, FAILED, CANCELLED]",
        )),
    }
}

fn check_actions(trigger: &Trigger, quotas: &Quotas) -> Result<(), Error> {
    if trigger.actions.is_empty() {
        return Err(Error::invalid("Actions cannot be null or empty"));
    }
    trigger.actions.iter().try_for_each(check_action)?;
    let crawlers = trigger
        .actions
        .iter()
        .filter(|action| action.crawler_name.is_some())
        .count();
    if exceeds(crawlers, quotas.crawlers_per_trigger) {
        let limit = match quotas.crawlers_per_trigger {
            2 => "two".to_owned(),
            other => other.to_string(),
        };
        return Err(Error::invalid(format!(
            "Actions cannot contain more than {limit} crawlers"
        )));
    }
    let jobs = trigger.actions.len() - crawlers;
    if let Some(limit) = quotas.jobs_per_trigger.filter(|&limit| exceeds(jobs, limit)) {
        return Err(Error::TooManyJobsInTrigger { limit });
    }
    if trigger.r#type() == TriggerType::Conditional && starts_what_it_watches(trigger) {
        return Err(Error::invalid(
            "Job cannot be a Predicate and Action for Conditional Trigger.",
        ));
    }
    Ok(())
}

fn check_action(action: &Action) -> Result<(), Error> {
    match (&action.job_name, &action.crawler_name) {
        (Some(_), Some(_)) => Err(Error::invalid(
            "Both JobName or CrawlerName cannot be set together in an action",
        )),
        (None, None) => Err(Error::invalid(
            "JobName or CrawlerName in action cannot be null or empty",
        )),
        (Some(_), None) | (None, Some(_)) => Ok(()),
    }
}

fn starts_what_it_watches(trigger: &Trigger) -> bool {
    let mut conditions = trigger.predicate.iter().flat_map(|predicate| &predicate.conditions);
    conditions.any(|condition| {
        condition.job_name.is_some()
            && trigger
                .actions
                .iter()
                .any(|action| action.job_name == condition.job_name)
    })
}

fn exceeds(count: usize, limit: u32) -> bool {
    u32::try_from(count).map_or(true, |count| count > limit)
}
