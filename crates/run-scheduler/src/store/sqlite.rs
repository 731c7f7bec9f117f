//! The store in SQLite.

mod load;
mod prune;
mod read;
mod write;

use std::path::Path;

use rusqlite::{OptionalExtension as _, params};
use treenail_rpc::Scope;
use treenail_storage::sqlite::{Database, Migration, OnFatal};

use super::{
    BookmarkRow, Changes, CopiesRow, CrawlRow, Error, EventRow, JobRunRow, PlanKind, PlanRow, Position, RunRow, Store,
    StoredScope,
};

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_create_tables",
        sql: include_str!("../../migrations/sqlite/0001_create_tables.sql"),
    },
    Migration {
        name: "0002_create_trace",
        sql: include_str!("../../migrations/sqlite/0002_create_trace.sql"),
    },
];

const PUT_BOOKMARK: &str = "INSERT INTO bookmark (job_uid, version, run, attempt, run_id, previous_run_id, state)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE coalesce((SELECT version FROM bookmark WHERE job_uid = ?1), 0) = ?8
    ON CONFLICT (job_uid) DO UPDATE SET version = excluded.version, run = excluded.run, attempt = excluded.attempt,
        run_id = excluded.run_id, previous_run_id = excluded.previous_run_id, state = excluded.state";

/// The embedded store: one file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Database,
}

impl SqliteStore {
    /// Opens the store, makes it where there is none, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, is of a newer version, or is no database.
    pub fn open(path: &Path, on_fatal: OnFatal) -> Result<Self, treenail_storage::sqlite::Error> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS, on_fatal)?,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.database
            .read(query)
            .await
            .map_err(|error| Error::Read(error.to_string()))
    }
}

impl Store for SqliteStore {
    async fn commit(&self, changes: Changes) -> Result<(), Error> {
        let written = self
            .database
            .write(move |connection| write::all(connection, &changes))
            .await;
        written.map_err(|error| Error::Commit(error.to_string()))
    }

    async fn load(&self) -> Result<Vec<StoredScope>, Error> {
        self.read(load::everything_open).await
    }

    async fn plan(&self, scope: &Scope, kind: PlanKind, name: &str) -> Result<Option<PlanRow>, Error> {
        let (scope, name) = (scope.to_string(), name.to_owned());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(read::PLAN_BY_NAME)?;
            statement
                .query_row(params![scope, write::kind_number(kind), name], read::plan)
                .optional()
        })
        .await
    }

    async fn plan_at(&self, uid: &str, sequence: u64) -> Result<Option<PlanRow>, Error> {
        let uid = uid.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(read::PLAN_AT)?
                .query_row(params![uid, sequence], read::plan)
                .optional()
        })
        .await
    }

    async fn run(&self, scope: &Scope, workflow: &str, id: &str) -> Result<Option<RunRow>, Error> {
        let (scope, workflow, id) = (scope.to_string(), workflow.to_owned(), id.to_owned());
        self.read(move |connection| {
            connection
                .prepare_cached(read::RUN)?
                .query_row(params![id, scope, workflow], read::run)
                .optional()
        })
        .await
    }

    async fn workflow_of(&self, scope: &Scope, run_id: &str) -> Result<Option<String>, Error> {
        let (scope, id) = (scope.to_string(), run_id.to_owned());
        self.read(move |connection| {
            connection
                .prepare_cached(read::WORKFLOW_OF)?
                .query_row(params![id, scope], |row| row.get(0))
                .optional()
        })
        .await
    }

    async fn runs(&self, workflow_uid: &str, after: Option<Position>, limit: usize) -> Result<Vec<RunRow>, Error> {
        let uid = workflow_uid.to_owned();
        self.read(move |connection| read::newest(connection, read::RUNS, &uid, after, limit, read::run))
            .await
    }

    async fn job_runs_of_run(&self, run_id: &str) -> Result<Vec<JobRunRow>, Error> {
        let id = run_id.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(read::JOB_RUNS_OF_RUN)?
                .query_map([id], read::job_run)?
                .collect()
        })
        .await
    }

    async fn crawls_of_run(&self, run_id: &str) -> Result<Vec<CrawlRow>, Error> {
        let id = run_id.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(read::CRAWLS_OF_RUN)?
                .query_map([id], read::crawl)?
                .collect()
        })
        .await
    }

    async fn by_ids(&self, ids: Vec<String>) -> Result<(Vec<JobRunRow>, Vec<CrawlRow>), Error> {
        self.read(move |connection| read::by_ids(connection, &ids)).await
    }

    async fn copies(&self, run_id: &str) -> Result<Option<CopiesRow>, Error> {
        let id = run_id.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(read::COPIES)?
                .query_row([id], read::copies)
                .optional()
        })
        .await
    }

    async fn job_runs(&self, job_uid: &str, after: Option<Position>, limit: usize) -> Result<Vec<JobRunRow>, Error> {
        let uid = job_uid.to_owned();
        self.read(move |connection| read::newest(connection, read::JOB_RUNS, &uid, after, limit, read::job_run))
            .await
    }

    async fn history(&self, run_id: &str, from: u64, limit: usize) -> Result<Vec<EventRow>, Error> {
        let id = run_id.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(read::HISTORY)?
                .query_map(params![id, from, limit], read::event)?
                .collect()
        })
        .await
    }

    async fn bookmark(&self, job_uid: &str) -> Result<Option<BookmarkRow>, Error> {
        let uid = job_uid.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(read::BOOKMARK)?
                .query_row([uid], read::bookmark)
                .optional()
        })
        .await
    }

    async fn put_bookmark(&self, row: BookmarkRow, version: i32) -> Result<bool, Error> {
        let written = self.database.write(move |connection| {
            connection.prepare_cached(PUT_BOOKMARK)?.execute(params![
                row.job_uid,
                row.version,
                row.run,
                row.attempt,
                row.run_id,
                row.previous_run_id,
                row.state,
                version
            ])
        });
        written
            .await
            .map(|rows| rows > 0)
            .map_err(|error| Error::Commit(error.to_string()))
    }

    async fn prune(&self, before_ms: i64, limit: usize) -> Result<Vec<(Scope, String)>, Error> {
        let pruned = self
            .database
            .write(move |connection| prune::ended(connection, before_ms, limit))
            .await;
        pruned.map_err(|error| Error::Commit(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::suite;

    fn open(path: &Path) -> SqliteStore {
        SqliteStore::open(path, Arc::new(|why: &str| panic!("{why}"))).unwrap()
    }

    #[tokio::test]
    async fn sqlite_passes_the_suite() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::sync::atomic::AtomicUsize::new(0);
        suite::all(|| {
            let number = made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let path = folder.path().join(format!("{number}.db"));
            async move { open(&path) }
        })
        .await;
    }

    #[tokio::test]
    async fn a_store_that_is_opened_again_has_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.db");
        let store = open(&path);
        store
            .commit(Changes {
                plans: vec![suite::plan("w", "u", 1)],
                ..Changes::default()
            })
            .await
            .unwrap();
        drop(store);
        assert!(open(&path).plan_at("u", 1).await.unwrap().is_some());
    }
}
