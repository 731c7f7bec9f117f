//! What the run-scheduler keeps, in its own words.

pub mod memory;
mod rows;
pub mod sqlite;
#[cfg(test)]
mod suite;

use std::future::Future;

pub use rows::{
    BatchRow, BookmarkRow, Changes, CopiesRow, CrawlRow, EventRow, InvocationRow, JobRunRow, PlanKind, PlanRow, RunRow,
    ScheduleRow, StoredScope, TraceRow,
};
use treenail_rpc::Scope;

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rows could not be read.
    #[error("cannot read: {0}")]
    Read(String),
    /// The commit failed or its outcome is unknown: whoever holds state of it must not go on.
    #[error("cannot commit: {0}")]
    Commit(String),
}

/// Where the page before this one ended: when its last run started, and that run's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// When the run started, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// The run's id.
    pub id: String,
}

/// The rows of everything that runs or ran.
///
/// Reads see all commits that were answered before they began. A name always means the definition that is current:
/// the runs of a definition that was deleted are found by nobody.
pub trait Store: Clone + Send + Sync + 'static {
    /// Writes all of it or nothing, in one transaction, durable when it returns.
    fn commit(&self, changes: Changes) -> impl Future<Output = Result<(), Error>> + Send;

    /// Reads what has not ended: all that a scheduler needs to go on.
    fn load(&self) -> impl Future<Output = Result<Vec<StoredScope>, Error>> + Send;

    /// The current plan of a name.
    fn plan(
        &self,
        scope: &Scope,
        kind: PlanKind,
        name: &str,
    ) -> impl Future<Output = Result<Option<PlanRow>, Error>> + Send;

    /// The plan of a creation as it was at a sequence.
    fn plan_at(&self, uid: &str, sequence: u64) -> impl Future<Output = Result<Option<PlanRow>, Error>> + Send;

    /// A run of the current workflow of a name.
    fn run(
        &self,
        scope: &Scope,
        workflow: &str,
        id: &str,
    ) -> impl Future<Output = Result<Option<RunRow>, Error>> + Send;

    /// The name of the current workflow that a run is of.
    fn workflow_of(&self, scope: &Scope, run_id: &str) -> impl Future<Output = Result<Option<String>, Error>> + Send;

    /// A page of the runs of a creation of a workflow, newest first.
    fn runs(
        &self,
        workflow_uid: &str,
        after: Option<Position>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<RunRow>, Error>> + Send;

    /// All job runs of a workflow run, oldest first.
    fn job_runs_of_run(&self, run_id: &str) -> impl Future<Output = Result<Vec<JobRunRow>, Error>> + Send;

    /// All crawls of a workflow run, oldest first.
    fn crawls_of_run(&self, run_id: &str) -> impl Future<Output = Result<Vec<CrawlRow>, Error>> + Send;

    /// Job runs and crawls by their ids, in no order; unknown ids are left out.
    fn by_ids(&self, ids: Vec<String>) -> impl Future<Output = Result<(Vec<JobRunRow>, Vec<CrawlRow>), Error>> + Send;

    /// What a resumed run shows of its previous run.
    fn copies(&self, run_id: &str) -> impl Future<Output = Result<Option<CopiesRow>, Error>> + Send;

    /// A page of the job runs of a creation of a job, newest first.
    fn job_runs(
        &self,
        job_uid: &str,
        after: Option<Position>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<JobRunRow>, Error>> + Send;

    /// A page of a run's history, from a sequence on.
    fn history(
        &self,
        run_id: &str,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<EventRow>, Error>> + Send;

    /// The bookmark of a creation of a job.
    fn bookmark(&self, job_uid: &str) -> impl Future<Output = Result<Option<BookmarkRow>, Error>> + Send;

    /// Writes a bookmark if its job's has the version (0: none is there); says whether it did.
    fn put_bookmark(&self, row: BookmarkRow, version: i32) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Removes up to `limit` ended runs that started before a time, and ended runs of workflows that are gone, with all
    /// that belongs to them; says which, by scope.
    fn prune(&self, before_ms: i64, limit: usize) -> impl Future<Output = Result<Vec<(Scope, String)>, Error>> + Send;
}
