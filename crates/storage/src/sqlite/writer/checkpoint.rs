//! Folds the write-ahead log into the file, often enough that it stays short.
//!
//! SQLite would do it by itself within a commit, but would make the callers of that commit wait and say nothing when
//! it fails.

use std::cell::Cell;

use rusqlite::Connection;

/// Pages in the log since the last checkpoint that make the next one due (4 MiB).
const PAGES_BETWEEN: i32 = 1_000;
/// Pages in the log beyond which a checkpoint waits for readers, so that the log starts anew (64 MiB).
const PAGES_MAX: i32 = 16_000;

thread_local! {
    /// The pages in the log of the connection that this thread writes with, as of its last commit.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// Decides when to checkpoint.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// The pages in the log at the last checkpoint.
    pages_done: i32,
}

impl Checkpoints {
    /// Watches the log of a connection, in place of SQLite's own checkpoints.
    pub(super) fn of(connection: &Connection) -> Checkpoints {
        connection.wal_hook(Some(|_, pages| {
            PAGES.set(pages);
            Ok(())
        }));
        Checkpoints { pages_done: 0 }
    }

    pub(super) fn run_when_due(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let pages = PAGES.get();
        if pages < self.pages_done {
            // The log started anew.
            self.pages_done = 0;
        }
        if pages - self.pages_done < PAGES_BETWEEN {
            return Ok(());
        }
        let mode = if pages < PAGES_MAX { "PASSIVE" } else { "RESTART" };
        run(connection, mode)?;
        self.pages_done = pages;
        Ok(())
    }
}

/// Folds the whole log into the file and empties it.
pub(super) fn run_last(connection: &Connection) -> rusqlite::Result<()> {
    run(connection, "TRUNCATE")
}

/// Checkpoints; that readers kept it from finishing is no error, it is done the next time.
fn run(connection: &Connection, mode: &'static str) -> rusqlite::Result<()> {
    connection.pragma(None, "wal_checkpoint", mode, |_| Ok(()))
}
