//! Rows are written.

use rusqlite::{Connection, Result, params};

use crate::store::{Changes, PlanKind, PlanRow};

const RETIRE_PLAN: &str = "UPDATE plan SET is_current = 0 WHERE scope = ?1 AND kind = ?2 AND name = ?3 AND is_current";
const RETIRE_DELETED_PLAN: &str = "UPDATE plan SET is_current = 0 WHERE uid = ?1 AND is_current";
const PUT_PLAN: &str =
    "INSERT INTO plan (scope, kind, name, uid, sequence, is_current, is_deleted, written_at_ms, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (uid, sequence) DO UPDATE SET is_current = excluded.is_current";
const PUT_RUN: &str = "INSERT INTO workflow_run (id, scope, workflow_uid, plan_sequence, started_at_ms, is_open, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (id) DO UPDATE SET is_open = excluded.is_open, data = excluded.data";
const PUT_JOB_RUN: &str = "INSERT INTO job_run (id, scope, job_uid, run_id, chain_id, started_at_ms, is_open, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (id) DO UPDATE SET is_open = excluded.is_open, data = excluded.data";
const PUT_CRAWL: &str = "INSERT INTO crawl (id, scope, run_id, started_at_ms, data) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET data = excluded.data";
const PUT_COPIES: &str = "INSERT INTO copies (run_id, data) VALUES (?1, ?2)";
const PUT_SCHEDULE: &str = "INSERT INTO schedule (scope, workflow, trigger_name, next_at_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (scope, workflow, trigger_name) DO UPDATE SET next_at_ms = excluded.next_at_ms";
const REMOVE_SCHEDULE: &str = "DELETE FROM schedule WHERE scope = ?1 AND workflow = ?2 AND trigger_name = ?3";
const PUT_BATCH: &str = "INSERT INTO batch (scope, workflow, data) VALUES (?1, ?2, ?3)
    ON CONFLICT (scope, workflow) DO UPDATE SET data = excluded.data";
const REMOVE_BATCH: &str = "DELETE FROM batch WHERE scope = ?1 AND workflow = ?2";
const PUT_EVENT: &str = "INSERT INTO event (run_id, sequence, at_ms, data) VALUES (?1, ?2, ?3, ?4)";
const PUT_INVOCATION: &str = "INSERT INTO invocation (scope, key, expires_at_ms, answer) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (scope, key) DO UPDATE SET expires_at_ms = excluded.expires_at_ms, answer = excluded.answer";
const PUT_TRACE: &str = "INSERT INTO trace (id, scope, traceparent, tracestate) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (id) DO UPDATE SET traceparent = excluded.traceparent, tracestate = excluded.tracestate";
const REMOVE_TRACE: &str = "DELETE FROM trace WHERE id = ?1";
const PUT_CLOCK: &str =
    "INSERT INTO clock (id, now_ms) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET now_ms = excluded.now_ms";

pub(super) fn all(connection: &Connection, changes: &Changes) -> Result<()> {
    for plan in &changes.plans {
        put_plan(connection, plan)?;
    }
    put_runs(connection, changes)?;
    put_job_runs(connection, changes)?;
    put_timers(connection, changes)?;
    for row in &changes.events {
        connection
            .prepare_cached(PUT_EVENT)?
            .execute(params![row.run_id, row.sequence, row.at_ms, row.data])?;
    }
    for row in &changes.invocations {
        let scope = row.scope.to_string();
        connection
            .prepare_cached(PUT_INVOCATION)?
            .execute(params![scope, row.key, row.expires_at_ms, row.answer])?;
    }
    for row in &changes.traces {
        match &row.context {
            Some(trace) => {
                let scope = row.scope.to_string();
                connection.prepare_cached(PUT_TRACE)?.execute(params![
                    row.id,
                    scope,
                    trace.traceparent,
                    trace.tracestate
                ])?
            }
            None => connection.prepare_cached(REMOVE_TRACE)?.execute([&row.id])?,
        };
    }
    if let Some(now_ms) = changes.clock_ms {
        connection.prepare_cached(PUT_CLOCK)?.execute([now_ms])?;
    }
    Ok(())
}

fn put_plan(connection: &Connection, plan: &PlanRow) -> Result<()> {
    let (scope, kind) = (plan.scope.to_string(), kind_number(plan.kind));
    if plan.is_deleted {
        // A later creation of the same name stays current.
        connection.prepare_cached(RETIRE_DELETED_PLAN)?.execute([&plan.uid])?;
    } else {
        connection
            .prepare_cached(RETIRE_PLAN)?
            .execute(params![scope, kind, plan.name])?;
    }
    connection.prepare_cached(PUT_PLAN)?.execute(params![
        scope,
        kind,
        plan.name,
        plan.uid,
        plan.sequence,
        !plan.is_deleted,
        plan.is_deleted,
        plan.written_at_ms,
        plan.data
    ])?;
    Ok(())
}

fn put_runs(connection: &Connection, changes: &Changes) -> Result<()> {
    for row in &changes.runs {
        connection.prepare_cached(PUT_RUN)?.execute(params![
            row.id,
            row.scope.to_string(),
            row.workflow_uid,
            row.plan_sequence,
            row.started_at_ms,
            row.is_open,
            row.data
        ])?;
    }
    for row in &changes.copies {
        connection
            .prepare_cached(PUT_COPIES)?
            .execute(params![row.run_id, row.data])?;
    }
    Ok(())
}

fn put_job_runs(connection: &Connection, changes: &Changes) -> Result<()> {
    for row in &changes.job_runs {
        connection.prepare_cached(PUT_JOB_RUN)?.execute(params![
            row.id,
            row.scope.to_string(),
            row.job_uid,
            row.run_id,
            row.chain_id,
            row.started_at_ms,
            row.is_open,
            row.data
        ])?;
    }
    for row in &changes.crawls {
        let scope = row.scope.to_string();
        connection.prepare_cached(PUT_CRAWL)?.execute(params![
            row.id,
            scope,
            row.run_id,
            row.started_at_ms,
            row.data
        ])?;
    }
    Ok(())
}

fn put_timers(connection: &Connection, changes: &Changes) -> Result<()> {
    for row in &changes.schedules {
        let scope = row.scope.to_string();
        match row.next_at_ms {
            Some(next_at_ms) => connection.prepare_cached(PUT_SCHEDULE)?.execute(params![
                scope,
                row.workflow,
                row.trigger,
                next_at_ms
            ])?,
            None => connection
                .prepare_cached(REMOVE_SCHEDULE)?
                .execute(params![scope, row.workflow, row.trigger])?,
        };
    }
    for row in &changes.batches {
        let scope = row.scope.to_string();
        match &row.data {
            Some(data) => connection
                .prepare_cached(PUT_BATCH)?
                .execute(params![scope, row.workflow, data])?,
            None => connection
                .prepare_cached(REMOVE_BATCH)?
                .execute(params![scope, row.workflow])?,
        };
    }
    Ok(())
}

/// How a kind of plan is written.
pub(super) fn kind_number(kind: PlanKind) -> i64 {
    match kind {
        PlanKind::Workflow => 1,
        PlanKind::Trigger => 2,
        PlanKind::Job => 3,
    }
}
