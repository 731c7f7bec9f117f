//! The handle that stores hold.

use std::{
    error,
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use super::{
    connection::open_writer,
    error::{Error, WriteError},
    migrate::{Migration, migrate},
    readers::Readers,
    writer::{OnFatal, Writer},
};

/// A SQLite database with one writer and a few readers; clones share them.
///
/// When the last clone is dropped, the threads end, what is queued is done, and the write-ahead log is folded into the
/// file; that drop waits for it.
#[derive(Clone, Debug)]
pub struct Database {
    // The readers end first, so that the writer is the last to close and folds the log into the file.
    shared: Arc<(Readers, Writer)>,
}

impl Database {
    /// Opens the database, makes it where there is none, and migrates it.
    ///
    /// The folder is made with mode 0700, the file with 0600. `on_fatal` is called, once and from the writer's thread,
    /// when the database fails in a way after which nothing can be known of what is durable: the process should abort
    /// there. If it does not, every write from then on is answered with [`WriteError::Fatal`].
    ///
    /// # Errors
    /// When the folder or file cannot be made or opened, is not a database, has a newer schema than `migrations` lead
    /// to, or a migration fails.
    pub fn open(path: &Path, migrations: &'static [Migration], on_fatal: OnFatal) -> Result<Database, Error> {
        create_file(path)?;
        let mut connection = open_writer(path)?;
        migrate(&mut connection, path, migrations)?;
        let writer = Writer::start(connection, path, on_fatal)?;
        let readers = Readers::start(path)?;
        Ok(Database {
            shared: Arc::new((readers, writer)),
        })
    }

    /// Runs a job that writes, and answers when what it wrote is durable.
    ///
    /// All jobs that are waiting share one commit. Each has a savepoint of its own: the error of a job undoes what that
    /// job wrote and nothing else. A job sees what all jobs before it wrote. It runs to its end even if the caller no
    /// longer waits; it must be quick, because all others wait for it, and must neither begin nor end transactions.
    ///
    /// # Errors
    /// [`WriteError::Job`] with the job's own error. [`WriteError::Fatal`] when the database failed: when the commit
    /// fails, the job panics, or its error is or wraps (as its source) a failure of SQLite other than the violation of
    /// a constraint. The error type must name SQLite's error as its source, so that this is seen.
    pub async fn write<T, E>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: error::Error + Send + 'static,
    {
        self.shared.1.write(job).await
    }

    /// Runs a query on a snapshot: it sees all that was answered before the call and nothing that is half done.
    ///
    /// # Errors
    /// When SQLite fails or the query panics. Nothing is lost by it, so nothing is fatal.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.0.read(query).await
    }
}

/// Makes the file and the folders that lead to it, so that only we can read them and that they outlive a crash.
fn create_file(path: &Path) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(failed(&folder))?;
    let mut options = OpenOptions::new();
    match options.read(true).write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file.sync_all().map_err(failed(path))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(path)(error)),
    }
    let sync = |folder: &Path| {
        File::open(folder)
            .and_then(|opened| opened.sync_all())
            .map_err(failed(folder))
    };
    sync(&folder)?;
    match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => sync(above),
        _ => Ok(()),
    }
}

/// Waits for a thread to end, unless it is the one that runs this: a job may hold the last handle.
pub(super) fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != thread::current().id() && thread.join().is_err() {
        tracing::error!("a thread of the database panicked");
    }
}
