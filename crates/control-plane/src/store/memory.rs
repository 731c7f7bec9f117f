//! The store for simulations: ordered maps in memory, which fail when they are told to.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use treenail_proto::{glue::v1::Trigger, internal::v1::Plan};
use treenail_rpc::Scope;
use treenail_storage::disk::{Disk, Failed};

use super::{
    Change, Changes, CommitError, Effect, Error, Filter, Publication, Row, Store, Stored, Tagged, Version, codec,
};
use crate::kind::{Definition, Kind};

/// The definitions in memory; clones share them, so that a service can be "restarted" on what it had committed.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    disk: Disk,
}

/// How a commit fails on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is changed.
    Refused,
    /// The changes are made, but the caller is told of a failure: the answer was lost.
    AnswerLost,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<(Scope, Kind, String), Held>,
    outbox: BTreeMap<u64, Plan>,
    sequence: u64,
    failures: VecDeque<Failure>,
    are_reads_failing: bool,
}

#[derive(Debug, Clone)]
struct Held {
    version: u64,
    row: Row,
    tags: BTreeMap<String, String>,
}

impl MemoryStore {
    /// A store without definitions, on a disk.
    #[must_use]
    pub fn on(disk: Disk) -> Self {
        Self {
            disk,
            ..Self::default()
        }
    }

    /// Makes the next commit that no earlier failure was meant for fail.
    pub fn fail_next_commit(&self, failure: Failure) {
        self.lock().failures.push_back(failure);
    }

    /// Makes all reads fail, until told otherwise.
    pub fn fail_reads(&self, are_failing: bool) {
        self.lock().are_reads_failing = are_failing;
    }

    /// Replaces the body of a row by bytes that cannot be decoded.
    pub fn damage(&self, scope: &Scope, kind: Kind, name: &str) {
        if let Some(held) = self.lock().rows.get_mut(&(scope.clone(), kind, name.to_owned())) {
            held.row.body = vec![0xff];
        }
    }

