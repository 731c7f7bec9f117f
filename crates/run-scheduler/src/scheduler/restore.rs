//! A restart goes on from the rows. A row that cannot be understood is left alone, loudly.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;
use treenail_engine::{
    Timestamp,
    glue::{CopiedNodes, Crawl, JobPlan, JobRun, RunRecord, ScheduleKey, Shard, Snapshot, TriggerPlan, WorkflowPlan},
};
use treenail_proto::internal::v1::{self as internal};

use treenail_planted::{Bug, is_planted};

use super::Scheduler;
use crate::{
    codec::{Malformed, job_run, opened, plan::Published, workflow_run},
    ran,
    store::{CopiesRow, CrawlRow, JobRunRow, PlanRow, RunRow, Store, StoredScope},
};

impl<S: Store> Scheduler<S> {
    pub(super) fn restore_scope(&mut self, mut stored: StoredScope) {
        if let Some(clock_ms) = stored.clock_ms {
            // Only a manual clock is set; it goes on where it was.
            self.context.clock.set(Timestamp::from_millis(clock_ms));
        }
        for row in stored
            .invocations
            .iter()
            .filter(|_| !is_planted(Bug::ForgottenInvocations))
        {
            self.invocations.restore(row);
        }
        for row in std::mem::take(&mut stored.traces) {
            self.traces.restore(row);
        }
        let scope = stored.scope.clone();
        let snapshot = to_snapshot(stored);
        let seed = self.context.entropy.bytes();
        let shard = Shard::rebuild(
            &scope.account,
            &scope.region,
            self.context.config.policy(),
            seed,
            snapshot,
        );
        let now = Instant::now();
        for run in shard.leases() {
            if let Some(worker) = &run.lease {
                self.scopes.insert(run.id, scope.clone());
                self.pool.hold(worker, run.id);
                self.holders.insert(run.id, worker.clone());
                self.absent.entry(worker.clone()).or_insert(now);
            }
        }
        let effects = shard.unfinished_effects();
        self.shards.insert(scope.clone(), shard);
        for effect in &effects {
            self.take_in(&scope, effect);
        }
        self.batch.add(
            &scope,
            treenail_engine::glue::Output {
                effects,
                ..Default::default()
            },
        );
    }
}

/// Plans by identity and sequence.
#[derive(Default)]
struct Plans {
    workflows: BTreeMap<(String, u64), Arc<WorkflowPlan>>,
    triggers: BTreeMap<(String, u64), Arc<TriggerPlan>>,
    jobs: BTreeMap<(String, u64), Arc<JobPlan>>,
}

impl Plans {
    fn read<'a>(rows: impl IntoIterator<Item = &'a PlanRow>) -> Self {
        let mut plans = Self::default();
        for row in rows {
            let parsed = opened::<internal::Plan>(&row.data, "plan");
            match parsed.and_then(|plan| Published::parse(&plan)) {
                Ok(Published::Workflow(plan)) => drop(plans.workflows.insert((plan.uid.clone(), plan.sequence), plan)),
                Ok(Published::Trigger(plan)) => drop(plans.triggers.insert((plan.uid.clone(), plan.sequence), plan)),
                Ok(Published::Job(plan)) => drop(plans.jobs.insert((plan.uid.clone(), plan.sequence), plan)),
                Ok(Published::Deleted { .. }) => {}
                Err(error) => quarantine("plan", &row.name, error),
            }
        }
        plans
    }
}

fn to_snapshot(stored: StoredScope) -> Snapshot {
    let current = Plans::read(&stored.plans);
    let plans = Plans::read(stored.plans.iter().chain(&stored.kept_plans));
    let job_runs: Vec<JobRun> = stored
        .job_runs
        .iter()
        .filter_map(|row| read_job_run(row, &plans))
        .collect();
    let crawls: Vec<Crawl> = stored.crawls.iter().filter_map(read_crawl).collect();
    let copied = ran::Index::new(&job_runs, &crawls);
    let runs: Vec<_> = stored.runs.iter().filter_map(|row| read_run(row, &plans)).collect();
    let schedules = stored.schedules.into_iter().filter_map(|row| {
        let key = if row.workflow.is_empty() {
            ScheduleKey::Trigger { trigger: row.trigger }
        } else {
            ScheduleKey::Workflow {
                workflow: row.workflow,
                trigger: row.trigger,
            }
        };
        Some((key, Timestamp::from_millis(row.next_at_ms?)))
    });
    let batches = stored.batches.iter().filter_map(|row| {
        let data = row.data.as_deref()?;
        match opened::<internal::StoredEventBatch>(data, "event batch") {
            Ok(batch) => Some((row.workflow.clone(), workflow_run::batch_from_stored(batch))),
            Err(_) => {
                quarantine("event batch", &row.workflow, Malformed("event batch"));
                None
            }
        }
    });
    Snapshot {
        workflows: current.workflows.into_values().collect(),
        triggers: current.triggers.into_values().collect(),
        jobs: current.jobs.into_values().collect(),
        copies: stored
            .copies
            .iter()
            .filter_map(|row| read_copies(row, &copied))
            .collect(),
        schedules: schedules.collect(),
        batches: batches.collect(),
        runs,
        job_runs,
        crawls,
    }
}

fn read_run(row: &RunRow, plans: &Plans) -> Option<(RunRecord, Arc<WorkflowPlan>)> {
    let parsed = opened::<internal::StoredWorkflowRun>(&row.data, "workflow run").and_then(|stored| {
        let started_at = Timestamp::from_millis(row.started_at_ms);
        let record = workflow_run::from_stored(&row.id, &row.workflow_uid, started_at, &stored)?;
        let plan = plans.workflows.get(&(row.workflow_uid.clone(), row.plan_sequence));
        Ok((record, Arc::clone(plan.ok_or(Malformed("plan of a workflow run"))?)))
    });
    parsed.map_err(|error| quarantine("workflow run", &row.id, error)).ok()
}

fn read_job_run(row: &JobRunRow, plans: &Plans) -> Option<JobRun> {
    let plan = |sequence: Option<u64>| plans.jobs.get(&(row.job_uid.clone()?, sequence?)).cloned();
    let parsed = ran::job_run(row, plan);
    parsed.map_err(|error| quarantine("job run", &row.id, error)).ok()
}

fn read_crawl(row: &CrawlRow) -> Option<Crawl> {
    let parsed = opened::<internal::StoredCrawl>(&row.data, "crawl")
        .and_then(|stored| job_run::crawl_from_stored(&row.id, row.run_id.as_deref(), &stored));
    parsed.map_err(|error| quarantine("crawl", &row.id, error)).ok()
}

fn read_copies(row: &CopiesRow, index: &ran::Index<'_>) -> Option<CopiedNodes> {
    let parsed = ran::copies(row, index).and_then(|nodes| {
        Ok(CopiedNodes {
            run: workflow_run::run_id(&row.run_id)?,
            nodes,
        })
    });
    parsed
        .map_err(|error| quarantine("copied nodes", &row.run_id, error))
        .ok()
}

fn quarantine(what: &str, id: &str, error: Malformed) {
    tracing::error!(what, id, %error, "a stored row cannot be understood: it is left alone, and what it is of does not go on");
}
