//! Findings and events as sentences.

use std::fmt;

use super::{Attempt, AttemptStanding, Finding, Standing};
use crate::glue::{
    history::{Cause, EventKind},
    plan::Condition,
    state::{CrawlState, EndState, JobRunState, RunStatus},
};

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { cause, at } => write!(f, "The run was started by {cause} at {at}."),
            Self::Refused { cause, at, limit } => {
                write!(
                    f,
                    "The run was refused at {at}, when {cause} would have started it: the workflow had "
                )?;
                match limit {
                    Some(limit) => write!(f, "all {limit} runs that its MaxConcurrentRuns allows."),
                    None => write!(f, "as many runs as it may have."),
                }
            }
            Self::WaitsForProperties => write!(f, "It waits until the properties-store has its properties."),
            Self::NothingToDo => write!(
                f,
                "The workflow has no trigger that starts it, so a run has nothing to do."
            ),
            Self::StopRequested { at } => write!(f, "A stop was requested at {at}; nothing starts after that."),
            Self::Ended { status, at } => write!(f, "The run ended as {} at {at}.", status_word(*status)),
            Self::Failures { nodes } => {
                write!(f, "Not all jobs succeeded, which does not fail a run: ")?;
                list(f, nodes, |f, (node, end)| {
                    write!(f, "{node} ended as {}", end_word(*end))
                })
            }
            Self::NeverRan { nodes } => {
                write!(f, "These never ran: ")?;
                list(f, nodes, |f, node| write!(f, "{node}"))
            }
            Self::Attempt(attempt) => attempt.fmt(f),
            Self::Copied { node, previous } => {
                write!(
                    f,
                    "{node} was not restarted: it shows, and counts, what ran in {previous}."
                )
            }
            Self::Fired { .. }
            | Self::NotActivated { .. }
            | Self::Upstream { .. }
            | Self::Open { .. }
            | Self::NothingLeft { .. }
            | Self::AfterStop { .. } => of_trigger(f, self),
            Self::NoSuchNode { node } => write!(f, "The run has no node {node}."),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} (attempt {}", self.job, self.job_run, self.job_run.attempt())?;
        if let Some(trigger) = &self.trigger {
            write!(f, ", started by {trigger}")?;
        }
        write!(f, "), ")?;
        match &self.stands {
            AttemptStanding::WaitsForSlot { limit } => {
                write!(f, "waits for one of the {limit} concurrent runs of the job to end.")
            }
            AttemptStanding::WaitsForWorker { was_lost: false } => write!(f, "waits for a worker with a free slot."),
            AttemptStanding::WaitsForWorker { was_lost: true } => {
                write!(
                    f,
                    "waits for another worker: the one that had it was lost before it started."
                )
            }
            AttemptStanding::HandedOut { worker } => {
                write!(
                    f,
                    "was handed to the worker {}, which has not started it yet.",
                    worker.as_str()
                )
            }
            AttemptStanding::Runs { since } => write!(f, "runs since {since}."),
            AttemptStanding::Stops => write!(f, "is being ended by its worker."),
            AttemptStanding::Retries { at, error } => {
                write!(f, "failed and is tried again at {at}{}", because(error.as_deref()))
            }
            AttemptStanding::Ended { state, at, error } => {
                write!(
                    f,
                    "ended as {} at {at}{}",
                    state_word(*state),
                    because(error.as_deref())
                )
            }
        }
    }
}

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

/// What concerns a trigger; nothing else is asked for.
fn of_trigger(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    match finding {
        Finding::Fired { trigger, at, because } if because.is_empty() => {
            write!(f, "The trigger {trigger} fired at {at}: it starts the run.")
        }
        Finding::Fired { trigger, at, because } => {
            write!(f, "The trigger {trigger} fired at {at}, once and for all, because ")?;
            list(f, because, |f, (node, end)| {
                write!(f, "{node} ended as {}", end_word(*end))
            })
        }
        Finding::NotActivated { trigger } => write!(
            f,
            "The trigger {trigger} cannot fire in this run: it was not ACTIVATED when the run started, and triggers are frozen then."
        ),
        Finding::Upstream { trigger } => write!(
            f,
            "The trigger {trigger} does not fire in this run: it lies before the nodes that were resumed."
        ),
        Finding::Open {
            trigger,
            needs_all,
            conditions,
        } => {
            let which = if *needs_all {
                "all of its conditions"
            } else {
                "any of its conditions"
            };
            write!(f, "The trigger {trigger} needs {which} and has not fired: ")?;
            list(f, conditions, |f, (condition, standing)| open(f, condition, standing))
        }
        Finding::NothingLeft { trigger } => {
            write!(
                f,
                "The run ended without {trigger}: nothing was left that could meet its conditions."
            )
        }
        Finding::AfterStop { trigger } => {
            write!(f, "The trigger {trigger} cannot fire any more: the run was stopped.")
        }
        _ => Ok(()),
    }
}

fn open(f: &mut fmt::Formatter<'_>, condition: &Condition, standing: &Standing) -> fmt::Result {
    let (name, wanted) = match condition {
        Condition::Job(job, state) => (job, state_word(*state)),
        Condition::Crawler(crawler, state) => (crawler, crawl_word(*state)),
    };
    write!(f, "{name} is to end as {wanted} and ")?;
    match standing {
        Standing::NotStarted => write!(f, "has not run"),
        Standing::Going(state) => write!(f, "is {}", state_word(*state)),
        Standing::EndedAs(end) => write!(f, "ended as {}", end_word(*end)),
        Standing::Outside(job_run) => write!(
            f,
            "did so only in {job_run}, which this workflow run did not start and which therefore does not count"
        ),
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut write_one: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            write!(f, ", ")?;
        }
        write_one(f, item)?;
    }
    write!(f, ".")
}

fn because(error: Option<&str>) -> String {
    error.map_or_else(|| ".".to_owned(), |error| format!(": {error}"))
}

fn end_word(end: EndState) -> &'static str {
    match end {
        EndState::Job(state) => state_word(state),
        EndState::Crawl(state) => crawl_word(state),
    }
}

fn state_word(state: JobRunState) -> &'static str {
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

fn crawl_word(state: CrawlState) -> &'static str {
    match state {
        CrawlState::Running => "RUNNING",
        CrawlState::Cancelling => "CANCELLING",
        CrawlState::Cancelled => "CANCELLED",
        CrawlState::Succeeded => "SUCCEEDED",
        CrawlState::Failed => "FAILED",
        CrawlState::Error => "ERROR",
    }
}

fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "RUNNING",
        RunStatus::Completed => "COMPLETED",
        RunStatus::Stopping => "STOPPING",
        RunStatus::Stopped => "STOPPED",
        RunStatus::Error => "ERROR",
    }
}