    fn commit_now(&self, changes: Changes) -> Result<u64, CommitError> {
        let mut state = self.lock();
        match state.failures.pop_front() {
            None => state.commit(changes),
            Some(Failure::Refused) => Err(Error("told to fail".to_owned()).into()),
            Some(Failure::AnswerLost) => {
                state.commit(changes)?;
                Err(Error("told to lose the answer".to_owned()).into())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state after others had their turn, as over a store that answers later.
    async fn read(&self) -> Result<MutexGuard<'_, State>, Error> {
        tokio::task::yield_now().await;
        let state = self.lock();
        if state.are_reads_failing {
            Err(Error("told to fail".to_owned()))
        } else {
            Ok(state)
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        Error(failed.to_string())
    }
}

impl Store for MemoryStore {
    async fn definitions<D: Definition>(
        &self,
        scope: &Scope,
        names: &[String],
    ) -> Result<BTreeMap<String, Stored<D>>, Error> {
        let state = self.read().await?;
        let found = names.iter().filter_map(|name| {
            let held = state.rows.get(&(scope.clone(), D::KIND, name.clone()))?;
            Some((name.clone(), held.stored(name)))
        });
        Ok(found.collect())
    }

    async fn triggers_of(&self, scope: &Scope, workflow: &str) -> Result<BTreeMap<String, Stored<Trigger>>, Error> {
        let state = self.read().await?;
        let triggers = state.of_kind(scope, Kind::Trigger, "");
        let belonging = triggers.filter(|(_, held)| held.row.workflow.as_deref() == Some(workflow));
        Ok(belonging
            .map(|(name, held)| (name.to_owned(), held.stored(name)))
            .collect())
    }

    async fn names(
        &self,
        scope: &Scope,
        kind: Kind,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let state = self.read().await?;
        let kept = state
            .of_kind(scope, kind, after.unwrap_or_default())
            .filter(|(_, held)| held.is_kept_by(filter));
        Ok(kept.map(|(name, _)| name.to_owned()).take(limit).collect())
    }

    async fn tags(&self, scope: &Scope, kind: Kind, name: &str) -> Result<Option<Tagged>, Error> {
        let state = self.read().await?;
        let held = state.rows.get(&(scope.clone(), kind, name.to_owned()));
        Ok(held.map(|held| Tagged {
            version: held.version(),
            tags: held.tags.clone(),
        }))
    }

    async fn count(&self, scope: &Scope, kind: Kind) -> Result<u64, Error> {
        Ok(self.read().await?.of_kind(scope, kind, "").map(|_| 1).sum())
    }

    async fn commit(&self, changes: Changes) -> Result<u64, CommitError> {
        tokio::task::yield_now().await;
        let write = self.disk.begin().await.map_err(Error::from)?;
        let committed = self.commit_now(changes)?;
        write.end().await.map_err(Error::from)?;
        Ok(committed)
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<Publication>, Error> {
        let state = self.read().await?;
        let waiting = state.outbox.iter().take(limit);
        Ok(waiting
            .map(|(&sequence, plan)| Publication {
                sequence,
                plan: plan.clone(),
            })
            .collect())
    }

    async fn published(&self, sequences: Vec<u64>) -> Result<(), Error> {
        let mut state = self.read().await?;
        for sequence in sequences {
            state.outbox.remove(&sequence);
        }
        Ok(())
    }
}

impl State {
    /// The rows of a kind, by name, after a name.
    fn of_kind<'a>(
        &'a self,
        scope: &'a Scope,
        kind: Kind,
        after: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Held)> {
        let from = (scope.clone(), kind, after.to_owned());
        self.rows
            .range(from..)
            .take_while(move |((of, what, _), _)| of == scope && *what == kind)
            .map(|((_, _, name), held)| (name.as_str(), held))
            .filter(move |(name, _)| *name > after)
    }

    fn commit(&mut self, changes: Changes) -> Result<u64, CommitError> {
        let Changes { scope, rows, plans } = changes;
        for change in &rows {
            let held = self.rows.get(&(scope.clone(), change.kind, change.name.clone()));
            if held.map(Held::version) != change.expected {
                return Err(CommitError::Conflict);
            }
        }
        for change in rows {
            self.change(&scope, change);
        }
        let mut last = 0;
        for plan in plans {
            self.sequence += 1;
            last = self.sequence;
            self.outbox.insert(last, Plan { sequence: last, ..plan });
        }
        Ok(last)
    }

    fn change(&mut self, scope: &Scope, change: Change) {
        let version = change.expected.map_or(0, |expected| expected.number) + 1;
        let key = (scope.clone(), change.kind, change.name);
        match change.effect {
            Effect::Touch => {
                self.rows.entry(key).and_modify(|held| held.version = version);
            }
            Effect::Put(row) => {
                let kept = self.rows.remove(&key).map(|held| held.tags);
                let tags = row.tags.clone().or(kept).unwrap_or_default();
                self.rows.insert(key, Held { version, row, tags });
            }
            Effect::Tag(tags) => {
                self.rows.entry(key).and_modify(|held| {
                    held.version = version;
                    held.tags = tags;
                });
            }
            Effect::Delete => {
                self.rows.remove(&key);
            }
        }
    }
}

impl Held {
    fn version(&self) -> Version {
        Version {
            uid: self.row.uid.clone(),
            number: self.version,
        }
    }

    fn stored<D: Definition>(&self, name: &str) -> Stored<D> {
        Stored {
            version: self.version(),
            invocation: self.row.invocation.clone(),
            definition: codec::definition(name, codec::FORMAT, &self.row.body),
        }
    }

    fn is_kept_by(&self, filter: &Filter) -> bool {
        let has_tags = filter.tags.iter().all(|(key, value)| self.tags.get(key) == Some(value));
        let starts = |job: &String| self.row.started_jobs.contains(job);
        has_tags && filter.started_job.as_ref().is_none_or(starts)
    }
}
