//! Rows are read.

use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};
use treenail_rpc::Scope;

use crate::store::{BookmarkRow, CopiesRow, CrawlRow, EventRow, JobRunRow, PlanKind, PlanRow, Position, RunRow};

pub(super) const PLAN_BY_NAME: &str =
    "SELECT scope, kind, name, uid, sequence, is_deleted, written_at_ms, data FROM plan
    WHERE scope = ?1 AND kind = ?2 AND name = ?3 AND is_current";
pub(super) const PLAN_AT: &str = "SELECT scope, kind, name, uid, sequence, is_deleted, written_at_ms, data FROM plan
    WHERE uid = ?1 AND sequence = ?2";
pub(super) const RUN: &str =
    "SELECT scope, id, workflow_uid, plan_sequence, started_at_ms, is_open, data FROM workflow_run
    WHERE id = ?1 AND workflow_uid = (SELECT uid FROM plan WHERE scope = ?2 AND kind = 1 AND name = ?3 AND is_current)";
pub(super) const WORKFLOW_OF: &str = "SELECT plan.name FROM workflow_run
    JOIN plan ON plan.uid = workflow_run.workflow_uid AND plan.is_current AND plan.kind = 1
    WHERE workflow_run.id = ?1 AND workflow_run.scope = ?2";
pub(super) const RUNS: &str =
    "SELECT scope, id, workflow_uid, plan_sequence, started_at_ms, is_open, data FROM workflow_run
    WHERE workflow_uid = ?1 AND (started_at_ms, id) < (?2, ?3) ORDER BY started_at_ms DESC, id DESC LIMIT ?4";
pub(super) const JOB_RUNS: &str =
    "SELECT scope, id, job_uid, run_id, chain_id, started_at_ms, is_open, data FROM job_run
    WHERE job_uid = ?1 AND (started_at_ms, id) < (?2, ?3) ORDER BY started_at_ms DESC, id DESC LIMIT ?4";
pub(super) const JOB_RUNS_OF_RUN: &str =
    "SELECT scope, id, job_uid, run_id, chain_id, started_at_ms, is_open, data FROM job_run
    WHERE run_id = ?1 ORDER BY started_at_ms, id";
pub(super) const CRAWLS_OF_RUN: &str = "SELECT scope, id, run_id, started_at_ms, data FROM crawl
    WHERE run_id = ?1 ORDER BY started_at_ms, id";
pub(super) const COPIES: &str = "SELECT run_id, data FROM copies WHERE run_id = ?1";
pub(super) const HISTORY: &str = "SELECT run_id, sequence, at_ms, data FROM event
    WHERE run_id = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3";
pub(super) const BOOKMARK: &str =
    "SELECT job_uid, version, run, attempt, run_id, previous_run_id, state FROM bookmark WHERE job_uid = ?1";
const JOB_RUN_BY_ID: &str =
    "SELECT scope, id, job_uid, run_id, chain_id, started_at_ms, is_open, data FROM job_run WHERE id = ?1";
const CRAWL_BY_ID: &str = "SELECT scope, id, run_id, started_at_ms, data FROM crawl WHERE id = ?1";

/// A page, newest first.
pub(super) fn newest<T>(
    connection: &Connection,
    sql: &str,
    uid: &str,
    after: Option<Position>,
    limit: usize,
    row: fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let after = after.unwrap_or_else(|| Position {
        started_at_ms: i64::MAX,
        id: String::new(),
    });
    connection
        .prepare_cached(sql)?
        .query_map(params![uid, after.started_at_ms, after.id, limit], row)?
        .collect()
}

pub(super) fn by_ids(connection: &Connection, ids: &[String]) -> Result<(Vec<JobRunRow>, Vec<CrawlRow>)> {
    let (mut job_runs, mut crawls) = (Vec::new(), Vec::new());
    for id in ids {
        if let Some(row) = connection
            .prepare_cached(JOB_RUN_BY_ID)?
            .query_row([id], job_run)
            .optional()?
        {
            job_runs.push(row);
        } else if let Some(row) = connection
            .prepare_cached(CRAWL_BY_ID)?
            .query_row([id], crawl)
            .optional()?
        {
            crawls.push(row);
        }
    }
    Ok((job_runs, crawls))
}

pub(super) fn plan(row: &Row<'_>) -> Result<PlanRow> {
    Ok(PlanRow {
        scope: scope(row, 0)?,
        kind: match row.get::<_, i64>(1)? {
            1 => PlanKind::Workflow,
            2 => PlanKind::Trigger,
            _ => PlanKind::Job,
        },
        name: row.get(2)?,
        uid: row.get(3)?,
        sequence: row.get(4)?,
        is_deleted: row.get(5)?,
        written_at_ms: row.get(6)?,
        data: row.get(7)?,
    })
}

pub(super) fn run(row: &Row<'_>) -> Result<RunRow> {
    Ok(RunRow {
        scope: scope(row, 0)?,
        id: row.get(1)?,
        workflow_uid: row.get(2)?,
        plan_sequence: row.get(3)?,
        started_at_ms: row.get(4)?,
        is_open: row.get(5)?,
        data: row.get(6)?,
    })
}

pub(super) fn job_run(row: &Row<'_>) -> Result<JobRunRow> {
    Ok(JobRunRow {
        scope: scope(row, 0)?,
        id: row.get(1)?,
        job_uid: row.get(2)?,
        run_id: row.get(3)?,
        chain_id: row.get(4)?,
        started_at_ms: row.get(5)?,
        is_open: row.get(6)?,
        data: row.get(7)?,
    })
}

pub(super) fn crawl(row: &Row<'_>) -> Result<CrawlRow> {
    Ok(CrawlRow {
        scope: scope(row, 0)?,
        id: row.get(1)?,
        run_id: row.get(2)?,
        started_at_ms: row.get(3)?,
        data: row.get(4)?,
    })
}

pub(super) fn copies(row: &Row<'_>) -> Result<CopiesRow> {
    Ok(CopiesRow {
        run_id: row.get(0)?,
        data: row.get(1)?,
    })
}

pub(super) fn event(row: &Row<'_>) -> Result<EventRow> {
    Ok(EventRow {
        run_id: row.get(0)?,
        sequence: row.get(1)?,
        at_ms: row.get(2)?,
        data: row.get(3)?,
    })
}

pub(super) fn bookmark(row: &Row<'_>) -> Result<BookmarkRow> {
    Ok(BookmarkRow {
        job_uid: row.get(0)?,
        version: row.get(1)?,
        run: row.get(2)?,
        attempt: row.get(3)?,
        run_id: row.get(4)?,
        previous_run_id: row.get(5)?,
        state: row.get(6)?,
    })
}

/// The scope in a column; one that nobody can name stands for a damaged row, which then belongs to nobody.
pub(super) fn scope(row: &Row<'_>, column: usize) -> Result<Scope> {
    let text: String = row.get(column)?;
    let (account, region) = text.split_once('/').unwrap_or((&text, ""));
    Ok(Scope {
        account: account.to_owned(),
        region: region.to_owned(),
    })
}
