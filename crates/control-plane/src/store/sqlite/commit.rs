//! Makes the changes of one call, within the savepoint that the database gives it.

use std::collections::BTreeMap;

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, named_params};
use treenail_rpc::Scope;
use treenail_storage::seal::seal;

use super::{number, sql};
use crate::store::{Change, Changes, Effect, Row, Version, codec};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// A row has another version than was expected.
    #[error("a row has changed since it was read")]
    Conflict,
    /// SQLite failed; the database decides whether that is fatal.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
}

pub(super) fn apply(connection: &Connection, changes: &Changes) -> Result<u64, Refusal> {
    for change in &changes.rows {
        if version(connection, &changes.scope, change)? != change.expected {
            return Err(Refusal::Conflict);
        }
        effect(connection, &changes.scope, change)?;
    }
    let mut last = 0;
    for plan in &changes.plans {
        let parameters = named_params! { ":format": codec::FORMAT, ":plan": seal(plan.encode_to_vec()) };
        connection.prepare_cached(sql::INSERT_PLAN)?.execute(parameters)?;
        last = u64::try_from(connection.last_insert_rowid()).expect("sequences are counted from 1");
    }
    Ok(last)
}

fn version(connection: &Connection, scope: &Scope, change: &Change) -> rusqlite::Result<Option<Version>> {
    let parameters = named_params! {
        ":account": scope.account, ":region": scope.region, ":kind": number(change.kind), ":name": change.name,
    };
    connection
        .prepare_cached(sql::VERSION)?
        .query_row(parameters, super::version)
        .optional()
}

fn effect(connection: &Connection, scope: &Scope, change: &Change) -> rusqlite::Result<()> {
    match &change.effect {
        Effect::Touch => on_row(connection, sql::TOUCH, scope, change),
        Effect::Put(row) => put(connection, scope, change, row),
        Effect::Tag(tags) => {
            on_row(connection, sql::TOUCH, scope, change)?;
            replace_tags(connection, scope, change, tags)
        }
        Effect::Delete => on_row(connection, sql::DELETE, scope, change),
    }
}

fn put(connection: &Connection, scope: &Scope, change: &Change, row: &Row) -> rusqlite::Result<()> {
    let kind = number(change.kind);
    connection.prepare_cached(sql::PUT)?.execute(named_params! {
        ":account": scope.account, ":region": scope.region, ":kind": kind, ":name": change.name,
        ":uid": row.uid, ":invocation": row.invocation, ":workflow": row.workflow,
        ":format": codec::FORMAT, ":body": row.body,
    })?;
    on_row(connection, sql::DELETE_STARTED_JOBS, scope, change)?;
    let mut statement = connection.prepare_cached(sql::INSERT_STARTED_JOB)?;
    for job in &row.started_jobs {
        statement.execute(named_params! {
            ":account": scope.account, ":region": scope.region, ":kind": kind, ":name": change.name, ":job": job,
        })?;
    }
    row.tags
        .as_ref()
        .map_or(Ok(()), |tags| replace_tags(connection, scope, change, tags))
}

fn replace_tags(
    connection: &Connection,
    scope: &Scope,
    change: &Change,
    tags: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    on_row(connection, sql::DELETE_TAGS, scope, change)?;
    let mut statement = connection.prepare_cached(sql::INSERT_TAG)?;
    for (key, value) in tags {
        statement.execute(named_params! {
            ":account": scope.account, ":region": scope.region, ":kind": number(change.kind), ":name": change.name,
            ":key": key, ":value": value,
        })?;
    }
    Ok(())
}

/// Runs a statement whose only parameters name the row.
fn on_row(connection: &Connection, sql: &str, scope: &Scope, change: &Change) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(named_params! {
        ":account": scope.account, ":region": scope.region, ":kind": number(change.kind), ":name": change.name,
    })?;
    Ok(())
}
