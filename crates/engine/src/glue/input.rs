//! Everything that can happen to a shard, and the answers.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    plan::{JobPlan, TriggerPlan, WorkflowPlan},
    run::{CopiedRun, RunRecord},
};
use crate::{
    ids::{JobRunId, WorkflowRunId},
    task::WorkerId,
};

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A workflow was created or changed.
    PublishWorkflow(Arc<WorkflowPlan>),
    /// A trigger outside workflows was created or changed.
    PublishTrigger(Arc<TriggerPlan>),
    /// A job was created or changed.
    PublishJob(Arc<JobPlan>),
    /// A workflow was deleted: its runs are stopped and forgotten.
    DeleteWorkflow {
        /// Its name.
        name: String,
        /// The identity of the creation that was deleted.
        uid: String,
    },
    /// A trigger outside workflows was deleted.
    DeleteTrigger {
        /// Its name.
        name: String,
        /// The identity of the creation that was deleted.
        uid: String,
    },
    /// A job was deleted: runs in flight go on, waiting ones do not start.
    DeleteJob {
        /// Its name.
        name: String,
        /// The identity of the creation that was deleted.
        uid: String,
    },
    /// `Glue API: StartWorkflowRun`.
    StartWorkflowRun {
        /// The workflow's name.
        workflow: String,
        /// The properties, laid over the workflow's.
        properties: BTreeMap<String, String>,
    },
    /// `Glue API: StopWorkflowRun` of a run that has not ended.
    StopWorkflowRun {
        /// The run.
        run: WorkflowRunId,
    },
    /// `Glue API: ResumeWorkflowRun`.
    ResumeWorkflowRun {
        /// The workflow's name.
        workflow: String,
        /// The run to resume, as it is stored.
        previous: Box<PreviousRun>,
        /// The ids of the nodes to restart.
        node_ids: Vec<String>,
    },
    /// The properties of a run are in place.
    Seeded {
        /// The run.
        run: WorkflowRunId,
    },
    /// `Glue API: StartJobRun`.
    StartJobRun {
        /// The job's name.
        job: String,
        /// The run that is tried again; known to exist.
        previous: Option<JobRunId>,
        /// What differs from the job's definition.
        overrides: Box<JobRunOverrides>,
    },
    /// `Glue API: BatchStopJobRun`, of one run that has not ended.
    StopJobRun {
        /// The job run.
        job_run: JobRunId,
    },
    /// `Glue API: StartTrigger` of an ON_DEMAND trigger.
    FireTrigger {
        /// The workflow that it starts.
        workflow: Option<String>,
        /// The trigger's name.
        trigger: String,
    },
    /// An event arrived for a workflow.
    Notify(NewEvent),
    /// Time has passed: whatever is due falls due.
    Tick,
    /// A worker was found for a queued job run.
    Leased {
        /// The job run.
        job_run: JobRunId,
        /// The worker.
        worker: WorkerId,
    },
    /// A worker has started a job run's process.
    TaskStarted {
        /// The job run.
        job_run: JobRunId,
        /// The token of the hand-out.
        token: u64,
    },
    /// A worker says how a job run ended.
    TaskFinished {
        /// The job run.
        job_run: JobRunId,
        /// The token of the hand-out.
        token: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// The worker that held a job run is gone.
    LeaseLost {
        /// The job run.
        job_run: JobRunId,
        /// The token of the hand-out.
        token: u64,
    },
}

/// An event for a workflow that an EVENT trigger starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The workflow's name.
    pub workflow: String,
    /// The event's id.
    pub id: String,
}

/// What a start of a job run says differently from the job's definition (`Glue API: StartJobRun`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobRunOverrides {
    /// The arguments; `None` when the start names none.
    pub arguments: Option<BTreeMap<String, String>>,
    /// The settings; those that are not set are the job's.
    pub settings: super::plan::Settings,
}

/// How a worker's execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The work was done.
    Succeeded,
    /// The work failed.
    Failed {
        /// What went wrong.
        error: String,
        /// More about it.
        detail: Option<String>,
    },
    /// The work was ended because of a cancel, or because the worker shut down.
    Cancelled,
}

/// A run to resume, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviousRun {
    /// The run.
    pub record: RunRecord,
    /// The plan that it kept.
    pub plan: Arc<WorkflowPlan>,
    /// For each node that has any, what ran in it (copied from earlier runs or its own), oldest first.
    pub nodes: BTreeMap<usize, Vec<CopiedRun>>,
}

/// The answer to an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// A workflow run was started; it is ready when [`super::Effect::RunReady`] says so.
    WorkflowRun(WorkflowRunId),
    /// A run was resumed: the new run, and the ids of the nodes that it restarts.
    Resumed(WorkflowRunId, Vec<String>),
    /// A job run was started.
    JobRun(JobRunId),
}

/// Why an input was refused. A refused input changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// There is no such workflow.
    #[error("no workflow of this name")]
    NoWorkflow,
    /// There is no such workflow run that has not ended.
    #[error("no such workflow run")]
    NoWorkflowRun,
    /// There is no such trigger.
    #[error("no trigger named {0}")]
    NoTrigger(String),
    /// There is no such job.
    #[error("no job named {0}")]
    NoJob(String),
    /// There is no such job run that has not ended.
    #[error("no such job run")]
    NoJobRun,
    /// The workflow has as many runs as it may have.
    #[error("concurrent runs exceeded for workflow {0}")]
    WorkflowAtLimit(String),
    /// The job has as many runs as it may have.
    #[error("concurrent runs exceeded for job {0}")]
    JobAtLimit(String),
    /// The run's status does not allow it.
    #[error("workflow run {run} is {status:?}")]
    IllegalStatus {
        /// The run.
        run: WorkflowRunId,
        /// Its status.
        status: super::state::RunStatus,
    },
    /// A resume names no node.
    #[error("no node to resume")]
    NoNodes,
    /// A resume names a node that is no job or crawler, or that was never attempted.
    #[error("node {node} was not run in workflow run {run}")]
    NodeNotRun {
        /// The node's id.
        node: String,
        /// The run to resume.
        run: WorkflowRunId,
    },
    /// The workflow is not started by events.
    #[error("workflow {0} does not have an event starting trigger")]
    NotStartedByEvents(String),
    /// The worker's word about a task does not count: another hand-out followed, or the task has ended.
    #[error("the task is no longer the worker's")]
    StaleToken,
}
