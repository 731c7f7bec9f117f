//! Findings as sentences.

use std::fmt;

use super::{
    Attempt, AttemptStanding, Finding, Standing, Why,
    words::{crawl_word, end_word, state_word, status_word},
};
use crate::glue::{
    plan::Condition,
    state::{CrawlState, JobRunState},
};

/// How many things a sentence lists: a run may have ten thousand nodes.
const LISTED_MAX: usize = 20;

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { .. }
            | Self::Refused { .. }
            | Self::WaitsForProperties
            | Self::NothingToDo
            | Self::StopRequested { .. }
            | Self::Ended { .. }
            | Self::Failures { .. }
            | Self::NeverRan { .. } => of_run(f, self),
            Self::Attempt(attempt) => attempt.fmt(f),
            Self::MoreAttempts { count } => write!(f, "There are {count} more attempts."),
            Self::Crawled { crawler, state, at } => {
                write!(f, "The crawl of {crawler} ended as {} at {at}", crawl_word(*state))?;
                match state {
                    CrawlState::Error => write!(f, ": there is no such crawler."),
                    CrawlState::Running
                    | CrawlState::Cancelling
                    | CrawlState::Cancelled
                    | CrawlState::Succeeded
                    | CrawlState::Failed => write!(f, "."),
                }
            }
            Self::Restarted { node, previous } => {
                write!(f, "{node} was restarted: the run resumes {previous} with it.")
            }
            Self::Copied { node, previous } => {
                write!(
                    f,
                    "{node} was not restarted: it shows, and counts, what ran in {previous}."
                )
            }
            Self::NoSuchNode { node } => write!(f, "The run has no node {node}."),
            Self::Fired { .. }
            | Self::NotActivated { .. }
            | Self::Upstream { .. }
            | Self::Open { .. }
            | Self::NothingAnew { .. }
            | Self::NothingLeft { .. }
            | Self::AfterStop { .. } => of_trigger(f, self),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} (attempt {}", self.job, self.job_run, self.job_run.attempt())?;
        if let Some(trigger) = &self.trigger {
            write!(f, ", started by {trigger}")?;
        }
        write!(f, "), {}", self.stands)
    }
}

impl fmt::Display for AttemptStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitsForSlot { limit: Some(limit) } => {
                write!(f, "waits for one of the {limit} concurrent runs of the job to end.")
            }
            Self::WaitsForSlot { limit: None } => write!(f, "waits for a concurrent run of the job to end."),
            Self::WaitsForWorker { was_lost: false } => write!(f, "waits for a worker with a free slot."),
            Self::WaitsForWorker { was_lost: true } => {
                write!(
                    f,
                    "waits for another worker: the one that had it was lost before it started."
                )
            }
            Self::HandedOut { worker } => {
                write!(
                    f,
                    "was handed to the worker {}, which has not started it yet.",
                    worker.as_str()
                )
            }
            Self::Runs { since, is_late: false } => write!(f, "runs since {since}."),
            Self::Runs { since, is_late: true } => {
                write!(f, "runs since {since}, longer than its NotifyDelayAfter.")
            }
            Self::Stops(why) => write!(f, "is being ended by its worker{}.", why_word(*why)),
            Self::Retries { at, error } => {
                write!(f, "failed and is tried again at {at}{}", because(error.as_deref()))
            }
            Self::Ended {
                state,
                at,
                error,
                stopped,
            } => {
                write!(f, "ended as {} at {at}", state_word(*state))?;
                match stopped {
                    Some(why) => write!(f, "{}.", why_word(*why)),
                    None => write!(f, "{}", because(error.as_deref())),
                }
            }
        }
    }
}

