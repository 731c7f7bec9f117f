//! The event history, as it is stored.

use treenail_engine::{
    Timestamp,
    glue::{Cause, EndState, EventKind},
};
use treenail_proto::glue::v1::CrawlState;
use treenail_proto::internal::v1::{
    StoredCause, StoredConditionMet, StoredCrawlEnded, StoredEvent, StoredEventIds, StoredJobRunChanged,
    StoredJobRunCreated, StoredMark, StoredRetryScheduled, StoredTriggerFired, stored_cause, stored_event::Kind,
};

use super::{plan, to_u32, workflow_run};

/// An event as it is stored.
pub(crate) fn to_stored(event: &EventKind) -> StoredEvent {
    let kind = match event {
        EventKind::Started(cause) => Kind::Started(to_cause(cause)),
        EventKind::Refused(cause) => Kind::Refused(to_cause(cause)),
        EventKind::PropertiesSeeded => Kind::PropertiesSeeded(StoredMark {}),
        EventKind::TriggerFired { trigger } => Kind::TriggerFired(StoredTriggerFired {
            trigger: trigger.clone(),
        }),
        EventKind::ConditionMet {
            trigger,
            condition,
            end,
        } => Kind::ConditionMet(condition_met(trigger, *condition, *end)),
        EventKind::JobRunCreated {
            node,
            job_run,
            trigger,
            state,
        } => Kind::JobRunCreated(StoredJobRunCreated {
            node: to_u32(*node),
            job_run: job_run.to_string(),
            trigger: trigger.clone().unwrap_or_default(),
            state: plan::to_job_run_state(*state).into(),
        }),
        EventKind::JobRunChanged { job_run, state } => Kind::JobRunChanged(StoredJobRunChanged {
            job_run: job_run.to_string(),
            state: plan::to_job_run_state(*state).into(),
        }),
        EventKind::RetryScheduled { job_run, at } => Kind::RetryScheduled(StoredRetryScheduled {
            job_run: job_run.to_string(),
            at_ms: at.as_millis(),
        }),
        EventKind::JobRunRequeued { job_run } => Kind::JobRunRequeued(job_run.to_string()),
        EventKind::JobRunDelayed { job_run } => Kind::JobRunDelayed(job_run.to_string()),
        EventKind::CrawlEnded { node, end } => Kind::CrawlEnded(StoredCrawlEnded {
            node: to_u32(*node),
            state: match end {
                EndState::Crawl(state) => plan::to_crawl_state(*state).into(),
                EndState::Job(_) => CrawlState::Unspecified.into(),
            },
        }),
        EventKind::StopRequested => Kind::StopRequested(StoredMark {}),
        EventKind::Ended(status) => Kind::Ended(workflow_run::to_status(*status).into()),
    };
    StoredEvent { kind: Some(kind) }
}

fn condition_met(trigger: &str, condition: usize, end: EndState) -> StoredConditionMet {
    let mut met = StoredConditionMet {
        trigger: trigger.to_owned(),
        condition: to_u32(condition),
        ..StoredConditionMet::default()
    };
    match end {
        EndState::Job(state) => met.job_run_state = plan::to_job_run_state(state).into(),
        EndState::Crawl(state) => met.crawl_state = plan::to_crawl_state(state).into(),
    }
    met
}

fn to_cause(cause: &Cause) -> StoredCause {
    let cause = match cause {
        Cause::Call => stored_cause::Cause::Call(StoredMark {}),
        Cause::OnDemand => stored_cause::Cause::OnDemand(StoredMark {}),
        Cause::Schedule(at) => stored_cause::Cause::ScheduleMs(Timestamp::as_millis(*at)),
        Cause::Events(ids) => stored_cause::Cause::Events(StoredEventIds { ids: ids.clone() }),
        Cause::Resume(run) => stored_cause::Cause::Resume(run.to_string()),
    };
    StoredCause { cause: Some(cause) }
}
