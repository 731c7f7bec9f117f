//! Migrations, which only go forward.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::Error;

/// A step from one schema to the next.
///
/// The position in the list is the version that it leads to, counted from 1; a released step is never changed.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The step's name, which an operator reads when it fails: `0001_create_runs`.
    pub name: &'static str,
    /// The statements of the step; they are applied all or not at all.
    pub sql: &'static str,
}

/// Applies the migrations that the database has not seen.
pub(super) fn migrate(connection: &mut Connection, path: &Path, migrations: &[Migration]) -> Result<(), Error> {
    let open = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(open)?;
    let known = u32::try_from(migrations.len()).expect("migrations are listed by hand");
    let Some(missing) = usize::try_from(found).ok().and_then(|found| migrations.get(found..)) else {
        return Err(Error::NewerSchema {
            path: path.to_owned(),
            found,
            known,
        });
    };
    for (version, migration) in (found + 1..).zip(missing) {
        apply(connection, version, migration.sql).map_err(|source| Error::Migration {
            path: path.to_owned(),
            name: migration.name,
            source,
        })?;
        tracing::info!(path = %path.display(), migration = migration.name, version, "migrated the database");
    }
    Ok(())
}

fn apply(connection: &mut Connection, version: u32, sql: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}
