//! The shard as it follows from the rows: what a restart finds is what was there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use treenail_planted::{Bug, is_planted};

use super::{LinkEnd, Policy, Shard, StandaloneTrigger, Workflow, publish};
use crate::{
    Timestamp,
    glue::{
        crawl::Crawl,
        job_run::{JobRun, Origin},
        output::{EventBatch, ScheduleKey},
        plan::{JobPlan, TriggerPlan, WorkflowPlan},
        run::{CopiedNodes, RunRecord, WorkflowRun},
        state::{Component, EndState, JobRunState, RunStatus},
        timer::Timer,
    },
    ids::{ChainId, CrawlId, JobRunId, WorkflowRunId},
};

/// The rows of an account-region that a shard needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The workflows that can be started.
    pub workflows: Vec<Arc<WorkflowPlan>>,
    /// The triggers outside workflows.
    pub triggers: Vec<Arc<TriggerPlan>>,
    /// The jobs.
    pub jobs: Vec<Arc<JobPlan>>,
    /// The workflow runs that have not ended or whose properties are not in place, with the plan that each keeps.
    pub runs: Vec<(RunRecord, Arc<WorkflowPlan>)>,
    /// What resumed ones among them show of their previous runs.
    pub copies: Vec<CopiedNodes>,
    /// All job runs of those runs; all others that have not ended or wait for their retry; and all of the chains of
    /// those.
    pub job_runs: Vec<JobRun>,
    /// All crawls of those runs.
    pub crawls: Vec<Crawl>,
    /// When schedules tick next.
    pub schedules: BTreeMap<ScheduleKey, Timestamp>,
    /// The events that wait, by workflow.
    pub batches: BTreeMap<String, EventBatch>,
}

impl Shard {
    /// Makes a shard from its rows.
    #[must_use]
    pub fn rebuild(account: &str, region: &str, policy: Policy, seed: [u8; 32], snapshot: Snapshot) -> Self {
        let mut shard = Self::new(account, region, policy, seed);
        shard.jobs = snapshot
            .jobs
            .into_iter()
            .map(|plan| (plan.name.clone(), plan))
            .collect();
        shard.restore_definitions(snapshot.workflows, snapshot.triggers);
        shard.restore_timers(&snapshot.schedules, snapshot.batches);

        let mut job_runs = snapshot.job_runs;
        let last_of_runs = snapshot.runs.iter().map(|(record, _)| record.id.drawn_at()).max();
        let last_of_job_runs = job_runs.iter().map(|run| run.id.drawn_at()).max();
        if let Some(last) = last_of_runs.max(last_of_job_runs) {
            shard.ids.go_on_after(last);
        }
        job_runs.sort_by_key(|run| (run.started_at, run.id));
        let copies: BTreeMap<WorkflowRunId, CopiedNodes> =
            snapshot.copies.into_iter().map(|copies| (copies.run, copies)).collect();
        let mut of_runs: BTreeMap<WorkflowRunId, Ran<'_>> = BTreeMap::new();
        for run in &job_runs {
            if let Some(id) = run.spec.workflow_run() {
                of_runs.entry(id).or_default().job_runs.push(run);
            }
        }
        for crawl in &snapshot.crawls {
            if let Some(id) = crawl.run {
                of_runs.entry(id).or_default().crawls.push(crawl);
            }
        }
        for (record, plan) in snapshot.runs {
            let id = record.id;
            if record.status.is_terminal() {
                shard.refused.insert(id, WorkflowRun::new(record, plan));
                continue;
            }
            let run = restore_run(record, plan, copies.get(&id), &of_runs.remove(&id).unwrap_or_default());
            if let Some(workflow) = shard
                .workflows
                .get_mut(&run.plan.name)
                .filter(|known| known.plan.uid == run.plan.uid)
            {
                workflow.running += 1;
            }
            shard.runs.insert(id, run);
        }
        shard.restore_chains(&job_runs);
        for run in job_runs {
            shard.restore_job_run(run);
        }
        shard
    }

