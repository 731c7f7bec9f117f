//! All that one account-region is running, and the one place where it changes.

mod actions;
mod chains;
mod events;
mod invariants;
mod job_runs;
mod publish;
mod rebuild;
mod resume;
mod schedules;
mod stop;
mod tasks;
mod workflow_runs;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

pub use rebuild::Snapshot;
use treenail_planted::{Bug, is_planted};

use super::{
    chain::Chain,
    input::{Input, Rejected, Reply},
    job_run::JobRun,
    output::{Effect, EventBatch, Output},
    plan::{JobPlan, TriggerPlan, WorkflowPlan},
    run::WorkflowRun,
    state::{Component, EndState},
    timer::{Timer, Timers},
};
use crate::{
    Timestamp,
    ids::{ChainId, Ids, JobRunId, WorkflowRunId},
};

/// What AWS leaves open and an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long after a failed attempt the next one starts, in milliseconds.
    pub retry_delay_ms: i64,
    /// How late a tick of a schedule may still start its work, in milliseconds; older ones are skipped.
    pub misfire_window_ms: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry_delay_ms: 1_000,
            misfire_window_ms: 15 * 60_000,
        }
    }
}

/// All that one account-region is running: a cache of rows, rebuilt from them at any time.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard {
    account: String,
    region: String,
    policy: Policy,
    ids: Ids,
    jobs: BTreeMap<String, Arc<JobPlan>>,
    /// The slots of jobs, by the identity of their creation; only those in use.
    slots: BTreeMap<String, Slots>,
    workflows: BTreeMap<String, Workflow>,
    triggers: BTreeMap<String, StandaloneTrigger>,
    /// The conditional triggers outside workflows, by what they watch.
    watchers: BTreeMap<Component, BTreeSet<String>>,
    runs: BTreeMap<WorkflowRunId, WorkflowRun>,
    /// The runs that were refused, until their properties are in place.
    refused: BTreeMap<WorkflowRunId, WorkflowRun>,
    chains: BTreeMap<ChainId, Chain>,
    /// The job runs that have not ended, or wait for their retry.
    job_runs: BTreeMap<JobRunId, JobRun>,
    timers: Timers,
    /// What a step has still to do; empty between steps.
    work: Work,
}

/// What a step has still to do. A queue rather than calls: one end may start what ends at once, and so on, as long as
/// a workflow is.
#[derive(Debug, Clone, PartialEq, Default)]
struct Work {
    /// Job runs and crawls that have ended for good, and whose triggers have not been looked at.
    ended: VecDeque<Ended>,
    /// Workflow runs that changed.
    touched: BTreeSet<WorkflowRunId>,
}

/// The end of an activation.
#[derive(Debug, Clone, PartialEq)]
enum Ended {
    /// In a workflow run.
    Node(NodeEnd),
    /// In a chain.
    Link(LinkEnd),
}

/// The end of what ran in a node of a workflow run.
#[derive(Debug, Clone, Copy, PartialEq)]
struct NodeEnd {
    run: WorkflowRunId,
    node: usize,
    end: EndState,
    job_run: Option<JobRunId>,
}

/// The end of what ran in a chain.
#[derive(Debug, Clone, PartialEq)]
struct LinkEnd {
    chain: ChainId,
    component: Component,
    end: EndState,
    job_run: Option<JobRunId>,
}

/// The runs of a job that hold a slot, and those that wait for one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Slots {
    taken: u32,
    waiting: VecDeque<JobRunId>,
}

/// A workflow that can be started.
#[derive(Debug, Clone, PartialEq)]
struct Workflow {
    plan: Arc<WorkflowPlan>,
    /// How many of its runs are RUNNING or STOPPING.
    running: u32,
    /// The events that wait.
    batch: Option<EventBatch>,
    /// When its schedule ticks next.
    next_tick: Option<Timestamp>,
}

/// A trigger outside workflows.
#[derive(Debug, Clone, PartialEq)]
struct StandaloneTrigger {
    plan: Arc<TriggerPlan>,
    /// When its schedule ticks next.
    next_tick: Option<Timestamp>,
}

