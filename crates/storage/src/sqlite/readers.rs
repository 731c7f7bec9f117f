//! The threads that read: each query on a snapshot of its own, beside the writer and never waiting for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{connection::open_reader, database::join, error::Error, writer::panic_text};

/// Queries that run at the same time.
pub const READERS: usize = 2;
/// Queries that may wait for a reader; whoever brings one more waits for room.
pub const READ_QUEUE_MAX: usize = 1_024;

type Query = Box<dyn FnOnce(&Connection) + Send>;

/// The pool of reading threads; ends them when it is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    /// `None` only while the pool is dropped.
    queries: Option<mpsc::Sender<Query>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Readers, Error> {
        let (sender, receiver) = mpsc::channel(READ_QUEUE_MAX);
        let queries = Arc::new(Mutex::new(receiver));
        let mut readers = Readers {
            queries: Some(sender),
            threads: Vec::with_capacity(READERS),
        };
        for _ in 0..READERS {
            let connection = open_reader(path)?;
            let queries = Arc::clone(&queries);
            let thread = thread::Builder::new()
                .name("sqlite-reader".to_owned())
                .spawn(move || run(&connection, &queries))
                .map_err(Error::Thread)?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let query: Query = Box::new(move |connection| {
            // A caller that has gone needs no answer, so that a crowd of expired calls is worked off at once.
            if reply.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| on_snapshot(connection, query)))
                .unwrap_or_else(|panic| Err(Error::QueryPanicked(panic_text(&*panic))));
            // The caller may have gone meanwhile.
            let _ = reply.send(result);
        });
        let queries = self.queries.as_ref().ok_or(Error::ReadersEnded)?;
        queries.send(query).await.map_err(|_| Error::ReadersEnded)?;
        answer.await.unwrap_or(Err(Error::ReadersEnded))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queries = None;
        self.threads.drain(..).for_each(join);
    }
}

fn run(connection: &Connection, queries: &Mutex<mpsc::Receiver<Query>>) {
    loop {
        // One reader waits for the next query, the others for their turn to wait.
        let next = queries.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(query) = next else { return };
        query(connection);
    }
}

/// Runs a query of one or several statements that all see the same state.
fn on_snapshot<T>(connection: &Connection, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
    let snapshot = connection.unchecked_transaction()?;
    // Nothing was written, so the snapshot is dropped rather than committed, also when the query panics.
    Ok(query(&snapshot)?)
}
