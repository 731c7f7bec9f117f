//! What explains a run, read from rows.

use std::{collections::BTreeMap, sync::Arc};

use treenail_engine::{
    glue::{Condition, CopiedRun, HistoryEvent, JobRun, JobRunState, RunRecord, TriggerKind, WorkflowPlan},
    ids::JobRunId,
};
use treenail_rpc::Scope;

use super::{Queries, read_crawl};
use crate::{
    codec::{history, workflow_run},
    error::{Error, entity_not_found},
    ran,
    store::{PlanKind, RunRow, Store},
};

/// How many events are read at once.
const EVENTS_PER_READ: usize = 1_000;
/// How many events are read of one run at the most: the latest explain most, and a run of ten thousand nodes has fewer.
const EVENTS_MAX: usize = 200_000;
/// How many of a job's last runs are looked through for those that others started.
const OUTSIDE_MAX: usize = 50;
/// How many jobs are looked through at the most.
const OUTSIDE_JOBS_MAX: usize = 100;

/// What explains a run.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) record: RunRecord,
    pub(crate) plan: Arc<WorkflowPlan>,
    pub(crate) job_runs: Vec<JobRun>,
    pub(crate) copied: BTreeMap<usize, Vec<CopiedRun>>,
    pub(crate) events: Vec<HistoryEvent>,
    pub(crate) outside: Vec<(String, JobRunId, JobRunState)>,
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

    /// Reads what explains a run.
    pub(crate) async fn explained(&self, scope: &Scope, row: &RunRow) -> Result<Explained, Error> {
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
        let outside = self.outside(scope, &record, &plan).await?;
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
            outside,
        })
    }

    /// Events of a run, from a sequence on.
    pub(crate) async fn events(&self, run_id: &str, from: u64, limit: usize) -> Result<Vec<HistoryEvent>, Error> {
        let run = workflow_run::run_id(run_id)?;
        let rows = self.store.history(run_id, from, limit).await?;
        let events = rows.iter().map(|row| history::from_stored(run, row));
        Ok(events.collect::<Result<Vec<_>, _>>()?)
    }

    /// The last runs of the jobs that conditions watch, as far as others started them while the run ran.
    async fn outside(
        &self,
        scope: &Scope,
        record: &RunRecord,
        plan: &WorkflowPlan,
    ) -> Result<Vec<(String, JobRunId, JobRunState)>, Error> {
        let mut outside = Vec::new();
        for job in watched_jobs(plan).into_iter().take(OUTSIDE_JOBS_MAX) {
            let Some(current) = self.store.plan(scope, PlanKind::Job, &job).await? else {
                continue;
            };
            for row in self.store.job_runs(&current.uid, None, OUTSIDE_MAX).await? {
                let is_outside = row.run_id.as_deref() != Some(&record.id.to_string())
                    && row.started_at_ms >= record.started_at.as_millis();
                if is_outside {
                    let run = ran::job_run(&row, |_| None)?;
                    outside.push((job.clone(), run.id, run.state));
                }
            }
        }
        Ok(outside)
    }
}

/// The jobs that the conditions of a plan watch.
fn watched_jobs(plan: &WorkflowPlan) -> Vec<String> {
    let conditions = plan.triggers.iter().flat_map(|trigger| match &trigger.kind {
        TriggerKind::Conditional(predicate) => predicate.conditions.as_slice(),
        TriggerKind::OnDemand | TriggerKind::Scheduled(_) | TriggerKind::Event(_) => &[],
    });
    let mut jobs: Vec<String> = conditions
        .filter_map(|condition| match condition {
            Condition::Job(job, _) => Some(job.clone()),
            Condition::Crawler(..) => None,
        })
        .collect();
    jobs.sort();
    jobs.dedup();
    jobs
}
