//! The embedded store: SQLite with one writer and group commit.

mod commit;
mod sql;

use std::{collections::BTreeMap, future::Future, path::Path};

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, RowIndex, named_params};
use treenail_proto::glue::v1::Trigger;
use treenail_rpc::Scope;
use treenail_storage::sqlite::{Database, Error as DatabaseError, Migration, OnFatal, WriteError};

use super::{Changes, CommitError, Error, Filter, Publication, Store, Stored, Tagged, Version, codec};
use crate::kind::{Definition, Kind};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_create_definitions",
    sql: include_str!("../../migrations/sqlite/0001_create_definitions.sql"),
}];

/// The definitions in an SQLite database.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Database,
}

impl SqliteStore {
    /// Opens the database file, makes it where there is none, and migrates it.
    ///
    /// `on_fatal` is called when a commit fails for any other reason than a conflict: the process should abort there.
    ///
    /// # Errors
    /// When the file cannot be opened or migrated, or a newer Treenail wrote it.
    pub fn open(path: &Path, on_fatal: OnFatal) -> Result<SqliteStore, DatabaseError> {
        Ok(SqliteStore {
            database: Database::open(path, MIGRATIONS, on_fatal)?,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.database.read(query).await.map_err(|error| Error(describe(&error)))
    }
}

impl Store for SqliteStore {
    async fn definitions<D: Definition>(
        &self,
        scope: &Scope,
        names: &[String],
    ) -> Result<BTreeMap<String, Stored<D>>, Error> {
        let (scope, names) = (scope.clone(), names.to_vec());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(sql::DEFINITION)?;
            let mut found = BTreeMap::new();
            for name in names {
                let parameters = named_params! {
                    ":account": scope.account, ":region": scope.region, ":kind": number(D::KIND), ":name": name,
                };
                if let Some(stored) = statement.query_row(parameters, stored::<D>).optional()? {
                    found.insert(name, stored);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn triggers_of(&self, scope: &Scope, workflow: &str) -> Result<BTreeMap<String, Stored<Trigger>>, Error> {
        let (scope, workflow) = (scope.clone(), workflow.to_owned());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(sql::TRIGGERS_OF_WORKFLOW)?;
            let parameters =
                named_params! { ":account": scope.account, ":region": scope.region, ":workflow": workflow };
            statement
                .query_map(parameters, |row| Ok((row.get("name")?, stored(row)?)))?
                .collect()
        })
        .await
    }

    async fn names(
        &self,
        scope: &Scope,
        kind: Kind,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let (scope, filter) = (scope.clone(), filter.clone());
        // Every name is longer than the empty text.
        let after = after.unwrap_or_default().to_owned();
        self.read(move |connection| names(connection, &scope, kind, &filter, &after, limit))
            .await
    }

    async fn tags(&self, scope: &Scope, kind: Kind, name: &str) -> Result<Option<Tagged>, Error> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.read(move |connection| {
            let parameters = named_params! {
                ":account": scope.account, ":region": scope.region, ":kind": number(kind), ":name": name,
            };
            let version = connection
                .prepare_cached(sql::VERSION)?
                .query_row(parameters, version)
                .optional()?;
            let Some(version) = version else { return Ok(None) };
            let mut statement = connection.prepare_cached(sql::TAGS)?;
            let tags = statement.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Some(Tagged {
                version,
                tags: tags.collect::<rusqlite::Result<_>>()?,
            }))
        })
        .await
    }

    async fn count(&self, scope: &Scope, kind: Kind) -> Result<u64, Error> {
        let scope = scope.clone();
        self.read(move |connection| {
            let parameters =
                named_params! { ":account": scope.account, ":region": scope.region, ":kind": number(kind) };
            connection
                .prepare_cached(sql::COUNT)?
                .query_row(parameters, |row| unsigned(row, 0))
        })
        .await
    }

    // Not an `async fn`: its future would hold the changes twice.
    fn commit(&self, changes: Changes) -> impl Future<Output = Result<u64, CommitError>> + Send {
        let database = self.database.clone();
        async move {
            let written = database
                .write(move |connection| commit::apply(connection, &changes))
                .await;
            written.map_err(|error| match error {
                WriteError::Job(commit::Refusal::Conflict) => CommitError::Conflict,
                WriteError::Job(commit::Refusal::Sqlite(error)) => CommitError::Failed(Error(error.to_string())),
                WriteError::Fatal(reason) => CommitError::Failed(Error(reason.to_string())),
            })
        }
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<Publication>, Error> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(sql::OUTBOX)?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                if found.len() == limit {
                    break;
                }
                let body = row.get_ref("plan")?.as_blob()?;
                found.extend(codec::publication(unsigned(row, "sequence")?, row.get("format")?, body));
            }
            Ok(found)
        })
        .await
    }

    async fn published(&self, sequences: Vec<u64>) -> Result<(), Error> {
        let written = self.database.write(move |connection| {
            let mut statement = connection.prepare_cached(sql::FORGET_PUBLISHED)?;
            for sequence in sequences {
                statement.execute(named_params! { ":sequence": signed(sequence) })?;
            }
            Ok::<(), rusqlite::Error>(())
        });
        written.await.map_err(|error| Error(error.to_string()))
    }
}

