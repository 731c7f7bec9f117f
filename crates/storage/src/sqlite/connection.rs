//! Opening connections, each with the settings that durability and bounded memory need.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::error::Error;

/// Pages that the writer keeps in memory, in KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Pages that each reader keeps in memory, in KiB.
const READER_CACHE_KIB: i64 = 4 * 1024;
/// To this size the write-ahead log is cut back after it had to grow, in bytes.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// How long a connection waits for another's lock; only backup tools ever hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that each connection keeps.
const STATEMENTS_CACHED: usize = 256;

/// Each connection belongs to one thread, and says exactly what failed.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX.union(OpenFlags::SQLITE_OPEN_EXRESCODE);

/// The one connection that writes.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Error> {
    let open = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let connection = Connection::open_with_flags(path, FLAGS | OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(open)?;
    configure_writer(&connection).map_err(open)?;
    // Network file systems have no shared memory, and SQLite then stays with another journal without a word.
    let journal_mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(open)?;
    if journal_mode == "wal" {
        Ok(connection)
    } else {
        Err(Error::NoWal {
            path: path.to_owned(),
            journal_mode,
        })
    }
}

/// One of the connections that read.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let open = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let connection = Connection::open_with_flags(path, FLAGS | OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(open)?;
    configure_reader(&connection).map_err(open)?;
    Ok(connection)
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    configure_any(connection)?;
    // FULL syncs the log with every commit: NORMAL was seen to lose answered commits when the power was cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
}

fn configure_reader(connection: &Connection) -> rusqlite::Result<()> {
    configure_any(connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)
}

fn configure_any(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A mapped file turns an input/output error into SIGBUS.
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Finds a damaged page when it is read rather than when it does harm.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}