impl Shard {
    /// Begins with nothing; ids are drawn from the seed.
    #[must_use]
    pub fn new(account: &str, region: &str, policy: Policy, seed: [u8; 32]) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            policy,
            ids: Ids::new(seed),
            jobs: BTreeMap::new(),
            slots: BTreeMap::new(),
            workflows: BTreeMap::new(),
            triggers: BTreeMap::new(),
            watchers: BTreeMap::new(),
            runs: BTreeMap::new(),
            refused: BTreeMap::new(),
            chains: BTreeMap::new(),
            job_runs: BTreeMap::new(),
            timers: Timers::default(),
            work: Work::default(),
        }
    }

    /// Takes one step: everything that follows from the input, up to where something outside must happen.
    ///
    /// # Errors
    ///
    /// A rejected input has changed nothing, in the shard or in the output.
    pub fn apply(&mut self, now: Timestamp, input: Input, out: &mut Output) -> Result<Reply, Rejected> {
        let reply = self.step(now, input, out)?;
        self.finish(now, out);
        Ok(reply)
    }

    fn step(&mut self, now: Timestamp, input: Input, out: &mut Output) -> Result<Reply, Rejected> {
        match input {
            Input::PublishWorkflow(plan) => self.publish_workflow(now, &plan, out),
            Input::PublishTrigger(plan) => self.publish_trigger(now, &plan, out),
            Input::PublishJob(plan) => self.publish_job(now, &plan, out),
            Input::DeleteWorkflow { name, uid } => self.delete_workflow(now, &name, &uid, out),
            Input::DeleteTrigger { name, uid } => self.delete_trigger(&name, &uid, out),
            Input::DeleteJob { name, uid } => self.delete_job(now, &name, &uid, out),
            Input::StartWorkflowRun { workflow, properties } => {
                return self.call_workflow(now, &workflow, properties, out);
            }
            Input::StopWorkflowRun { run } => self.stop_workflow_run(now, run, out)?,
            Input::ResumeWorkflowRun {
                workflow,
                previous,
                node_ids,
            } => {
                return self.resume_workflow_run(now, &workflow, &previous, &node_ids, out);
            }
            Input::Seeded { run } => self.seeded(now, run, out),
            Input::StartJobRun {
                job,
                previous,
                overrides,
            } => return self.call_job(now, &job, previous, *overrides, out),
            Input::StopJobRun { job_run } => self.stop_job_run(now, job_run, out)?,
            Input::FireTrigger { workflow, trigger } => {
                return self.fire_on_demand(now, workflow.as_deref(), &trigger, out);
            }
            Input::Notify(event) => return self.notify(now, &event, out),
            Input::Tick => self.tick(now, out),
            Input::Leased { job_run, worker } => self.leased(now, job_run, worker, out)?,
            Input::TaskStarted { job_run, token } => self.task_started(now, job_run, token, out)?,
            Input::TaskFinished {
                job_run,
                token,
                outcome,
            } => self.task_finished(now, job_run, token, outcome, out)?,
            Input::LeaseLost { job_run, token } => self.lease_lost(now, job_run, token, out)?,
        }
        Ok(Reply::Done)
    }

    /// When time alone changes something next.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// A job run that has not ended, or waits for its retry.
    #[must_use]
    pub fn job_run(&self, id: JobRunId) -> Option<&JobRun> {
        self.job_runs.get(&id)
    }

    /// A workflow run that has not ended.
    #[must_use]
    pub fn workflow_run(&self, id: WorkflowRunId) -> Option<&WorkflowRun> {
        self.runs.get(&id)
    }

    /// The plan of a workflow that can be started.
    #[must_use]
    pub fn workflow_plan(&self, name: &str) -> Option<&Arc<WorkflowPlan>> {
        self.workflows.get(name).map(|workflow| &workflow.plan)
    }

    /// The plan of a job.
    #[must_use]
    pub fn job_plan(&self, name: &str) -> Option<&Arc<JobPlan>> {
        self.jobs.get(name)
    }

    /// The plan of a trigger outside workflows.
    #[must_use]
    pub fn trigger_plan(&self, name: &str) -> Option<&Arc<TriggerPlan>> {
        self.triggers.get(name).map(|trigger| &trigger.plan)
    }

    /// Whether a definition of this identity is there.
    #[must_use]
    pub fn knows(&self, uid: &str) -> bool {
        self.workflows.values().any(|workflow| workflow.plan.uid == uid)
            || self.triggers.values().any(|trigger| trigger.plan.uid == uid)
            || self.jobs.values().any(|plan| plan.uid == uid)
    }

    /// What must follow after a restart: seeds that were not confirmed, and job runs that wait for a worker.
    #[must_use]
    pub fn unfinished_effects(&self) -> Vec<Effect> {
        let seeds = self
            .runs
            .values()
            .chain(self.refused.values())
            .filter(|run| !run.record.is_seeded && !is_planted(Bug::SeedNotRepeated))
            .map(WorkflowRun::seed_effect);
        let queued = self
            .job_runs
            .values()
            .filter(|run| run.waits_for_worker() && !is_planted(Bug::QueueForgotten))
            .map(|run| Effect::Enqueue(run.id));
        seeds.chain(queued).collect()
    }

    /// The job runs that workers hold.
    pub fn leases(&self) -> impl Iterator<Item = &JobRun> {
        self.job_runs
            .values()
            .filter(|run| run.lease.is_some() && !run.state.is_terminal())
    }

    fn tick(&mut self, now: Timestamp, out: &mut Output) {
        while let Some((at, timer)) = self.timers.take_due(now) {
            match timer {
                Timer::Tick(key) => self.schedule_tick(now, at, key, out),
                Timer::Window(workflow) => self.window_closed(now, &workflow, out),
                Timer::Retry(job_run) => self.retry(now, job_run, out),
                Timer::Timeout(job_run) => self.job_run_timed_out(now, job_run, out),
                Timer::Delay(job_run) => self.job_run_delayed(now, job_run, out),
            }
            self.finish(now, out);
        }
    }

    /// Does what a step has still to do, until nothing is left.
    fn finish(&mut self, now: Timestamp, out: &mut Output) {
        while let Some(ended) = self.work.ended.pop_front() {
            match ended {
                Ended::Node(ended) => self.node_ended(now, ended, out),
                Ended::Link(ended) => self.link_ended(now, &ended, out),
            }
        }
        while let Some(run) = self.work.touched.pop_first() {
            self.settle(now, run, out);
        }
    }
}
