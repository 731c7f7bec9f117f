//! What the control-plane keeps, in its own words, and what every implementation promises.

pub mod memory;
pub mod sqlite;

mod codec;
#[cfg(test)]
mod suite;

use std::{collections::BTreeMap, future::Future};

use treenail_proto::{glue::v1::Trigger, internal::v1::Plan};
use treenail_rpc::Scope;
use treenail_storage::seal::seal;

use crate::kind::{Definition, Kind};

/// A definition as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<D> {
    /// Which creation it is, and which version of that.
    pub version: Version,
    /// The SDK call that made the last change, where the client told it.
    pub invocation: Option<String>,
    /// The definition; an error when the row cannot be decoded, which the store has logged.
    pub definition: Result<D, Damaged>,
}

/// What a decision was made on: it no longer holds when the row has changed since, or is another of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The identity of the row's creation (a UUID): one created later under the same name has another.
    pub uid: String,
    /// Counts the changes of the row and of what hangs on it; 1 at creation.
    pub number: u64,
}

/// The tags of a definition, and the version that they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The definition's version.
    pub version: Version,
    /// The tags by key.
    pub tags: BTreeMap<String, String>,
}

/// A stored definition that cannot be decoded: it is kept as it is, and left out of everything but its deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored definition cannot be decoded")]
pub struct Damaged;

/// Which definitions of a kind a listing shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Tags that they have to have, all of them, with exactly these values.
    pub tags: BTreeMap<String, String>,
    /// A job that they have to start; triggers only.
    pub started_job: Option<String>,
}

/// What one call changes, in one transaction: all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The account and region that all of it belongs to.
    pub scope: Scope,
    /// The changes of rows, in order; no row is named twice.
    pub rows: Vec<Change>,
    /// The plans to publish, in order; the store gives them their sequences.
    pub plans: Vec<Plan>,
}

/// The change of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row's kind.
    pub kind: Kind,
    /// The row's name.
    pub name: String,
    /// The version that the decision was made on; `None` when there was no row. Anything else is a conflict.
    pub expected: Option<Version>,
    /// What happens to the row.
    pub effect: Effect,
}

/// What happens to a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Only its version grows, so that whoever decided on the old one conflicts.
    Touch,
    /// It is created or replaced.
    Put(Row),
    /// Its tags are replaced.
    Tag(BTreeMap<String, String>),
    /// It goes, with its tags.
    Delete,
}

/// The content of a row that is put.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The identity of the creation.
    pub uid: String,
    /// The SDK call that makes the change.
    pub invocation: Option<String>,
    /// The workflow that the definition belongs to.
    pub workflow: Option<String>,
    /// The jobs that it starts, without repetition.
    pub started_jobs: Vec<String>,
    /// The encoded definition.
    pub body: Vec<u8>,
    /// The tags; `None` keeps those that the row has.
    pub tags: Option<BTreeMap<String, String>>,
}

impl Row {
    /// The row of a definition.
    pub fn new<D: Definition>(definition: &D, uid: String, invocation: Option<String>) -> Row {
        Row {
            uid,
            invocation,
            workflow: definition.workflow().map(str::to_owned),
            started_jobs: definition.started_jobs().into_iter().map(str::to_owned).collect(),
            body: seal(definition.encode_to_vec()),
            tags: None,
        }
    }
}

/// A plan that waits to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// Its place in the order of all plans; also the plan's own sequence.
    pub sequence: u64,
    /// The plan.
    pub plan: Plan,
}

/// Why the store could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// Why changes were not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A row has another version than was expected; nothing was changed.
    #[error("a row has changed since it was read")]
    Conflict,
    /// The store failed. Whether the changes were made is unknown.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// The definitions, their tags, and the plans that still have to be published.
///
/// Every read sees all that was committed before it and nothing of a commit that is not complete. Names are ordered by
/// their UTF-8 bytes. A row that cannot be decoded is logged loudly and never fails a read of other rows.
pub trait Store: Send + Sync + 'static {
    /// Gets definitions by name; those that do not exist are left out.
    fn definitions<D: Definition>(
        &self,
        scope: &Scope,
        names: &[String],
    ) -> impl Future<Output = Result<BTreeMap<String, Stored<D>>, Error>> + Send;

    /// Gets all triggers of a workflow by name.
    fn triggers_of(
        &self,
        scope: &Scope,
        workflow: &str,
    ) -> impl Future<Output = Result<BTreeMap<String, Stored<Trigger>>, Error>> + Send;

    /// Gets the names of a kind that a filter keeps, in order, after `after` (from the first when `None`), at most
    /// `limit`. Costs no more for a later page than for the first.
    fn names(
        &self,
        scope: &Scope,
        kind: Kind,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, Error>> + Send;

    /// Gets a definition's version and tags; `None` when there is no such definition.
    fn tags(&self, scope: &Scope, kind: Kind, name: &str)
    -> impl Future<Output = Result<Option<Tagged>, Error>> + Send;

    /// Counts the definitions of a kind.
    fn count(&self, scope: &Scope, kind: Kind) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Makes changes durable, all or none, if every row still has its expected version.
    ///
    /// Gives each plan a sequence larger than any given before, in the order of the changes, and answers the last of
    /// them (0 when there is no plan).
    fn commit(&self, changes: Changes) -> impl Future<Output = Result<u64, CommitError>> + Send;

    /// Gets the plans that wait, in order, at most `limit`; none is seen before all that have smaller sequences.
    fn outbox(&self, limit: usize) -> impl Future<Output = Result<Vec<Publication>, Error>> + Send;

    /// Forgets plans that were published; unknown sequences are skipped.
    fn published(&self, sequences: Vec<u64>) -> impl Future<Output = Result<(), Error>> + Send;
}
