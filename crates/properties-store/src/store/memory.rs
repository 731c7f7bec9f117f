//! The store for simulations: deterministic, without threads or files, and failing on demand.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use treenail_rpc::Scope;
use treenail_storage::disk::{Disk, Failed};

use super::Store;
use crate::{
    error::Error,
    properties::{Limits, Properties, Put, Run, RunKey, Seed, Size},
    recent::Recent,
};

/// Keeps properties in memory; clones share them, so that a clone is what outlives a service that crashed.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    disk: Disk,
}

/// When a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing of it takes effect.
    BeforeCommit,
    /// It takes effect, and the caller is not told.
    AfterCommit,
}

/// What becomes of runs: `None` forgets one.
type Changes = BTreeMap<RunKey, Option<Held>>;

#[derive(Clone, Debug)]
struct Held {
    run: Run,
    recent: Recent,
}

#[derive(Debug, Default)]
struct State {
    runs: BTreeMap<RunKey, Held>,
    failures: VecDeque<Failure>,
}

impl Memory {
    /// A store without runs.
    #[must_use]
    pub fn new() -> Memory {
        Memory::default()
    }

    /// A store without runs, on a disk.
    #[must_use]
    pub fn on(disk: Disk) -> Memory {
        Memory {
            disk,
            ..Memory::default()
        }
    }

    /// Lets the next write fail that would take effect; called twice, the two next.
    pub fn fail_next_write(&self, failure: Failure) {
        self.state().failures.push_back(failure);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock in the middle of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes changes durable, or fails as was asked for.
    fn commit(mut state: MutexGuard<'_, State>, changes: Changes) -> Result<(), Error> {
        match state.failures.pop_front() {
            None => {
                state.apply(changes);
                Ok(())
            }
            Some(Failure::AfterCommit) => {
                state.apply(changes);
                Err(Error::Store("the answer to a commit was lost on demand".into()))
            }
            Some(Failure::BeforeCommit) => Err(Error::Store("a commit failed on demand".into())),
        }
    }
}

impl Memory {
    fn put_now(&self, put: Put, limits: Limits) -> Result<(), Error> {
        let state = self.state();
        let found = state
            .runs
            .get(&put.run)
            .filter(|held| held.run.workflow == put.workflow);
        let Held { mut run, mut recent } = found.ok_or(Error::RunNotFound)?.clone();
        if let Some(call) = put.call {
            if recent.contains(call) {
                return Ok(());
            }
            recent.remember(call);
        }
        run.properties.extend(put.properties);
        limits.check(Size::of(&run.properties))?;
        Memory::commit(state, [(put.run, Some(Held { run, recent }))].into())
    }

    fn seed_now(&self, seeds: Vec<Seed>) -> Result<(), Error> {
        let state = self.state();
        let mut planted = Changes::new();
        for seed in seeds {
            let present = |key: &RunKey| {
                planted
                    .get(key)
                    .and_then(Option::as_ref)
                    .or_else(|| state.runs.get(key))
            };
            if present(&seed.run).is_some() {
                continue;
            }
            let copied = seed
                .copy_from_run_id
                .and_then(|run_id| {
                    present(&RunKey {
                        scope: seed.run.scope.clone(),
                        run_id,
                    })
                })
                .map(|held| held.run.properties.clone());
            let mut properties = copied.unwrap_or_default();
            properties.extend(seed.properties);
            planted.insert(
                seed.run,
                Some(Held {
                    run: Run {
                        workflow: seed.workflow,
                        properties,
                    },
                    recent: Recent::default(),
                }),
            );
        }
        Memory::commit(state, planted)
    }
}

impl State {
    fn apply(&mut self, changes: Changes) {
        for (key, run) in changes {
            match run {
                Some(run) => self.runs.insert(key, run),
                None => self.runs.remove(&key),
            };
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        Error::Store(failed.into())
    }
}

impl Store for Memory {
    async fn seed(&self, seeds: Vec<Seed>) -> Result<(), Error> {
        let write = self.disk.begin().await?;
        self.seed_now(seeds)?;
        Ok(write.end().await?)
    }

    async fn get(&self, run: &RunKey) -> Result<Option<Run>, Error> {
        Ok(self.state().runs.get(run).map(|held| held.run.clone()))
    }

    async fn get_many(&self, scope: &Scope, run_ids: Vec<String>) -> Result<BTreeMap<String, Properties>, Error> {
        let state = self.state();
        let found = run_ids.into_iter().filter_map(|run_id| {
            let key = RunKey {
                scope: scope.clone(),
                run_id,
            };
            let properties = state.runs.get(&key)?.run.properties.clone();
            Some((key.run_id, properties))
        });
        Ok(found.collect())
    }

    async fn put(&self, put: Put, limits: Limits) -> Result<(), Error> {
        let write = self.disk.begin().await?;
        self.put_now(put, limits)?;
        Ok(write.end().await?)
    }

    async fn forget(&self, scope: &Scope, run_ids: Vec<String>) -> Result<(), Error> {
        let forgotten = run_ids.into_iter().map(|run_id| {
            (
                RunKey {
                    scope: scope.clone(),
                    run_id,
                },
                None,
            )
        });
        let write = self.disk.begin().await?;
        Memory::commit(self.state(), forgotten.collect())?;
        Ok(write.end().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Memory};
    use crate::store::suite;

    #[tokio::test]
    async fn the_suite_holds() {
        suite::all(async || Memory::new()).await;
    }

    #[tokio::test]
    async fn writes_fail_on_demand() {
        let store = Memory::new();
        suite::seed_one(&store).await.unwrap();

        store.fail_next_write(Failure::BeforeCommit);
        suite::put_one(&store, "lost").await.unwrap_err();
        assert_eq!(suite::value(&store).await.as_deref(), None);

        store.fail_next_write(Failure::AfterCommit);
        suite::put_one(&store, "kept").await.unwrap_err();
        assert_eq!(suite::value(&store).await.as_deref(), Some("kept"));

        suite::put_one(&store, "told").await.unwrap();
        assert_eq!(suite::value(&store).await.as_deref(), Some("told"));
    }
}