/// What concerns the run; nothing else is asked for.
fn of_run(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    match finding {
        Finding::Started { cause, at } => write!(f, "The run was started by {cause} at {at}."),
        Finding::Refused { cause, at, limit } => {
            write!(
                f,
                "The run was refused at {at}, when {cause} would have started it: the workflow had "
            )?;
            match limit {
                Some(limit) => write!(f, "all {limit} runs that its MaxConcurrentRuns allows."),
                None => write!(f, "as many runs as it may have."),
            }
        }
        Finding::WaitsForProperties => write!(f, "It waits until the properties-store has its properties."),
        Finding::NothingToDo => write!(
            f,
            "The workflow has no trigger that starts it, so a run has nothing to do."
        ),
        Finding::StopRequested { at } => write!(f, "A stop was requested at {at}; nothing starts after that."),
        Finding::Ended { status, at } => write!(f, "The run ended as {} at {at}.", status_word(*status)),
        Finding::Failures { nodes } => {
            write!(f, "Not all jobs succeeded, which does not fail a run: ")?;
            list(f, nodes, |f, failure| {
                write!(f, "{} ended as {}", failure.node, end_word(failure.end))?;
                failure
                    .error
                    .as_ref()
                    .map_or(Ok(()), |error| write!(f, " ({})", error.trim_end()))
            })
        }
        Finding::NeverRan { nodes } => {
            write!(f, "These never ran: ")?;
            list(f, nodes, |f, node| write!(f, "{node}"))
        }
        _ => Ok(()),
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
        Finding::NothingAnew { trigger } => write!(
            f,
            "The trigger {trigger} has not fired: what the run before this one left meets its conditions, but it fires only when something that it watches ends anew."
        ),
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
        Standing::Going(attempt) => going(f, attempt),
        Standing::EndedAs { end, job_run: None } => write!(f, "ended as {}", end_word(*end)),
        Standing::EndedAs {
            end,
            job_run: Some(job_run),
        } => {
            write!(
                f,
                "ended as {} ({job_run}, attempt {})",
                end_word(*end),
                job_run.attempt()
            )
        }
        Standing::TooLate(end) => {
            write!(f, "ended as {} only when the run had been stopped", end_word(*end))
        }
        Standing::Outside { job_run, own } => {
            if let Some(own) = own {
                write!(f, "ended as {} here and ", end_word(*own))?;
            }
            write!(
                f,
                "did so only in {job_run}, which this workflow run did not start and which therefore does not count"
            )
        }
    }
}

/// How an attempt stands that a condition waits for.
fn going(f: &mut fmt::Formatter<'_>, attempt: &Attempt) -> fmt::Result {
    let id = attempt.job_run;
    let number = id.attempt();
    match &attempt.stands {
        AttemptStanding::WaitsForSlot { limit } => {
            write!(f, "is {} (", state_word(JobRunState::Waiting))?;
            match limit {
                Some(limit) => write!(f, "{id}, for one of the {limit} concurrent runs of the job to end)"),
                None => write!(f, "{id}, for a concurrent run of the job to end)"),
            }
        }
        AttemptStanding::WaitsForWorker { .. } => {
            write!(f, "is STARTING ({id}, attempt {number}, waits for a worker)")
        }
        AttemptStanding::HandedOut { worker } => {
            write!(f, "is STARTING ({id}, attempt {number}, handed to {})", worker.as_str())
        }
        AttemptStanding::Runs { since, .. } => write!(f, "is RUNNING ({id}, attempt {number}, since {since})"),
        AttemptStanding::Stops(why) => write!(f, "is STOPPING ({id}, attempt {number}){}", why_word(*why)),
        AttemptStanding::Retries { at, .. } => {
            write!(f, "failed and is tried again at {at} ({id}, attempt {number})")
        }
        AttemptStanding::Ended { state, at, .. } => {
            write!(f, "ended as {} at {at} ({id}, attempt {number})", state_word(*state))
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut write_one: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().take(LISTED_MAX).enumerate() {
        if index > 0 {
            write!(f, ", ")?;
        }
        write_one(f, item)?;
    }
    match items.len().saturating_sub(LISTED_MAX) {
        0 => write!(f, "."),
        more => write!(f, ", and {more} more."),
    }
}

fn because(error: Option<&str>) -> String {
    error.map_or_else(|| ".".to_owned(), |error| format!(": {error}"))
}

fn why_word(why: Why) -> &'static str {
    match why {
        Why::RunStopped => ", because the run was stopped",
        Why::Stopped => ", because it alone was stopped",
        Why::Timeout => ", because it ran longer than its Timeout",
    }
}
