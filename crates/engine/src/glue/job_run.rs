//! A job run: one attempt to run a job.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    plan::{JobPlan, Settings},
    state::JobRunState,
};
use crate::{
    Timestamp,
    ids::{ChainId, JobRunId, WorkflowRunId},
    task::WorkerId,
};

/// A job run.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRun {
    /// The run's id.
    pub id: JobRunId,
    /// What was decided when its first attempt started; shared by all attempts.
    pub spec: Arc<JobRunSpec>,
    /// The attempt or run that this one follows.
    pub previous: Option<JobRunId>,
    /// Its state.
    pub state: JobRunState,
    /// Why it is in its state, in a sentence.
    pub state_detail: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When its state last changed.
    pub modified_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When its process started.
    pub running_since: Option<Timestamp>,
    /// The fencing token of the latest hand-out; 0 before the first.
    pub token: u64,
    /// The worker that holds it.
    pub lease: Option<WorkerId>,
    /// Why it is STOPPING.
    pub ending: Option<Ending>,
    /// When the next attempt starts; set while a FAILED run waits for it.
    pub retry_at: Option<Timestamp>,
    /// Whether it was reported as delayed (NotifyDelayAfter).
    pub delayed: bool,
}

impl JobRun {
    /// How many whole seconds its process ran, up to a time (`Glue API: JobRun.ExecutionTime`).
    #[must_use]
    pub fn execution_seconds(&self, now: Timestamp) -> i64 {
        let until = self.completed_at.unwrap_or(now);
        self.running_since
            .map_or(0, |since| (until.as_millis() - since.as_millis()).max(0) / 1000)
    }

    /// Whether nothing more will happen to this attempt.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state.is_terminal() && self.retry_at.is_none()
    }

    /// When its timeout falls due.
    #[must_use]
    pub fn timeout_at(&self) -> Option<Timestamp> {
        minutes_after(self.running_since?, self.spec.settings.timeout_minutes?)
    }

    /// When it is reported as delayed.
    #[must_use]
    pub fn delayed_at(&self) -> Option<Timestamp> {
        if self.delayed {
            None
        } else {
            minutes_after(self.running_since?, self.spec.settings.notify_delay_minutes?)
        }
    }
}

fn minutes_after(start: Timestamp, minutes: u32) -> Option<Timestamp> {
    Some(start.plus_millis(i64::from(minutes) * 60_000))
}

/// Why a job run is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A stop was requested; the run ends STOPPED.
    Stop,
    /// It ran longer than its Timeout; the run ends TIMEOUT.
    Timeout,
}

/// What is decided when a job run's first attempt starts.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRunSpec {
    /// The job's name.
    pub job_name: String,
    /// The job as it was; `None` when there was none.
    pub plan: Option<Arc<JobPlan>>,
    /// What started it.
    pub origin: Origin,
    /// The trigger that started it.
    pub trigger_name: Option<String>,
    /// The arguments that it was started with, without the job's own.
    pub arguments: Option<BTreeMap<String, String>>,
    /// The job's settings, overridden by those of the start.
    pub settings: Settings,
    /// The job runs whose ends fired the trigger: job and id.
    pub predecessors: Vec<(String, JobRunId)>,
}

impl JobRunSpec {
    /// The arguments that the script sees: defaults, overlaid by the run's, overlaid by the non-overridable ones
    /// (`Glue developer guide: job arguments`).
    #[must_use]
    pub fn merged_arguments(&self) -> BTreeMap<String, String> {
        let mut merged = BTreeMap::new();
        if let Some(plan) = &self.plan {
            merged.extend(plan.default_arguments.clone());
        }
        merged.extend(self.arguments.clone().unwrap_or_default());
        if let Some(plan) = &self.plan {
            merged.extend(plan.non_overridable_arguments.clone());
        }
        merged
    }

    /// The workflow run that it belongs to.
    #[must_use]
    pub fn workflow_run(&self) -> Option<WorkflowRunId> {
        match self.origin {
            Origin::Workflow { run, .. } => Some(run),
            Origin::Call | Origin::Chain(_) => None,
        }
    }
}

/// What started a job run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// StartJobRun.
    Call,
    /// A workflow run, at a node of its graph.
    Workflow {
        /// The workflow run.
        run: WorkflowRunId,
        /// The node's position.
        node: usize,
    },
    /// A trigger outside workflows.
    Chain(ChainId),
}
