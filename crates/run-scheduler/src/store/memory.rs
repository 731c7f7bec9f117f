//! The store in memory: for simulations, in which it can be made to fail.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use treenail_proto::internal::v1::{StoredCopies, StoredJobRun};
use treenail_rpc::Scope;
use treenail_storage::disk::{Disk, Failed};

use super::{
    BatchRow, BookmarkRow, Changes, CopiesRow, CrawlRow, Error, EventRow, InvocationRow, JobRunRow, PlanKind, PlanRow,
    Position, RunRow, ScheduleRow, Store, StoredScope, TraceRow,
};
use crate::codec::opened;

/// How the next commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is written.
    BeforeCommit,
    /// All is written, and whoever asked is told that it failed.
    AfterCommit,
}

/// A store in memory; clones share their rows.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    disk: Disk,
}

#[derive(Debug, Default)]
struct Shared {
    tables: Tables,
    failure: Option<Failure>,
}

#[derive(Debug, Default)]
struct Tables {
    plans: BTreeMap<(String, u64), PlanRow>,
    current: BTreeMap<(Scope, PlanKind, String), (String, u64)>,
    runs: BTreeMap<String, RunRow>,
    job_runs: BTreeMap<String, JobRunRow>,
    crawls: BTreeMap<String, CrawlRow>,
    copies: BTreeMap<String, CopiesRow>,
    schedules: BTreeMap<(Scope, String, String), ScheduleRow>,
    batches: BTreeMap<(Scope, String), BatchRow>,
    events: BTreeMap<(String, u64), EventRow>,
    invocations: BTreeMap<(Scope, String), InvocationRow>,
    traces: BTreeMap<String, TraceRow>,
    bookmarks: BTreeMap<String, BookmarkRow>,
    clock_ms: Option<i64>,
}

impl MemoryStore {
    /// A store without rows, on a disk.
    #[must_use]
    pub fn on(disk: Disk) -> Self {
        Self {
            disk,
            ..Self::default()
        }
    }

