//! Causes, events and states in words.

use std::fmt;

use crate::glue::{
    history::{Cause, EventKind},
    state::{CrawlState, EndState, JobRunState, RunStatus},
};

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call => write!(f, "a call of StartWorkflowRun"),
            Self::OnDemand => write!(f, "a call of StartTrigger"),
            Self::Schedule(tick) => write!(f, "the tick of its schedule at {tick}"),
            Self::Events(ids) if ids.len() == 1 => write!(f, "the event {}", ids[0]),
            Self::Events(ids) => write!(f, "a batch of {} events", ids.len()),
            Self::Resume(run) => write!(f, "a call of ResumeWorkflowRun for {run}"),
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(cause) => write!(f, "started by {cause}"),
            Self::Refused(cause) => write!(f, "refused to {cause}: the workflow was at its limit"),
            Self::PropertiesSeeded => write!(f, "has its properties"),
            Self::TriggerFired { trigger } => write!(f, "trigger {trigger} fired"),
            Self::ConditionMet {
                trigger,
                condition,
                end,
            } => {
                let number = condition + 1;
                write!(
                    f,
                    "condition {number} of trigger {trigger} was met by {}",
                    end_word(*end)
                )
            }
            Self::JobRunCreated {
                job_run,
                trigger: Some(trigger),
                state,
                ..
            } => write!(
                f,
                "{job_run} was started by trigger {trigger} as {}",
                state_word(*state)
            ),
            Self::JobRunCreated { job_run, state, .. } => write!(f, "{job_run} was started as {}", state_word(*state)),
            Self::JobRunChanged { job_run, state } => write!(f, "{job_run} is {}", state_word(*state)),
            Self::RetryScheduled { job_run, at } => write!(f, "{job_run} is tried again at {at}"),
            Self::JobRunRequeued { job_run } => write!(f, "{job_run} waits for another worker: its own was lost"),
            Self::JobRunDelayed { job_run } => write!(f, "{job_run} has lasted longer than its NotifyDelayAfter"),
            Self::CrawlEnded { end, .. } => write!(f, "a crawl ended as {}", end_word(*end)),
            Self::StopRequested => write!(f, "a stop was requested"),
            Self::Ended(status) => write!(f, "ended as {}", status_word(*status)),
        }
    }
}

pub(super) fn end_word(end: EndState) -> &'static str {
    match end {
        EndState::Job(state) => state_word(state),
        EndState::Crawl(state) => crawl_word(state),
    }
}

pub(super) fn state_word(state: JobRunState) -> &'static str {
    match state {
        JobRunState::Waiting => "WAITING",
        JobRunState::Starting => "STARTING",
        JobRunState::Running => "RUNNING",
        JobRunState::Stopping => "STOPPING",
        JobRunState::Stopped => "STOPPED",
        JobRunState::Succeeded => "SUCCEEDED",
        JobRunState::Failed => "FAILED",
        JobRunState::Timeout => "TIMEOUT",
        JobRunState::Error => "ERROR",
    }
}

pub(super) fn crawl_word(state: CrawlState) -> &'static str {
    match state {
        CrawlState::Running => "RUNNING",
        CrawlState::Cancelling => "CANCELLING",
        CrawlState::Cancelled => "CANCELLED",
        CrawlState::Succeeded => "SUCCEEDED",
        CrawlState::Failed => "FAILED",
        CrawlState::Error => "ERROR",
    }
}

pub(super) fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "RUNNING",
        RunStatus::Completed => "COMPLETED",
        RunStatus::Stopping => "STOPPING",
        RunStatus::Stopped => "STOPPED",
        RunStatus::Error => "ERROR",
    }
}
