//! What can go wrong with the database, and which failures end the process.

use std::{error, path::PathBuf, sync::Arc};

use rusqlite::ErrorCode;

/// Why a database could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or its folder could not be made ready.
    #[error("cannot prepare {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// SQLite could not open the file, or it is not a database.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The folder is on a file system that cannot hold the database, such as a network share.
    #[error("the database {} cannot have a write-ahead log (journal mode {journal_mode}); put it on a local disk", path.display())]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The journal mode that SQLite fell back to.
        journal_mode: String,
    },
    /// A newer Treenail wrote the database; this one could misread it.
    #[error(
        "the database {} has schema version {found}, and this version of Treenail knows only up to {known}; \
         start the version that wrote it, or a newer one",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: u32,
        /// The latest version that this build knows.
        known: u32,
    },
    /// A migration could not be applied; the database is as it was before it.
    #[error("cannot migrate the database {}: {name} failed", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// The migration.
        name: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A thread of the database could not be started.
    #[error("cannot start a thread for the database")]
    Thread(#[source] std::io::Error),
    /// A query failed.
    #[error("the query failed")]
    Query(#[from] rusqlite::Error),
    /// A query panicked; the database goes on.
    #[error("the query panicked: {0}")]
    QueryPanicked(String),
    /// The readers have ended, which happens only after a panic within this crate.
    #[error("the database's readers have ended")]
    ReadersEnded,
}

/// Why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError<E> {
    /// The job itself refused; what it had written is undone, and nothing else.
    #[error("{0}")]
    Job(#[source] E),
    /// The database failed. Whether the job's rows are there is unknown until the process starts again.
    #[error("the database failed: {0}")]
    Fatal(Arc<str>),
}

/// The failure of the database that an error is or was caused by, unless a clean violation of a constraint.
///
/// Everything else that SQLite says of itself (disk full, input/output, corruption, locked, out of memory, broken SQL)
/// leaves it open what the file holds, and must not be answered as if the job had merely been refused.
pub(super) fn fatal_cause<'e>(error: &'e (dyn error::Error + 'static)) -> Option<&'e rusqlite::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(sqlite) = error.downcast_ref::<rusqlite::Error>() {
            return is_fatal(sqlite).then_some(sqlite);
        }
        next = error.source();
    }
    None
}

fn is_fatal(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error_code()
        .is_some_and(|code| code != ErrorCode::ConstraintViolation)
}