    /// Makes the next commit fail.
    pub fn fail_next_commit(&self, failure: Failure) {
        self.lock().failure = Some(failure);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Whoever panicked while holding it has changed nothing by halves: tables change row by row.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write<T>(&self, write: impl FnOnce(&mut Tables) -> T) -> Result<T, Error> {
        let on_disk = self.disk.begin().await?;
        let written = self.write_now(write)?;
        on_disk.end().await?;
        Ok(written)
    }

    fn write_now<T>(&self, write: impl FnOnce(&mut Tables) -> T) -> Result<T, Error> {
        let mut shared = self.lock();
        let failure = shared.failure.take();
        if failure == Some(Failure::BeforeCommit) {
            return Err(Error::Commit("told to fail before the commit".to_owned()));
        }
        let written = write(&mut shared.tables);
        match failure {
            Some(Failure::AfterCommit) => Err(Error::Commit("told to fail after the commit".to_owned())),
            Some(Failure::BeforeCommit) | None => Ok(written),
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> T {
        read(&self.lock().tables)
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        Error::Commit(failed.to_string())
    }
}

impl Store for MemoryStore {
    async fn commit(&self, changes: Changes) -> Result<(), Error> {
        self.write(|tables| tables.apply(changes)).await
    }

    async fn load(&self) -> Result<Vec<StoredScope>, Error> {
        Ok(self.read(Tables::load))
    }

    async fn plan(&self, scope: &Scope, kind: PlanKind, name: &str) -> Result<Option<PlanRow>, Error> {
        let key = (scope.clone(), kind, name.to_owned());
        Ok(self.read(|tables| tables.plans.get(tables.current.get(&key)?).cloned()))
    }

    async fn plan_at(&self, uid: &str, sequence: u64) -> Result<Option<PlanRow>, Error> {
        Ok(self.read(|tables| tables.plans.get(&(uid.to_owned(), sequence)).cloned()))
    }

    async fn run(&self, scope: &Scope, workflow: &str, id: &str) -> Result<Option<RunRow>, Error> {
        let key = (scope.clone(), PlanKind::Workflow, workflow.to_owned());
        Ok(self.read(|tables| {
            let (uid, _) = tables.current.get(&key)?;
            tables.runs.get(id).filter(|run| run.workflow_uid == *uid).cloned()
        }))
    }

    async fn workflow_of(&self, scope: &Scope, run_id: &str) -> Result<Option<String>, Error> {
        Ok(self.read(|tables| {
            let run = tables.runs.get(run_id).filter(|run| run.scope == *scope)?;
            let is_current = |(uid, _): &(String, u64)| *uid == run.workflow_uid;
            let mut current = tables.current.iter();
            current
                .find(|(_, id)| is_current(id))
                .map(|((_, _, name), _)| name.clone())
        }))
    }

    async fn runs(&self, workflow_uid: &str, after: Option<Position>, limit: usize) -> Result<Vec<RunRow>, Error> {
        Ok(self.read(|tables| {
            let runs = tables.runs.values().filter(|run| run.workflow_uid == workflow_uid);
            newest(runs, |run| (run.started_at_ms, &run.id), after.as_ref(), limit)
        }))
    }

    async fn job_runs_of_run(&self, run_id: &str) -> Result<Vec<JobRunRow>, Error> {
        Ok(self.read(|tables| tables.job_runs_of(run_id)))
    }

    async fn crawls_of_run(&self, run_id: &str) -> Result<Vec<CrawlRow>, Error> {
        Ok(self.read(|tables| tables.crawls_of(run_id)))
    }

    async fn by_ids(&self, ids: Vec<String>) -> Result<(Vec<JobRunRow>, Vec<CrawlRow>), Error> {
        Ok(self.read(|tables| tables.by_ids(&ids)))
    }

    async fn copies(&self, run_id: &str) -> Result<Option<CopiesRow>, Error> {
        Ok(self.read(|tables| tables.copies.get(run_id).cloned()))
    }

    async fn job_runs(&self, job_uid: &str, after: Option<Position>, limit: usize) -> Result<Vec<JobRunRow>, Error> {
        Ok(self.read(|tables| {
            let runs = tables
                .job_runs
                .values()
                .filter(|run| run.job_uid.as_deref() == Some(job_uid));
            newest(runs, |run| (run.started_at_ms, &run.id), after.as_ref(), limit)
        }))
    }

    async fn history(&self, run_id: &str, from: u64, limit: usize) -> Result<Vec<EventRow>, Error> {
        let (first, last) = ((run_id.to_owned(), from), (run_id.to_owned(), u64::MAX));
        Ok(self.read(|tables| {
            tables
                .events
                .range(first..=last)
                .take(limit)
                .map(|(_, row)| row.clone())
                .collect()
        }))
    }

    async fn bookmark(&self, job_uid: &str) -> Result<Option<BookmarkRow>, Error> {
        Ok(self.read(|tables| tables.bookmarks.get(job_uid).cloned()))
    }

    async fn put_bookmark(&self, row: BookmarkRow, version: i32) -> Result<bool, Error> {
        self.write(|tables| {
            let found = tables.bookmarks.get(&row.job_uid).map_or(0, |row| row.version);
            if found == version {
                tables.bookmarks.insert(row.job_uid.clone(), row);
            }
            found == version
        })
        .await
    }

    async fn prune(&self, before_ms: i64, limit: usize) -> Result<Vec<(Scope, String)>, Error> {
        self.write(|tables| tables.prune(before_ms, limit)).await
    }
}

impl Tables {
    fn apply(&mut self, changes: Changes) {
        for plan in changes.plans {
            let key = (plan.scope.clone(), plan.kind, plan.name.clone());
            let id = (plan.uid.clone(), plan.sequence);
            if plan.is_deleted {
                self.current.retain(|_, (uid, _)| *uid != plan.uid);
            } else {
                self.current.insert(key, id.clone());
            }
            self.plans.insert(id, plan);
        }
        self.runs
            .extend(changes.runs.into_iter().map(|row| (row.id.clone(), row)));
        self.job_runs
            .extend(changes.job_runs.into_iter().map(|row| (row.id.clone(), row)));
        self.crawls
            .extend(changes.crawls.into_iter().map(|row| (row.id.clone(), row)));
        self.copies
            .extend(changes.copies.into_iter().map(|row| (row.run_id.clone(), row)));
        self.events.extend(
            changes
                .events
                .into_iter()
                .map(|row| ((row.run_id.clone(), row.sequence), row)),
        );
        self.invocations.extend(
            changes
                .invocations
                .into_iter()
                .map(|row| ((row.scope.clone(), row.key.clone()), row)),
        );
        for row in changes.schedules {
            let key = (row.scope.clone(), row.workflow.clone(), row.trigger.clone());
            match row.next_at_ms {
                Some(_) => drop(self.schedules.insert(key, row)),
                None => drop(self.schedules.remove(&key)),
            }
        }
        for row in changes.batches {
            let key = (row.scope.clone(), row.workflow.clone());
            match row.data {
                Some(_) => drop(self.batches.insert(key, row)),
                None => drop(self.batches.remove(&key)),
            }
        }
        for row in changes.traces {
            match row.context {
                Some(_) => drop(self.traces.insert(row.id.clone(), row)),
                None => drop(self.traces.remove(&row.id)),
            }
        }
        self.clock_ms = changes.clock_ms.or(self.clock_ms);
    }

    fn load(&self) -> Vec<StoredScope> {
        let mut found: BTreeMap<Scope, StoredScope> = BTreeMap::new();
        macro_rules! of {
            ($scope:expr) => {
                found
                    .entry($scope.clone())
                    .or_insert_with(|| StoredScope::new($scope.clone()))
            };
        }
        for plan in self.current.values().filter_map(|id| self.plans.get(id)) {
            of!(plan.scope).plans.push(plan.clone());
        }
        for run in self.runs.values().filter(|run| run.is_open) {
            let scope = of!(run.scope);
            self.keep(scope, &run.workflow_uid, run.plan_sequence);
            let copies = self.copies.get(&run.id).cloned();
            let (job_runs, crawls) = self.by_ids(&copies.as_ref().map(copied_ids).unwrap_or_default());
            scope
                .job_runs
                .extend(job_runs.into_iter().chain(self.job_runs_of(&run.id)));
            scope.crawls.extend(crawls.into_iter().chain(self.crawls_of(&run.id)));
            scope.copies.extend(copies);
            scope.runs.push(run.clone());
        }
        for run in self.job_runs.values().filter(|run| run.is_open) {
            let scope = of!(run.scope);
            let stored = opened::<StoredJobRun>(&run.data, "job run").unwrap_or_default();
            if let (Some(uid), Some(sequence)) = (&run.job_uid, stored.plan_sequence) {
                self.keep(scope, uid, sequence);
            }
            if run.run_id.is_none() && !scope.job_runs.iter().any(|known| known.id == run.id) {
                let is_of_chain =
                    |other: &&JobRunRow| other.id == run.id || run.chain_id.is_some() && other.chain_id == run.chain_id;
                scope
                    .job_runs
                    .extend(self.job_runs.values().filter(is_of_chain).cloned());
            }
        }
        for row in self.schedules.values() {
            of!(row.scope).schedules.push(row.clone());
        }
        for row in self.batches.values() {
            of!(row.scope).batches.push(row.clone());
        }
        for row in self.invocations.values() {
            of!(row.scope).invocations.push(row.clone());
        }
        for row in self.traces.values() {
            of!(row.scope).traces.push(row.clone());
        }
        for scope in found.values_mut() {
            scope.clock_ms = self.clock_ms;
        }
        found.into_values().collect()
    }

    fn keep(&self, scope: &mut StoredScope, uid: &str, sequence: u64) {
        let is_known = |plan: &PlanRow| plan.uid == uid && plan.sequence == sequence;
        if !scope.plans.iter().chain(&scope.kept_plans).any(is_known) {
            scope
                .kept_plans
                .extend(self.plans.get(&(uid.to_owned(), sequence)).cloned());
        }
    }

    fn job_runs_of(&self, run_id: &str) -> Vec<JobRunRow> {
        let mut rows: Vec<_> = self
            .job_runs
            .values()
            .filter(|row| row.run_id.as_deref() == Some(run_id))
            .cloned()
            .collect();
        rows.sort_by(|left, right| (left.started_at_ms, &left.id).cmp(&(right.started_at_ms, &right.id)));
        rows
    }

    fn crawls_of(&self, run_id: &str) -> Vec<CrawlRow> {
        let mut rows: Vec<_> = self
            .crawls
            .values()
            .filter(|row| row.run_id.as_deref() == Some(run_id))
            .cloned()
            .collect();
        rows.sort_by(|left, right| (left.started_at_ms, &left.id).cmp(&(right.started_at_ms, &right.id)));
        rows
    }

    fn by_ids(&self, ids: &[String]) -> (Vec<JobRunRow>, Vec<CrawlRow>) {
        let job_runs = ids.iter().filter_map(|id| self.job_runs.get(id)).cloned().collect();
        (
            job_runs,
            ids.iter().filter_map(|id| self.crawls.get(id)).cloned().collect(),
        )
    }

    fn prune(&mut self, before_ms: i64, limit: usize) -> Vec<(Scope, String)> {
        let is_gone = |uid: &str| self.plans.values().any(|plan| plan.uid == uid && plan.is_deleted);
        let is_due = |run: &&RunRow| !run.is_open && (run.started_at_ms < before_ms || is_gone(&run.workflow_uid));
        let due: Vec<(Scope, String)> = self
            .runs
            .values()
            .filter(is_due)
            .take(limit)
            .map(|run| (run.scope.clone(), run.id.clone()))
            .collect();
        for (_, id) in &due {
            self.runs.remove(id);
            self.copies.remove(id);
            self.job_runs.retain(|_, row| row.run_id.as_ref() != Some(id));
            self.crawls.retain(|_, row| row.run_id.as_ref() != Some(id));
            self.events.retain(|(run, _), _| run != id);
        }
        self.job_runs
            .retain(|_, row| row.run_id.is_some() || row.is_open || row.started_at_ms >= before_ms);
        self.invocations.retain(|_, row| row.expires_at_ms >= before_ms);
        due
    }
}

/// A page, newest first.
fn newest<'r, T: Clone + 'r>(
    rows: impl Iterator<Item = &'r T>,
    position: impl Fn(&'r T) -> (i64, &'r String),
    after: Option<&Position>,
    limit: usize,
) -> Vec<T> {
    let is_after = |row: &&'r T| after.is_none_or(|after| position(row) < (after.started_at_ms, &after.id));
    let mut rows: Vec<&T> = rows.filter(is_after).collect();
    rows.sort_by(|left, right| position(right).cmp(&position(left)));
    rows.into_iter().take(limit).cloned().collect()
}

fn copied_ids(copies: &CopiesRow) -> Vec<String> {
    let copies = opened::<StoredCopies>(&copies.data, "copied nodes").unwrap_or_default();
    copies.nodes.into_iter().flat_map(|node| node.run_ids).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite;

    #[tokio::test]
    async fn memory_passes_the_suite() {
        suite::all(|| async { MemoryStore::default() }).await;
    }

    #[tokio::test]
    async fn a_commit_that_is_told_to_fail_fails_once_and_writes_all_or_nothing() {
        for (failure, is_written) in [(Failure::BeforeCommit, false), (Failure::AfterCommit, true)] {
            let store = MemoryStore::default();
            store.fail_next_commit(failure);
            let changes = Changes {
                clock_ms: Some(1),
                plans: vec![suite::plan("w", "u", 1)],
                ..Changes::default()
            };
            assert!(store.commit(changes).await.is_err());
            assert_eq!(store.plan_at("u", 1).await.unwrap().is_some(), is_written);
            store.commit(Changes::default()).await.unwrap();
        }
    }
}
