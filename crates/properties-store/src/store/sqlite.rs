//! The embedded store.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OptionalExtension as _, params};
use treenail_rpc::Scope;
use treenail_storage::sqlite::{self, Database, Migration, OnFatal, WriteError};

use super::Store;
use crate::{
    error::Error,
    properties::{Limits, Properties, Put, Run, RunKey, Seed, Size},
    recent::{Fingerprint, Recent},
};

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_create_runs",
        sql: include_str!("../../migrations/sqlite/0001_create_runs.sql"),
    },
    Migration {
        name: "0002_add_recent_puts",
        sql: include_str!("../../migrations/sqlite/0002_add_recent_puts.sql"),
    },
];

const FIND_RUN: &str = "SELECT id, workflow FROM runs WHERE account = ?1 AND region = ?2 AND run_id = ?3";
const RECENT_PUTS: &str = "SELECT recent_puts FROM runs WHERE id = ?1";
const SET_RECENT_PUTS: &str = "UPDATE runs SET recent_puts = ?2 WHERE id = ?1";
const INSERT_RUN: &str = "INSERT INTO runs (account, region, run_id, workflow) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (account, region, run_id) DO NOTHING RETURNING id";
const DELETE_RUN: &str = "DELETE FROM runs WHERE account = ?1 AND region = ?2 AND run_id = ?3";
const GET_PROPERTIES: &str = "SELECT key, value FROM properties WHERE run = ?1";
const COPY_PROPERTIES: &str = "INSERT INTO properties (run, key, value) SELECT ?1, properties.key, properties.value
    FROM properties JOIN runs ON runs.id = properties.run
    WHERE runs.account = ?2 AND runs.region = ?3 AND runs.run_id = ?4";
const PUT_PROPERTY: &str = "INSERT INTO properties (run, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (run, key) DO UPDATE SET value = excluded.value";
const SIZE: &str = "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(value)), 0)
    FROM properties WHERE run = ?1";

/// Keeps properties in a SQLite database.
#[derive(Clone, Debug)]
pub struct Sqlite {
    database: Database,
}

impl Sqlite {
    /// Opens the database, makes it where there is none, and migrates it.
    ///
    /// # Errors
    /// As [`Database::open`], which also says when `on_fatal` is called.
    pub fn open(path: &Path, on_fatal: OnFatal) -> Result<Sqlite, sqlite::Error> {
        Ok(Sqlite {
            database: Database::open(path, MIGRATIONS, on_fatal)?,
        })
    }
}

impl Store for Sqlite {
    async fn seed(&self, seeds: Vec<Seed>) -> Result<(), Error> {
        let job = move |connection: &Connection| seeds.iter().try_for_each(|seed| plant(connection, seed));
        Ok(self.database.write(job).await?)
    }

    async fn get(&self, run: &RunKey) -> Result<Option<Run>, Error> {
        let run = run.clone();
        let query = move |connection: &Connection| {
            let Some((id, workflow)) = find(connection, &run)? else {
                return Ok(None);
            };
            Ok(Some(Run {
                workflow,
                properties: properties(connection, id)?,
            }))
        };
        Ok(self.database.read(query).await?)
    }

    async fn get_many(&self, scope: &Scope, run_ids: Vec<String>) -> Result<BTreeMap<String, Properties>, Error> {
        let scope = scope.clone();
        let query = move |connection: &Connection| {
            let mut found = BTreeMap::new();
            for run_id in run_ids {
                let run = RunKey {
                    scope: scope.clone(),
                    run_id,
                };
                if let Some((id, _)) = find(connection, &run)? {
                    found.insert(run.run_id, properties(connection, id)?);
                }
            }
            Ok(found)
        };
        Ok(self.database.read(query).await?)
    }

    async fn put(&self, put: Put, limits: Limits) -> Result<(), Error> {
        let job = move |connection: &Connection| {
            let found = find(connection, &put.run)?.filter(|(_, workflow)| *workflow == put.workflow);
            let (id, _) = found.ok_or(Error::RunNotFound)?;
            if let Some(call) = put.call
                && !is_first(connection, id, call)?
            {
                return Ok(());
            }
            put_all(connection, id, &put.properties)?;
            // An error undoes what was put.
            Ok(limits.check(size(connection, id)?)?)
        };
        Ok(self.database.write(job).await?)
    }

