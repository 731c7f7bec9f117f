//! The thread that writes: takes all jobs that wait, commits them at once, then answers them.
//!
//! While one commit is being synced the next jobs gather, so that the batch grows with the load and no timer is needed.

mod batch;
mod checkpoint;

use std::{
    any::Any,
    error, fmt,
    path::Path,
    sync::{Arc, OnceLock},
    thread::{self, JoinHandle},
};

use metrics::{SharedString, histogram};
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::{
    batch::{Job, Write},
    checkpoint::Checkpoints,
};
use super::{
    database::join,
    error::{Error, WriteError},
};

/// Jobs that share one commit at most.
pub const WRITE_BATCH_MAX: usize = 256;
/// Jobs that may wait for the writer; whoever brings one more waits for room.
pub const WRITE_QUEUE_MAX: usize = 1_024;

/// What to do when the database failed beyond repair; told why.
pub type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// The writing thread; ends it when it is dropped.
pub(super) struct Writer {
    /// `None` only while the writer is dropped.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    /// Why the writer gave up, once it has.
    failure: Arc<OnceLock<Arc<str>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: &Path, on_fatal: OnFatal) -> Result<Writer, Error> {
        let (sender, receiver) = mpsc::channel(WRITE_QUEUE_MAX);
        let failure = Arc::new(OnceLock::new());
        let worker = Worker {
            checkpoints: Checkpoints::of(&connection),
            connection,
            path: path.display().to_string(),
            name: path
                .file_stem()
                .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
                .into(),
            jobs: receiver,
            failure: Arc::clone(&failure),
            on_fatal,
        };
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || worker.run())
            .map_err(Error::Thread)?;
        Ok(Writer {
            jobs: Some(sender),
            failure,
            thread: Some(thread),
        })
    }

    pub(super) async fn write<T, E>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: error::Error + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let Some(jobs) = &self.jobs else {
            return Err(self.failed());
        };
        if jobs.send(Box::new(Write::new(job, reply))).await.is_err() {
            return Err(self.failed());
        }
        answer.await.unwrap_or_else(|_| Err(self.failed()))
    }

    fn failed<E>(&self) -> WriteError<E> {
        let reason = self
            .failure
            .get()
            .map_or_else(|| Arc::from("the writer has ended"), Arc::clone);
        WriteError::Fatal(reason)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            join(thread);
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// What the writing thread owns.
struct Worker {
    connection: Connection,
    checkpoints: Checkpoints,
    path: String,
    /// What metrics call the database.
    name: SharedString,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    failure: Arc<OnceLock<Arc<str>>>,
    on_fatal: OnFatal,
}

impl Worker {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(WRITE_BATCH_MAX);
        while self.jobs.blocking_recv_many(&mut batch, WRITE_BATCH_MAX) > 0 {
            let began = Instant::now();
            if let Err(failure) = batch::commit(&self.connection, &mut batch) {
                return self.give_up(&failure, batch);
            }
            histogram!("treenail_store_commit_seconds", "database" => self.name.clone()).record(began.elapsed());
            histogram!("treenail_store_batch_size", "database" => self.name.clone()).record(size(batch.len()));
            for job in batch.drain(..) {
                job.answer(None);
            }
            // After the answers, so that nobody waits for it who does not have to.
            if let Err(error) = self.checkpoints.run_when_due(&self.connection) {
                return self.give_up(&format!("the checkpoint failed: {error}"), batch);
            }
        }
        if let Err(error) = checkpoint::run_last(&self.connection) {
            tracing::warn!(path = self.path, %error, "the last checkpoint failed; the next start does it");
        }
    }

    /// Tells the process first, because it may want to end before anybody hears of the failure, then all who wait.
    fn give_up(mut self, failure: &str, batch: Vec<Box<dyn Job>>) {
        let reason: Arc<str> = format!("{}: {failure}", self.path).into();
        tracing::error!(
            path = self.path,
            failure,
            "the database failed; nothing is written any more"
        );
        self.failure.get_or_init(|| Arc::clone(&reason));
        (self.on_fatal)(&reason);
        self.jobs.close();
        for job in batch {
            job.answer(Some(&reason));
        }
        while let Some(job) = self.jobs.blocking_recv() {
            job.answer(Some(&reason));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a batch is small")]
fn size(jobs: usize) -> f64 {
    jobs as f64
}

/// The text of a panic, where it has one.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}
