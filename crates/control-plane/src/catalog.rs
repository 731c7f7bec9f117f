//! The definitions: reads them, decides on changes, and makes changes durable together with the plans that follow.

mod clock;
mod job;
mod paging;
mod tag;
mod trigger;
mod workflow;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use prost::Message as _;
use treenail_rpc::{Caller, Clock, Entropy, Scope};

use crate::{
    config::Quotas,
    error::Error,
    kind::{Definition, Kind},
    outbox::Outbox,
    scheduler::Scheduler,
    store::{Change, Changes, CommitError, Effect, Row, Store, Stored, Version},
};

pub(crate) use paging::Request as PageRequest;

/// How often a change is decided on again because what it was decided on had changed.
///
/// Each time somebody else's change went through, so this is also how many callers may change one workflow at once.
const ATTEMPTS_MAX: usize = 128;

/// The largest plan, in bytes: it has to fit into one message together with a run of its workflow.
const PLAN_BYTES_MAX: usize = 1 << 20;

/// The most names in one BatchGet call that AWS sets no limit to.
const BATCH_NAMES_MAX: usize = 1_000;

/// The longest name in bytes: 255 characters of at most four (`Glue API: NameString`).
///
/// The gateway has checked it; whoever comes past the gateway is held to it here, because page tokens hold names.
const NAME_BYTES_MAX: usize = 1_020;

/// The definitions of all accounts.
#[derive(Debug)]
pub(crate) struct Catalog<S> {
    pub(crate) store: Arc<S>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) scheduler: Scheduler,
    pub(crate) quotas: Quotas,
}

/// What a call comes to, as far as the rows that it read are still the same.
enum Decision<T> {
    /// Nothing changes.
    Answer(T),
    /// Something changes first.
    Commit(Changes, T),
}

/// A definition that can be worked with.
struct Found<D> {
    version: Version,
    definition: D,
}

impl<S: Store> Catalog<S> {
    /// Makes the change that `decide` asks for, and decides again whenever the rows have changed in between.
    ///
    /// Answers when the change is durable, and the run-scheduler knows of it or has kept us waiting for too long.
    async fn change<T, F>(&self, kind: Kind, name: &str, decide: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Decision<T>, Error>>,
    {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Error::invalid(format!("A name has 1 to {NAME_BYTES_MAX} bytes")));
        }
        for _ in 0..ATTEMPTS_MAX {
            let (changes, answer) = match decide().await? {
                Decision::Answer(answer) => return Ok(answer),
                Decision::Commit(changes, answer) => (changes, answer),
            };
            if changes.plans.iter().any(|plan| plan.encoded_len() > PLAN_BYTES_MAX) {
                return Err(Error::TooLarge {
                    kind,
                    name: name.to_owned(),
                    limit_bytes: PLAN_BYTES_MAX,
                });
            }
            match self.store.commit(changes).await {
                Ok(sequence) => {
                    // A change of tags alone has no plan.
                    if sequence > 0 {
                        self.outbox.committed(sequence);
                        self.outbox.wait_for(sequence).await;
                    }
                    return Ok(answer);
                }
                Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => {
                    // Plans may have become durable; the caller is not told "done", but they are published.
                    self.outbox.committed(0);
                    return Err(error.into());
                }
            }
        }
        Err(Error::Contended {
            kind,
            name: name.to_owned(),
        })
    }

    /// Gets one definition as it is kept.
    async fn stored<D: Definition>(&self, scope: &Scope, name: &str) -> Result<Option<Stored<D>>, Error> {
        Ok(self.store.definitions(scope, &[name.to_owned()]).await?.remove(name))
    }

    /// Gets one definition; one that cannot be decoded is an error.
    async fn find<D: Definition>(&self, scope: &Scope, name: &str) -> Result<Option<Found<D>>, Error> {
        self.stored(scope, name)
            .await?
            .map(|stored| found(name, stored))
            .transpose()
    }

    /// Gets definitions in the order in which they are named, each once, and the names of those that do not exist.
    async fn batch<D: Definition>(&self, scope: &Scope, names: Vec<String>) -> Result<(Vec<D>, Vec<String>), Error> {
        if names.len() > BATCH_NAMES_MAX {
            return Err(Error::invalid(format!(
                "At most {BATCH_NAMES_MAX} names can be given at once"
            )));
        }
        let mut stored: BTreeMap<String, Stored<D>> = self.store.definitions(scope, &names).await?;
        let mut definitions = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.clone()) {
                continue;
            }
            match stored.remove(&name).map(|stored| stored.definition) {
                Some(Ok(definition)) => definitions.push(definition),
                Some(Err(_)) | None => missing.push(name),
            }
        }
        Ok((definitions, missing))
    }

    /// Refuses to make one more of a kind than a quota allows.
    async fn check_quota(&self, scope: &Scope, kind: Kind, limit: Option<u32>) -> Result<(), Error> {
        let Some(limit) = limit else { return Ok(()) };
        if self.store.count(scope, kind).await? >= u64::from(limit) {
            return Err(Error::TooMany {
                plural: kind.plural(),
                limit,
            });
        }
        Ok(())
    }

    /// The row of a new definition, with an identity of its own.
    fn new_row<D: Definition>(&self, caller: &Caller, definition: &D, tags: &BTreeMap<String, String>) -> Row {
        let uid = self.entropy.uuid().to_string();
        Row {
            tags: Some(tags.clone()),
            ..Row::new(definition, uid, caller.invocation.clone())
        }
    }
}

/// Whether the call that changed a row last is this one, sent again by the client because no answer came.
fn is_same_call<D>(caller: &Caller, stored: &Stored<D>) -> bool {
    caller.invocation.is_some() && caller.invocation == stored.invocation
}

fn found<D: Definition>(name: &str, stored: Stored<D>) -> Result<Found<D>, Error> {
    let Stored {
        version, definition, ..
    } = stored;
    let damaged = |_| Error::Damaged {
        kind: D::KIND,
        name: name.to_owned(),
    };
    Ok(Found {
        version,
        definition: definition.map_err(damaged)?,
    })
}

/// The change of one row.
fn change(kind: Kind, name: &str, expected: Option<Version>, effect: Effect) -> Change {
    Change {
        kind,
        name: name.to_owned(),
        expected,
        effect,
    }
}
