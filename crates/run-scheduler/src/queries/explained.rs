//! What explains a run, read from rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use treenail_engine::{
    glue::{
        CopiedRun, HistoryEvent, JobRun, JobRunState, RunRecord, WorkflowPlan,
        explain::{self, Finding, Known},
    },
    ids::JobRunId,
};
use treenail_proto::internal::v1::Plan;
use treenail_rpc::Scope;

use super::{Queries, read_crawl};
use crate::{
    codec::{history, opened, plan::Published, workflow_run},
    error::{Error, entity_not_found},
    ran,
    store::{PlanKind, Position, RunRow, Store},
};

/// How many events are read at once.
const EVENTS_PER_READ: usize = 1_000;
/// How many events are read of one run at the most: a run of ten thousand nodes has fewer.
const EVENTS_MAX: usize = 200_000;
/// How many of a job's last runs are looked through for those that others started.
const OUTSIDE_MAX: usize = 50;
/// How many jobs are looked up at the most: as many as an explanation names.
const JOBS_MAX: usize = 100;

/// What explains a run.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) record: RunRecord,
    pub(crate) plan: Arc<WorkflowPlan>,
    pub(crate) job_runs: Vec<JobRun>,
    pub(crate) copied: BTreeMap<usize, Vec<CopiedRun>>,
    pub(crate) events: Vec<HistoryEvent>,
    pub(crate) outside: Vec<(String, JobRunId, JobRunState)>,
    pub(crate) limits: BTreeMap<String, u32>,
}

impl Explained {
    /// Why the run, or a node of it, is as it is.
    pub(crate) fn findings(&self, node: Option<&str>) -> Vec<Finding> {
        let known = Known {
            record: &self.record,
            plan: &self.plan,
            job_runs: &self.job_runs,
            copied: &self.copied,
            events: &self.events,
            outside: &self.outside,
            limits: &self.limits,
        };
        node.map_or_else(|| known.run(), |node| known.node(node))
    }
}

impl<S: Store> Queries<S> {
    /// A run by its id, and the name of its workflow, which need not be given.
    pub(crate) async fn find_run(
        &self,
        scope: &Scope,
        workflow: Option<String>,
        run_id: Option<&str>,
    ) -> Result<(String, RunRow), Error> {
        let run_id = run_id.unwrap_or_default();
        let workflow = match workflow {
            Some(workflow) => workflow,
            None => {
                let found = self.store.workflow_of(scope, run_id).await?;
                found.ok_or_else(entity_not_found)?
            }
        };
        let row = self.run_row(scope, &workflow, run_id).await?;
        Ok((workflow, row))
    }

    /// Why a run, or a node of it, is as it is.
    pub(crate) async fn explain(&self, scope: &Scope, row: &RunRow, node: Option<&str>) -> Result<Vec<Finding>, Error> {
        let mut explained = self.explained(scope, row).await?;
        let findings = explained.findings(node);
        let unmet = explain::unmet_jobs(&findings);
        if unmet.is_empty() {
            return Ok(findings);
        }
        // Someone else may have run what a condition waits for, which counts for nothing: then that is the reason.
        explained.outside = self.outside(scope, &explained.record, &unmet).await?;
        Ok(explained.findings(node))
    }

    /// Reads what explains a run, apart from what others started.
    async fn explained(&self, scope: &Scope, row: &RunRow) -> Result<Explained, Error> {
        let record = Self::record(row)?;
        let (plan, _) = self.plan_of(&record).await?;
        let rows = self.rows_of(&row.id).await?;
        let own = rows.job_runs.iter().map(|row| ran::job_run(row, |_| None));
        let job_runs = own.collect::<Result<Vec<_>, _>>()?;
        let earlier = rows.copied_job_runs.iter().map(|row| ran::job_run(row, |_| None));
        let earlier = earlier.collect::<Result<Vec<_>, _>>()?;
        let crawls = rows.copied_crawls.iter().map(read_crawl);
        let crawls = crawls.collect::<Result<Vec<_>, _>>()?;
        let index = ran::Index::new(&earlier, &crawls);
        let copied = rows.copies.as_ref().map(|row| ran::copies(row, &index)).transpose()?;
        let limits = self.limits(scope, &job_runs).await?;
        let mut events = Vec::new();
        while events.len() < EVENTS_MAX {
            let from = events.last().map_or(1, |last: &HistoryEvent| last.sequence + 1);
            let read = self.events(&row.id, from, EVENTS_PER_READ).await?;
            let is_all = read.len() < EVENTS_PER_READ;
            events.extend(read);
            if is_all {
                break;
            }
        }
        Ok(Explained {
            record,
            plan,
            job_runs,
            copied: copied.unwrap_or_default(),
            events,
            outside: Vec::new(),
            limits,
        })
    }

    /// Events of a run, from a sequence on.
    pub(crate) async fn events(&self, run_id: &str, from: u64, limit: usize) -> Result<Vec<HistoryEvent>, Error> {
        let run = workflow_run::run_id(run_id)?;
        let rows = self.store.history(run_id, from, limit).await?;
        let events = rows.iter().map(|row| history::from_stored(run, row));
        Ok(events.collect::<Result<Vec<_>, _>>()?)
    }

    /// How many runs the jobs may have at once that runs wait for.
    async fn limits(&self, scope: &Scope, job_runs: &[JobRun]) -> Result<BTreeMap<String, u32>, Error> {
        let waiting = job_runs.iter().filter(|run| run.state == JobRunState::Waiting);
        let names: BTreeSet<&str> = waiting.map(|run| run.spec.job_name.as_str()).collect();
        let mut limits = BTreeMap::new();
        for name in names.into_iter().take(JOBS_MAX) {
            let Some(row) = self.store.plan(scope, PlanKind::Job, name).await? else {
                continue;
            };
            if let Published::Job(job) = Published::parse(&opened::<Plan>(&row.data, "plan")?)? {
                limits.insert(name.to_owned(), job.max_concurrent_runs);
            }
        }
        Ok(limits)
    }

    /// The last runs of jobs that others started while the run ran.
    async fn outside(
        &self,
        scope: &Scope,
        record: &RunRecord,
        jobs: &BTreeSet<&str>,
    ) -> Result<Vec<(String, JobRunId, JobRunState)>, Error> {
        let own = record.id.to_string();
        let before = record.completed_at.map(|at| Position {
            started_at_ms: at.plus_millis(1).as_millis(),
            id: String::new(),
        });
        let mut outside = Vec::new();
        for job in jobs.iter().take(JOBS_MAX) {
            let Some(current) = self.store.plan(scope, PlanKind::Job, job).await? else {
                continue;
            };
            for row in self.store.job_runs(&current.uid, before.clone(), OUTSIDE_MAX).await? {
                if row.run_id.as_ref() != Some(&own) && row.started_at_ms >= record.started_at.as_millis() {
                    let run = ran::job_run(&row, |_| None)?;
                    outside.push(((*job).to_owned(), run.id, run.state));
                }
            }
        }
        Ok(outside)
    }
}
