//! Old runs are removed.

use rusqlite::{Connection, Result, params};
use treenail_rpc::Scope;

use super::read;

const ENDED_RUNS: &str = "SELECT scope, id FROM workflow_run WHERE NOT is_open AND started_at_ms < ?1 LIMIT ?2";
const ORPHANED_RUNS: &str = "SELECT scope, id FROM workflow_run
    WHERE NOT is_open AND workflow_uid IN (SELECT uid FROM plan WHERE kind = 1 AND is_deleted) LIMIT ?1";
const REMOVE: [&str; 5] = [
    "DELETE FROM workflow_run WHERE id = ?1",
    "DELETE FROM job_run WHERE run_id = ?1",
    "DELETE FROM crawl WHERE run_id = ?1",
    "DELETE FROM copies WHERE run_id = ?1",
    "DELETE FROM event WHERE run_id = ?1",
];
const REMOVE_JOB_RUNS: &str = "DELETE FROM job_run WHERE id IN
    (SELECT id FROM job_run WHERE run_id IS NULL AND NOT is_open AND started_at_ms < ?1 LIMIT ?2)";
// The mark of a deletion stays as long as there are runs that it makes orphans.
const REMOVE_PLANS: &str = "DELETE FROM plan WHERE NOT is_current AND written_at_ms < ?1
    AND NOT EXISTS (SELECT 1 FROM workflow_run WHERE workflow_uid = plan.uid AND (plan.is_deleted OR plan_sequence = plan.sequence))
    AND NOT EXISTS (SELECT 1 FROM job_run WHERE is_open AND job_uid = plan.uid)";
const REMOVE_INVOCATIONS: &str = "DELETE FROM invocation WHERE expires_at_ms < ?1";

/// Removes up to `limit` ended runs that are old or whose workflow is gone; says which.
pub(super) fn ended(connection: &Connection, before_ms: i64, limit: usize) -> Result<Vec<(Scope, String)>> {
    let named = |row: &rusqlite::Row<'_>| Ok((read::scope(row, 0)?, row.get::<_, String>(1)?));
    let mut runs: Vec<(Scope, String)> = connection
        .prepare_cached(ENDED_RUNS)?
        .query_map(params![before_ms, limit], named)?
        .collect::<Result<_>>()?;
    if runs.len() < limit {
        let orphans = connection
            .prepare_cached(ORPHANED_RUNS)?
            .query_map([limit - runs.len()], named)?
            .collect::<Result<Vec<_>>>()?;
        runs.extend(orphans);
    }
    for (_, id) in &runs {
        for sql in REMOVE {
            connection.prepare_cached(sql)?.execute([id])?;
        }
    }
    connection
        .prepare_cached(REMOVE_JOB_RUNS)?
        .execute(params![before_ms, limit])?;
    connection.prepare_cached(REMOVE_PLANS)?.execute([before_ms])?;
    connection.prepare_cached(REMOVE_INVOCATIONS)?.execute([before_ms])?;
    Ok(runs)
}
