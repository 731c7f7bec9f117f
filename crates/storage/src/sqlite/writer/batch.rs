//! One transaction for many jobs, each in a savepoint of its own.

use std::{
    error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rusqlite::Connection;
use tokio::sync::oneshot;
use treenail_planted::failpoint::{Step, pass};

use super::{
    super::error::{WriteError, fatal_cause},
    panic_text,
};

/// A job of any type: run once, then answered once.
pub(super) trait Job: Send {
    /// Does the job's work within the savepoint.
    fn run(&mut self, connection: &Connection) -> Verdict;
    /// Tells the caller how it ended: with the job's result, or with the failure of the database.
    fn answer(self: Box<Self>, failure: Option<&Arc<str>>);
}

/// What becomes of a job's savepoint.
pub(super) enum Verdict {
    /// What the job wrote is kept.
    Keep,
    /// What the job wrote is undone.
    Undo,
    /// The database failed, in these words.
    Fatal(String),
}

/// A job with its types and its caller.
pub(super) struct Write<J, T, E> {
    /// `None` once it has run.
    job: Option<J>,
    /// `None` until it has run.
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, WriteError<E>>>,
}

impl<J, T, E> Write<J, T, E> {
    pub(super) fn new(job: J, reply: oneshot::Sender<Result<T, WriteError<E>>>) -> Self {
        Write {
            job: Some(job),
            result: None,
            reply,
        }
    }
}

impl<J, T, E> Job for Write<J, T, E>
where
    J: FnOnce(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: error::Error + Send + 'static,
{
    fn run(&mut self, connection: &Connection) -> Verdict {
        let Some(job) = self.job.take() else {
            return Verdict::Fatal("a job was run twice".to_owned());
        };
        let result = match catch_unwind(AssertUnwindSafe(|| job(connection))) {
            Ok(result) => result,
            Err(panic) => return Verdict::Fatal(format!("a job panicked: {}", panic_text(&*panic))),
        };
        let verdict = match &result {
            Ok(_) => Verdict::Keep,
            Err(error) => fatal_cause(error).map_or(Verdict::Undo, |cause| Verdict::Fatal(cause.to_string())),
        };
        self.result = Some(result);
        verdict
    }

    fn answer(self: Box<Self>, failure: Option<&Arc<str>>) {
        let answer = match (failure, self.result) {
            (None, Some(result)) => result.map_err(WriteError::Job),
            (Some(failure), _) => Err(WriteError::Fatal(Arc::clone(failure))),
            (None, None) => Err(WriteError::Fatal("the job was never run".into())),
        };
        // The caller may have gone; what it asked for is durable all the same.
        let _ = self.reply.send(answer);
    }
}

/// Runs all jobs and commits them. After an error nothing is known of what is durable, in the words returned.
pub(super) fn commit(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), String> {
    pass(Step::BatchGathered);
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in jobs {
        execute(connection, "SAVEPOINT job")?;
        match job.run(connection) {
            Verdict::Keep => {}
            Verdict::Undo => execute(connection, "ROLLBACK TO job")?,
            Verdict::Fatal(failure) => return Err(failure),
        }
        // Some failures make SQLite roll back the whole transaction; a job that hid such a failure is found here.
        if connection.is_autocommit() {
            return Err("the transaction ended before its commit".to_owned());
        }
        execute(connection, "RELEASE job")?;
    }
    pass(Step::BatchWritten);
    execute(connection, "COMMIT")?;
    pass(Step::BatchCommitted);
    Ok(())
}

fn execute(connection: &Connection, sql: &'static str) -> Result<(), String> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .map_err(|error| format!("{sql} failed: {error}"))
}
