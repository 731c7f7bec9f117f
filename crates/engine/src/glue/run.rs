//! A workflow run: what one start of a workflow has come to.

use std::{collections::BTreeMap, sync::Arc};

use treenail_planted::{Bug, is_planted};

use super::{
    history::{EventKind, HistoryEvent},
    output::Output,
    plan::{Logical, TriggerKind, WorkflowPlan},
    state::{CrawlState, EndState, JobRunState, RunStatus},
};
use crate::{
    Timestamp,
    ids::{CrawlId, JobRunId, WorkflowRunId},
};

/// What is stored of a workflow run, apart from its job runs: written again with every step, so it stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The run's id.
    pub id: WorkflowRunId,
    /// The identity of the workflow's creation.
    pub workflow_uid: String,
    /// The sequence of the plan that the run was started with and keeps.
    pub plan_sequence: u64,
    /// The run that this one resumes.
    pub previous: Option<WorkflowRunId>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Its status.
    pub status: RunStatus,
    /// What went wrong.
    pub error: Option<String>,
    /// What filled the batch of events that started it.
    pub starting_batch: Option<StartingBatch>,
    /// How its actions stand.
    pub statistics: Statistics,
    /// Whether its properties are in place.
    pub is_seeded: bool,
    /// The properties to seed: over the previous run's, when it resumes one. Empty once seeded.
    pub seed: BTreeMap<String, String>,
    /// The nodes that a resumed run starts with.
    pub roots: Vec<usize>,
    /// For each of them, the trigger that started it in the previous run.
    pub root_triggers: Vec<Option<String>>,
    /// How many events its history has.
    pub events: u64,
    /// When the last of them happened: history never goes back.
    pub last_event_at: Timestamp,
}

/// What filled the batch of events that started a run (`Glue API: StartingEventBatchCondition`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartingBatch {
    /// The number of events, which was the batch size.
    Size(u32),
    /// The window in seconds, which ran out.
    Window(u32),
}

/// How the actions of a run stand (`Glue API: WorkflowRunStatistics`).
///
/// An action is a node of a job or crawler; one that was started more than once counts each time. An action with
/// retries stands as its last attempt does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// All actions, also those that never started.
    pub total: u32,
    /// Timed out.
    pub timeout: u32,
    /// Failed.
    pub failed: u32,
    /// Stopped or cancelled.
    pub stopped: u32,
    /// Ended well.
    pub succeeded: u32,
    /// Starting, running or stopping.
    pub running: u32,
    /// Started of a definition that does not exist.
    pub errored: u32,
    /// Waiting for a free slot.
    pub waiting: u32,
}

impl Statistics {
    pub(super) fn count_job(&mut self, state: JobRunState) -> &mut u32 {
        match state {
            JobRunState::Waiting => &mut self.waiting,
            JobRunState::Starting | JobRunState::Running | JobRunState::Stopping => &mut self.running,
            JobRunState::Stopped => &mut self.stopped,
            JobRunState::Succeeded => &mut self.succeeded,
            JobRunState::Failed => &mut self.failed,
            JobRunState::Timeout => &mut self.timeout,
            JobRunState::Error => &mut self.errored,
        }
    }

    pub(super) fn count_crawl(&mut self, state: CrawlState) -> &mut u32 {
        match state {
            CrawlState::Running | CrawlState::Cancelling => &mut self.running,
            CrawlState::Cancelled => &mut self.stopped,
            CrawlState::Succeeded => &mut self.succeeded,
            CrawlState::Failed | CrawlState::Error => &mut self.failed,
        }
    }

    pub(super) fn count_end(&mut self, end: EndState) -> &mut u32 {
        match end {
            EndState::Job(state) => self.count_job(state),
            EndState::Crawl(state) => self.count_crawl(state),
        }
    }
}

/// What a resumed run shows of its previous run: written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedNodes {
    /// The resumed run.
    pub run: WorkflowRunId,
    /// For each copied node, by position, what ran in it, oldest first.
    pub nodes: BTreeMap<usize, Vec<CopiedRun>>,
}

/// What ran in a node of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopiedRun {
    /// A job run.
    Job {
        /// Its id.
        id: JobRunId,
        /// Its state at its end.
        state: JobRunState,
        /// Whether another attempt followed it.
        was_retried: bool,
        /// The trigger that started it.
        trigger_name: Option<String>,
    },
    /// A crawl.
    Crawl {
        /// Its id.
        id: CrawlId,
        /// Its state at its end.
        state: CrawlState,
        /// The trigger that started it.
        trigger_name: Option<String>,
    },
}

impl CopiedRun {
    /// How it ended, unless another attempt followed.
    #[must_use]
    pub fn end(&self) -> Option<EndState> {
        match self {
            Self::Job { was_retried: true, .. } => None,
            Self::Job { state, .. } => Some(EndState::Job(*state)),
            Self::Crawl { state, .. } => Some(EndState::Crawl(*state)),
        }
    }

    /// The trigger that started it.
    #[must_use]
    pub fn trigger_name(&self) -> Option<&str> {
        match self {
            Self::Job { trigger_name, .. } | Self::Crawl { trigger_name, .. } => trigger_name.as_deref(),
        }
    }
}

