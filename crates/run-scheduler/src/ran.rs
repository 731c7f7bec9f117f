//! What ran in the nodes of a run, read from rows.

use std::{collections::BTreeMap, sync::Arc};

use treenail_engine::glue::{CopiedRun, Crawl, JobPlan, JobRun, Origin};
use treenail_proto::internal::v1 as internal;

use crate::{
    codec::{
        Malformed,
        job_run::{self, Origins},
        opened,
    },
    store::{CopiesRow, JobRunRow},
};

/// Job runs and crawls by their ids.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    job_runs: BTreeMap<String, &'a JobRun>,
    crawls: BTreeMap<String, &'a Crawl>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(job_runs: &'a [JobRun], crawls: &'a [Crawl]) -> Self {
        Self {
            job_runs: job_runs.iter().map(|run| (run.id.to_string(), run)).collect(),
            crawls: crawls.iter().map(|crawl| (crawl.id.to_string(), crawl)).collect(),
        }
    }

    fn copied(&self, id: &str) -> Option<CopiedRun> {
        if let Some(run) = self.job_runs.get(id) {
            return Some(CopiedRun::Job {
                id: run.id,
                state: run.state,
                was_retried: self.job_runs.contains_key(&run.id.next_attempt().to_string()),
                trigger_name: run.spec.trigger_name.clone(),
            });
        }
        let crawl = self.crawls.get(id)?;
        Some(CopiedRun::Crawl {
            id: crawl.id,
            state: crawl.state,
            trigger_name: crawl.trigger_name.clone(),
        })
    }
}

/// What ran in each node: what was copied from earlier runs, then the run's own, oldest first.
pub(crate) fn nodes(
    copies: Option<&CopiesRow>,
    job_runs: &[JobRun],
    crawls: &[Crawl],
    index: &Index<'_>,
) -> Result<BTreeMap<usize, Vec<CopiedRun>>, Malformed> {
    let mut nodes = copies
        .map(|row| self::copies(row, index))
        .transpose()?
        .unwrap_or_default();
    for run in job_runs {
        if let Origin::Workflow { node, .. } = run.spec.origin {
            nodes.entry(node).or_default().extend(index.copied(&run.id.to_string()));
        }
    }
    for crawl in crawls {
        nodes
            .entry(crawl.node)
            .or_default()
            .extend(index.copied(&crawl.id.to_string()));
    }
    Ok(nodes)
}

/// What a resumed run shows of its previous run. What has been pruned since is left out.
pub(crate) fn copies(row: &CopiesRow, index: &Index<'_>) -> Result<BTreeMap<usize, Vec<CopiedRun>>, Malformed> {
    let stored = opened::<internal::StoredCopies>(&row.data, "copied nodes")?;
    let node = |node: internal::StoredCopiedNode| {
        (
            node.node as usize,
            node.run_ids.iter().filter_map(|id| index.copied(id)).collect(),
        )
    };
    Ok(stored.nodes.into_iter().map(node).collect())
}

/// The ids that a resumed run shows of its previous run.
pub(crate) fn copied_ids(row: &CopiesRow) -> Result<Vec<String>, Malformed> {
    let stored = opened::<internal::StoredCopies>(&row.data, "copied nodes")?;
    Ok(stored.nodes.into_iter().flat_map(|node| node.run_ids).collect())
}

/// A job run from its row.
pub(crate) fn job_run(
    row: &JobRunRow,
    plan: impl FnOnce(Option<u64>) -> Option<Arc<JobPlan>>,
) -> Result<JobRun, Malformed> {
    let stored = opened::<internal::StoredJobRun>(&row.data, "job run")?;
    let plan = plan(stored.plan_sequence);
    let origins = Origins {
        run_id: row.run_id.as_deref(),
        chain_id: row.chain_id.as_deref(),
    };
    job_run::from_stored(stored, origins, plan)
}