/// The kind's number in rows.
fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Workflow => 1,
        Kind::Trigger => 2,
        Kind::Job => 3,
    }
}

fn stored<D: Definition>(row: &SqlRow<'_>) -> rusqlite::Result<Stored<D>> {
    let name: String = row.get("name")?;
    Ok(Stored {
        version: version(row)?,
        invocation: row.get("invocation")?,
        definition: codec::definition(&name, row.get("format")?, row.get_ref("body")?.as_blob()?),
    })
}

fn version(row: &SqlRow<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        uid: row.get("uid")?,
        number: unsigned(row, "version")?,
    })
}

/// A count or sequence that we wrote ourselves, and so is not negative.
fn unsigned(row: &SqlRow<'_>, column: impl RowIndex) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    Ok(u64::try_from(number).unwrap_or_default())
}

/// A count or sequence, as SQLite holds it.
fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn names(
    connection: &Connection,
    scope: &Scope,
    kind: Kind,
    filter: &Filter,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let limit = signed(limit);
    let (account, region, kind) = (&scope.account, &scope.region, number(kind));
    // Rows are looked up through the first tag, or the job; the tags are then checked one by one.
    let tags = serde_json::to_string(&filter.tags).expect("texts are JSON");
    let tag_count = signed(filter.tags.len());
    let take = |row: &SqlRow<'_>| row.get(0);
    if let Some(job) = &filter.started_job {
        let mut statement = connection.prepare_cached(sql::NAMES_STARTING_JOB)?;
        let parameters = named_params! {
            ":account": account, ":region": region, ":kind": kind, ":after": after, ":limit": limit,
            ":job": job, ":tags": tags, ":tag_count": tag_count,
        };
        return statement.query_map(parameters, take)?.collect();
    }
    if let Some((key, value)) = filter.tags.first_key_value() {
        let mut statement = connection.prepare_cached(sql::NAMES_TAGGED)?;
        let parameters = named_params! {
            ":account": account, ":region": region, ":kind": kind, ":after": after, ":limit": limit,
            ":key": key, ":value": value, ":tags": tags, ":tag_count": tag_count,
        };
        return statement.query_map(parameters, take)?.collect();
    }
    let mut statement = connection.prepare_cached(sql::NAMES)?;
    let parameters = named_params! {
        ":account": account, ":region": region, ":kind": kind, ":after": after, ":limit": limit,
    };
    statement.query_map(parameters, take)?.collect()
}

/// An error with all its causes, which SQLite's own text needs to be understood.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