    fn restore_definitions(&mut self, workflows: Vec<Arc<WorkflowPlan>>, triggers: Vec<Arc<TriggerPlan>>) {
        for plan in workflows {
            let name = plan.name.clone();
            self.workflows.insert(
                name,
                Workflow {
                    plan,
                    running: 0,
                    batch: None,
                    next_tick: None,
                },
            );
        }
        for plan in triggers {
            for component in plan.shape().watches {
                self.watchers.entry(component).or_default().insert(plan.name.clone());
            }
            self.triggers
                .insert(plan.name.clone(), StandaloneTrigger { plan, next_tick: None });
        }
    }

    fn restore_timers(&mut self, schedules: &BTreeMap<ScheduleKey, Timestamp>, batches: BTreeMap<String, EventBatch>) {
        for workflow in self.workflows.values_mut() {
            let key = publish::schedule_of_workflow(&workflow.plan).map(|(key, _)| key);
            workflow.next_tick = key.as_ref().and_then(|key| schedules.get(key)).copied();
            if let (Some(key), Some(next)) = (key, workflow.next_tick) {
                self.timers.set(next, Timer::Tick(key));
            }
        }
        for trigger in self.triggers.values_mut() {
            let key = publish::schedule_of_trigger(&trigger.plan).map(|(key, _)| key);
            trigger.next_tick = key.as_ref().and_then(|key| schedules.get(key)).copied();
            if let (Some(key), Some(next)) = (key, trigger.next_tick) {
                self.timers.set(next, Timer::Tick(key));
            }
        }
        for (name, batch) in batches {
            if let Some(workflow) = self.workflows.get_mut(&name) {
                self.timers.set(batch.closes_at, Timer::Window(name));
                workflow.batch = Some(batch);
            }
        }
    }

    fn restore_chains(&mut self, job_runs: &[JobRun]) {
        let mut by_chain: BTreeMap<ChainId, Vec<&JobRun>> = BTreeMap::new();
        for run in job_runs {
            if let Origin::Chain(chain) = run.spec.origin {
                by_chain.entry(chain).or_default().push(run);
            }
        }
        for (id, runs) in by_chain {
            let active = count(runs.iter().filter(|run| !run.is_settled()));
            if active == 0 {
                continue;
            }
            let chain = self.chains.entry(id).or_default();
            chain.active = active;
            chain.fired = runs.iter().filter_map(|run| run.spec.trigger_name.clone()).collect();
            for run in final_runs(&runs) {
                let component = Component::Job(run.spec.job_name.clone());
                let ended = LinkEnd {
                    chain: id,
                    component,
                    end: EndState::Job(run.state),
                    job_run: Some(run.id),
                };
                for name in self.watchers.get(&ended.component).cloned().unwrap_or_default() {
                    let plan = Arc::clone(&self.triggers[&name].plan);
                    // What fires now would have fired before: only what is met is taken in.
                    self.met_in_chain(&plan, &ended);
                }
            }
        }
    }

    fn restore_job_run(&mut self, run: JobRun) {
        if run.is_settled() {
            return;
        }
        if let Some(plan) = &run.spec.plan {
            let slots = self.slots.entry(plan.uid.clone()).or_default();
            match run.state {
                JobRunState::Waiting => slots.waiting.push_back(run.id),
                JobRunState::Starting
                | JobRunState::Running
                | JobRunState::Stopping
                | JobRunState::Stopped
                | JobRunState::Succeeded
                | JobRunState::Failed
                | JobRunState::Timeout
                | JobRunState::Error => slots.taken += 1,
            }
        }
        if let Some(at) = run.retry_at.filter(|_| !is_planted(Bug::LostRetryTimer)) {
            self.timers.set(at, Timer::Retry(run.id));
        }
        if run.state == JobRunState::Running {
            for (at, timer) in [
                (run.timeout_at(), Timer::Timeout(run.id)),
                (run.delayed_at(), Timer::Delay(run.id)),
            ] {
                if let Some(at) = at {
                    self.timers.set(at, timer);
                }
            }
        }
        self.job_runs.insert(run.id, run);
    }
}