/// A workflow run that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowRun {
    /// What is stored of it.
    pub record: RunRecord,
    /// The plan that it keeps.
    pub plan: Arc<WorkflowPlan>,
    /// For each trigger, how far it is.
    pub(super) triggers: Vec<TriggerProgress>,
    /// For each node, what ran in it in this run.
    pub(super) nodes: Vec<NodeProgress>,
    /// How many job runs have not ended, or wait for their retry.
    pub(super) active: u32,
}

/// How far a trigger is in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TriggerProgress {
    /// Whether it fired, or must not fire in this run.
    pub(super) is_latched: bool,
    /// For each condition that was met, by position, the job run that met it (none for a crawl or a copied run).
    pub(super) met: BTreeMap<usize, Option<JobRunId>>,
}

/// What ran in a node of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NodeProgress {
    /// How often it was started; retries do not count.
    pub(super) activations: u32,
    /// Its job runs, oldest first, retries among them.
    pub(super) job_runs: Vec<JobRunId>,
}

impl WorkflowRun {
    pub(super) fn new(record: RunRecord, plan: Arc<WorkflowPlan>) -> Self {
        let triggers = plan
            .triggers
            .iter()
            .map(|trigger| TriggerProgress {
                is_latched: !may_fire(&trigger.kind, trigger.activated),
                met: BTreeMap::new(),
            })
            .collect();
        let nodes = vec![NodeProgress::default(); plan.graph.nodes.len()];
        Self {
            record,
            plan,
            triggers,
            nodes,
            active: 0,
        }
    }

    /// Lets the copied nodes of a previous run count: for the predicates, and in the statistics.
    pub(super) fn take_copies(&mut self, copies: &CopiedNodes) {
        let plan = Arc::clone(&self.plan);
        let downstream = plan.graph.downstream(self.record.roots.iter().copied());
        for (index, trigger) in self.triggers.iter_mut().enumerate() {
            trigger.is_latched |= !downstream.triggers.contains(&index);
        }
        for (&node, runs) in &copies.nodes {
            for end in runs.iter().filter_map(CopiedRun::end) {
                self.count_activation(node);
                *self.record.statistics.count_end(end) += 1;
                self.meet_conditions(node, end, None);
            }
        }
    }

    /// Marks the conditions that an end of a node meets; says which.
    pub(super) fn meet_conditions(
        &mut self,
        node: usize,
        end: EndState,
        job_run: Option<JobRunId>,
    ) -> Vec<(usize, usize)> {
        let plan = Arc::clone(&self.plan);
        let mut newly_met = Vec::new();
        for &(trigger, condition) in plan.graph.watchers(node) {
            let TriggerKind::Conditional(predicate) = &plan.triggers[trigger].kind else {
                continue;
            };
            let progress = &mut self.triggers[trigger];
            if !progress.is_latched
                && predicate.conditions[condition].holds(end)
                && !progress.met.contains_key(&condition)
            {
                progress.met.insert(condition, job_run);
                newly_met.push((trigger, condition));
            }
        }
        newly_met
    }

    /// Whether a trigger that has not fired has all that it waits for.
    pub(super) fn is_ready(&self, trigger: usize) -> bool {
        let progress = &self.triggers[trigger];
        let TriggerKind::Conditional(predicate) = &self.plan.triggers[trigger].kind else {
            return false;
        };
        !progress.is_latched
            && match predicate.logical {
                Logical::And => {
                    let missing = predicate.conditions.len() - progress.met.len();
                    missing == 0 || missing == 1 && is_planted(Bug::AndMissesOne)
                }
                Logical::Any => !progress.met.is_empty(),
            }
    }

    /// The job runs whose ends met a trigger's conditions: job and id.
    pub(super) fn predecessors(&self, trigger: usize) -> Vec<(String, JobRunId)> {
        let watches = self.plan.graph.watches(trigger);
        self.triggers[trigger]
            .met
            .iter()
            .filter_map(|(&condition, job_run)| {
                job_run.map(|id| (self.plan.graph.nodes[watches[condition]].name().to_owned(), id))
            })
            .collect()
    }

    /// Counts a start of a node: beyond the first, each is one more action of the run.
    pub(super) fn count_activation(&mut self, node: usize) {
        self.nodes[node].activations += 1;
        if self.nodes[node].activations > 1 {
            self.record.statistics.total += 1;
        }
    }

    /// Appends to the run's history.
    pub(super) fn tell(&mut self, now: Timestamp, kind: EventKind, out: &mut Output) {
        self.record.events += 1;
        self.record.last_event_at = self.record.last_event_at.max(now);
        let at = self.record.last_event_at;
        let event = HistoryEvent {
            run: self.record.id,
            sequence: self.record.events,
            at,
            kind,
        };
        out.changes.events.push(event);
    }
}

fn may_fire(kind: &TriggerKind, is_activated: bool) -> bool {
    match kind {
        TriggerKind::Conditional(_) => is_activated,
        TriggerKind::OnDemand | TriggerKind::Scheduled(_) | TriggerKind::Event(_) => true,
    }
}
