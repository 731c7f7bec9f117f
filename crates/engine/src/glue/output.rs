//! What a step gives: the rows that changed, and what follows once they are durable.

use std::collections::BTreeMap;

use super::{
    crawl::Crawl,
    history::HistoryEvent,
    job_run::JobRun,
    run::{CopiedNodes, RunRecord},
};
use crate::{
    Timestamp,
    ids::{CrawlId, JobRunId, WorkflowRunId},
    task::WorkerId,
};

/// What steps give. Several steps may share one output: the last value of a row wins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// The rows that changed.
    pub changes: Changes,
    /// What follows once the rows are durable, in order.
    pub effects: Vec<Effect>,
}

/// The rows that changed; a transaction as a value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Workflow runs.
    pub runs: BTreeMap<WorkflowRunId, RunRecord>,
    /// Job runs.
    pub job_runs: BTreeMap<JobRunId, JobRun>,
    /// Crawls.
    pub crawls: BTreeMap<CrawlId, Crawl>,
    /// What resumed runs show of their previous runs.
    pub copies: Vec<CopiedNodes>,
    /// When schedules tick next; `None` removes the row.
    pub schedules: BTreeMap<ScheduleKey, Option<Timestamp>>,
    /// The batches of events that wait, by workflow; `None` removes the row.
    pub batches: BTreeMap<String, Option<EventBatch>>,
    /// What was appended to histories, in order.
    pub events: Vec<HistoryEvent>,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// Names a schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScheduleKey {
    /// The schedule that starts a workflow.
    Workflow {
        /// The workflow's name.
        workflow: String,
        /// The trigger's name.
        trigger: String,
    },
    /// The schedule of a trigger outside workflows.
    Trigger {
        /// The trigger's name.
        trigger: String,
    },
}

/// The events that wait for a batch to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBatch {
    /// When the first of them arrived.
    pub opened_at: Timestamp,
    /// When the window of the batch ends.
    pub closes_at: Timestamp,
    /// Their ids, in the order of arrival.
    pub event_ids: Vec<String>,
}

/// What follows from a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Put the run's properties in place, then answer with [`super::Input::Seeded`].
    Seed {
        /// The run.
        run: WorkflowRunId,
        /// The workflow's name.
        workflow: String,
        /// The run whose properties are copied first.
        copy_from: Option<WorkflowRunId>,
        /// The properties to lay over them.
        properties: BTreeMap<String, String>,
    },
    /// The run has its properties: whoever started it can be answered.
    RunReady(WorkflowRunId),
    /// The run has ended.
    RunEnded {
        /// The run.
        run: WorkflowRunId,
        /// Whether its workflow was deleted: nobody finds the run any more.
        is_orphan: bool,
    },
    /// Find a worker for the job run, then answer with [`super::Input::Leased`].
    Enqueue(JobRunId),
    /// The job run no longer needs a worker.
    Withdraw(JobRunId),
    /// Send the job run to the worker.
    Dispatch {
        /// The job run.
        job_run: JobRunId,
        /// The worker that leases it.
        worker: WorkerId,
    },
    /// Tell the worker to end the job run.
    Cancel {
        /// The job run.
        job_run: JobRunId,
        /// The token of the hand-out.
        token: u64,
        /// The worker that holds it.
        worker: WorkerId,
    },
    /// The job run has ended: its worker's slot is free.
    JobRunEnded(JobRunId),
}