/// What ran in a workflow run.
#[derive(Default)]
struct Ran<'a> {
    job_runs: Vec<&'a JobRun>,
    crawls: Vec<&'a Crawl>,
}

fn restore_run(
    record: RunRecord,
    plan: Arc<WorkflowPlan>,
    copies: Option<&CopiedNodes>,
    Ran { job_runs, crawls }: &Ran<'_>,
) -> WorkflowRun {
    // The statistics and the rest of the record are as they were written; only what was not written is made anew.
    let written = record.clone();
    let mut run = WorkflowRun::new(record, plan);
    if let Some(copies) = copies {
        run.take_copies(copies);
    }
    let fired = fired(&written, job_runs, crawls);
    for (trigger, progress) in run.plan.triggers.iter().zip(&mut run.triggers) {
        if fired.contains(trigger.name.as_str()) {
            progress.is_latched = true;
            progress.met.clear();
        }
    }
    for job_run in job_runs {
        let Origin::Workflow { node, .. } = job_run.spec.origin else {
            continue;
        };
        run.nodes[node].job_runs.push(job_run.id);
        run.nodes[node].activations += u32::from(job_run.id.attempt() == 0);
    }
    for job_run in final_runs(job_runs) {
        if let Origin::Workflow { node, .. } = job_run.spec.origin {
            run.meet_conditions(node, EndState::Job(job_run.state), Some(job_run.id));
        }
    }
    for crawl in crawls {
        run.nodes[crawl.node].activations += 1;
        run.meet_conditions(crawl.node, EndState::Crawl(crawl.state), None);
    }
    run.active = count(job_runs.iter().filter(|job_run| !job_run.is_settled()));
    run.record = written;
    debug_assert!(
        run.record.status != RunStatus::Completed,
        "an ended run is not restored"
    );
    run
}

/// The triggers that what ran shows to have fired.
///
/// What a resumed run begins with bears the trigger that had started it in the previous run: here that one has not fired.
fn fired<'a>(record: &RunRecord, job_runs: &[&'a JobRun], crawls: &[&'a Crawl]) -> BTreeSet<&'a str> {
    let first_job_run = |&node: &usize| job_runs.iter().find(|run| is_of(run, node)).map(|run| run.id);
    let job_roots: BTreeSet<JobRunId> = record.roots.iter().filter_map(first_job_run).collect();
    let first_crawl = |&node: &usize| crawls.iter().find(|crawl| crawl.node == node).map(|crawl| crawl.id);
    let crawl_roots: BTreeSet<CrawlId> = record.roots.iter().filter_map(first_crawl).collect();
    let by_jobs = job_runs
        .iter()
        .filter(|run| !job_roots.contains(&run.id.first_attempt()))
        .filter_map(|run| run.spec.trigger_name.as_deref());
    let by_crawls = crawls
        .iter()
        .filter(|crawl| !crawl_roots.contains(&crawl.id))
        .filter_map(|crawl| crawl.trigger_name.as_deref());
    by_jobs.chain(by_crawls).collect()
}

fn is_of(job_run: &JobRun, node: usize) -> bool {
    matches!(job_run.spec.origin, Origin::Workflow { node: of, .. } if of == node)
}

/// The job runs that ended for good, in the order in which they ended.
fn final_runs<'a>(job_runs: &[&'a JobRun]) -> Vec<&'a JobRun> {
    let ids: BTreeSet<_> = job_runs.iter().map(|run| run.id).collect();
    let is_final = |run: &&JobRun| run.is_settled() && !ids.contains(&run.id.next_attempt());
    let mut runs: Vec<_> = job_runs.iter().copied().filter(is_final).collect();
    runs.sort_by_key(|run| (run.completed_at, run.id));
    runs
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
