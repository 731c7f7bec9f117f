//! The event history: what happened in a workflow run, when, and because of what.

use super::state::{EndState, JobRunState, RunStatus};
use crate::{
    Timestamp,
    ids::{JobRunId, WorkflowRunId},
};

/// An event in the history of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The workflow run.
    pub run: WorkflowRunId,
    /// The event's place in the history: 1, 2, 3, … without gaps.
    pub sequence: u64,
    /// When it happened; never earlier than the event before it.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What made a workflow run start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// StartWorkflowRun.
    Call,
    /// StartTrigger on its ON_DEMAND trigger.
    OnDemand,
    /// The tick of its schedule at this time.
    Schedule(Timestamp),
    /// Events, by their ids.
    Events(Vec<String>),
    /// ResumeWorkflowRun of an earlier run.
    Resume(WorkflowRunId),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The run was accepted.
    Started(Cause),
    /// The run was refused: the workflow was at its limit.
    Refused(Cause),
    /// Its properties are in place: what it starts first can start.
    PropertiesSeeded,
    /// A trigger fired.
    TriggerFired {
        /// The trigger's name.
        trigger: String,
    },
    /// A condition of a trigger was met.
    ConditionMet {
        /// The trigger's name.
        trigger: String,
        /// The condition's position.
        condition: usize,
        /// How the watched node ended.
        end: EndState,
    },
    /// A job run came to be.
    JobRunCreated {
        /// The node's position.
        node: usize,
        /// The job run.
        job_run: JobRunId,
        /// The trigger that started it.
        trigger: Option<String>,
        /// Its first state.
        state: JobRunState,
    },
    /// A job run changed its state.
    JobRunChanged {
        /// The job run.
        job_run: JobRunId,
        /// Its new state.
        state: JobRunState,
    },
    /// A failed job run will be tried again.
    RetryScheduled {
        /// The failed job run.
        job_run: JobRunId,
        /// When the next attempt starts.
        at: Timestamp,
    },
    /// A job run that was handed out before its worker was lost waits for another worker.
    JobRunRequeued {
        /// The job run.
        job_run: JobRunId,
    },
    /// A job run has lasted longer than its NotifyDelayAfter.
    JobRunDelayed {
        /// The job run.
        job_run: JobRunId,
    },
    /// A crawl ended.
    CrawlEnded {
        /// The node's position.
        node: usize,
        /// How it ended.
        end: EndState,
    },
    /// A stop was requested, by a client or because the workflow was deleted.
    StopRequested,
    /// The run ended.
    Ended(RunStatus),
}