    async fn forget(&self, scope: &Scope, run_ids: Vec<String>) -> Result<(), Error> {
        let scope = scope.clone();
        let job = move |connection: &Connection| {
            let mut delete = connection.prepare_cached(DELETE_RUN)?;
            for run_id in run_ids {
                delete.execute(params![scope.account, scope.region, run_id])?;
            }
            Ok::<_, Error>(())
        };
        Ok(self.database.write(job).await?)
    }
}

fn plant(connection: &Connection, seed: &Seed) -> Result<(), Error> {
    let RunKey {
        scope: Scope { account, region },
        run_id,
    } = &seed.run;
    let id: Option<i64> = connection
        .prepare_cached(INSERT_RUN)?
        .query_row(params![account, region, run_id, seed.workflow], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(()) };
    if let Some(copied) = &seed.copy_from_run_id {
        connection
            .prepare_cached(COPY_PROPERTIES)?
            .execute(params![id, account, region, copied])?;
    }
    put_all(connection, id, &seed.properties)
}

fn put_all(connection: &Connection, id: i64, properties: &Properties) -> Result<(), Error> {
    let mut put = connection.prepare_cached(PUT_PROPERTY)?;
    for (key, value) in properties {
        put.execute(params![id, key, value])?;
    }
    Ok(())
}

/// Whether a call comes for the first time; remembers it.
fn is_first(connection: &Connection, id: i64, call: Fingerprint) -> rusqlite::Result<bool> {
    let mut recent = connection
        .prepare_cached(RECENT_PUTS)?
        .query_row([id], |row| row.get(0).map(Recent::from_bytes))?;
    if recent.contains(call) {
        return Ok(false);
    }
    recent.remember(call);
    connection
        .prepare_cached(SET_RECENT_PUTS)?
        .execute(params![id, recent.as_bytes()])?;
    Ok(true)
}

/// The run's number and its workflow.
fn find(connection: &Connection, run: &RunKey) -> rusqlite::Result<Option<(i64, String)>> {
    connection
        .prepare_cached(FIND_RUN)?
        .query_row(params![run.scope.account, run.scope.region, run.run_id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
}

fn properties(connection: &Connection, id: i64) -> rusqlite::Result<Properties> {
    connection
        .prepare_cached(GET_PROPERTIES)?
        .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn size(connection: &Connection, id: i64) -> rusqlite::Result<Size> {
    let (properties, bytes): (i64, i64) = connection
        .prepare_cached(SIZE)?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // SQL has no unsigned numbers; counts and sums of lengths are not negative.
    Ok(Size {
        properties: properties.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
    })
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Store(error.into())
    }
}

impl From<sqlite::Error> for Error {
    fn from(error: sqlite::Error) -> Self {
        Error::Store(error.into())
    }
}

impl From<WriteError<Error>> for Error {
    fn from(error: WriteError<Error>) -> Self {
        match error {
            WriteError::Job(error) => error,
            WriteError::Fatal(failure) => Error::Store(failure.as_ref().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::Sqlite;
    use crate::store::suite;

    fn open(folder: &Path) -> Sqlite {
        Sqlite::open(&folder.join("properties.db"), Arc::new(|failure| panic!("{failure}"))).unwrap()
    }

    #[tokio::test]
    async fn the_suite_holds() {
        let folder = tempfile::tempdir().unwrap();
        let mut number = 0;
        suite::all(async || {
            number += 1;
            open(&folder.path().join(number.to_string()))
        })
        .await;
    }

    #[tokio::test]
    async fn what_was_put_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        suite::seed_one(&store).await.unwrap();
        suite::put_one(&store, "durable").await.unwrap();
        drop(store);
        assert_eq!(suite::value(&open(folder.path())).await.as_deref(), Some("durable"));
    }
}
