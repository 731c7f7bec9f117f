//! What has not ended is read at start-up.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Result};
use treenail_proto::internal::v1::{StoredCopies, StoredJobRun};
use treenail_rpc::{Scope, telemetry::TraceContext};

use super::read;
use crate::codec::opened;
use crate::store::{
    BatchRow, CopiesRow, CrawlRow, InvocationRow, JobRunRow, PlanRow, RunRow, ScheduleRow, StoredScope, TraceRow,
};

const CURRENT_PLANS: &str = "SELECT scope, kind, name, uid, sequence, is_deleted, written_at_ms, data FROM plan WHERE is_current ORDER BY sequence";
const OPEN_RUNS: &str =
    "SELECT scope, id, workflow_uid, plan_sequence, started_at_ms, is_open, data FROM workflow_run WHERE is_open";
const OPEN_JOB_RUNS: &str =
    "SELECT scope, id, job_uid, run_id, chain_id, started_at_ms, is_open, data FROM job_run WHERE is_open";
const JOB_RUNS_OF_CHAIN: &str =
    "SELECT scope, id, job_uid, run_id, chain_id, started_at_ms, is_open, data FROM job_run WHERE chain_id = ?1";
const SCHEDULES: &str = "SELECT scope, workflow, trigger_name, next_at_ms FROM schedule";
const BATCHES: &str = "SELECT scope, workflow, data FROM batch";
const INVOCATIONS: &str = "SELECT scope, key, expires_at_ms, answer FROM invocation ORDER BY expires_at_ms";
const TRACES: &str = "SELECT scope, id, traceparent, tracestate FROM trace";
const CLOCK: &str = "SELECT now_ms FROM clock";

pub(super) fn everything_open(connection: &Connection) -> Result<Vec<StoredScope>> {
    let mut found = Found::default();
    found.plans(connection)?;
    found.runs(connection)?;
    found.job_runs(connection)?;
    found.timers(connection)?;
    found.traces(connection)?;
    let clock_ms = connection.query_row(CLOCK, [], |row| row.get(0)).optional()?;
    let mut scopes: Vec<StoredScope> = found.scopes.into_values().collect();
    for scope in &mut scopes {
        scope.clock_ms = clock_ms;
    }
    Ok(scopes)
}

#[derive(Default)]
struct Found {
    scopes: BTreeMap<Scope, StoredScope>,
}

impl Found {
    fn scope(&mut self, scope: &Scope) -> &mut StoredScope {
        self.scopes
            .entry(scope.clone())
            .or_insert_with(|| StoredScope::new(scope.clone()))
    }

    fn plans(&mut self, connection: &Connection) -> Result<()> {
        let plans: Vec<PlanRow> = connection
            .prepare(CURRENT_PLANS)?
            .query_map([], read::plan)?
            .collect::<Result<_>>()?;
        for plan in plans {
            self.scope(&plan.scope.clone()).plans.push(plan);
        }
        Ok(())
    }

    /// The open runs, with the plans that they keep and all that ran in them.
    fn runs(&mut self, connection: &Connection) -> Result<()> {
        let runs: Vec<RunRow> = connection
            .prepare(OPEN_RUNS)?
            .query_map([], read::run)?
            .collect::<Result<_>>()?;
        for run in runs {
            self.keep_plan(connection, &run.scope, &run.workflow_uid, run.plan_sequence)?;
            let copies: Option<CopiesRow> = connection
                .prepare_cached(read::COPIES)?
                .query_row([&run.id], read::copies)
                .optional()?;
            let copied = copies.as_ref().map(copied_ids).unwrap_or_default();
            let (copied_job_runs, copied_crawls) = read::by_ids(connection, &copied)?;
            let job_runs: Vec<JobRunRow> = connection
                .prepare_cached(read::JOB_RUNS_OF_RUN)?
                .query_map([&run.id], read::job_run)?
                .collect::<Result<_>>()?;
            let crawls: Vec<CrawlRow> = connection
                .prepare_cached(read::CRAWLS_OF_RUN)?
                .query_map([&run.id], read::crawl)?
                .collect::<Result<_>>()?;
            let scope = self.scope(&run.scope.clone());
            scope.copies.extend(copies);
            scope.job_runs.extend(copied_job_runs.into_iter().chain(job_runs));
            scope.crawls.extend(copied_crawls.into_iter().chain(crawls));
            scope.runs.push(run);
        }
        Ok(())
    }

    /// The other open job runs, with their chains; and the plans that open job runs keep.
    fn job_runs(&mut self, connection: &Connection) -> Result<()> {
        let open: Vec<JobRunRow> = connection
            .prepare(OPEN_JOB_RUNS)?
            .query_map([], read::job_run)?
            .collect::<Result<_>>()?;
        let mut chains = BTreeSet::new();
        for run in open {
            if let (Some(uid), Some(sequence)) = (&run.job_uid, plan_sequence(&run)) {
                self.keep_plan(connection, &run.scope, uid, sequence)?;
            }
            match (&run.run_id, &run.chain_id) {
                (Some(_), _) => {}
                (None, Some(chain)) => {
                    if chains.insert(chain.clone()) {
                        let of_chain: Vec<JobRunRow> = connection
                            .prepare_cached(JOB_RUNS_OF_CHAIN)?
                            .query_map([chain], read::job_run)?
                            .collect::<Result<_>>()?;
                        self.scope(&run.scope.clone()).job_runs.extend(of_chain);
                    }
                }
                (None, None) => self.scope(&run.scope.clone()).job_runs.push(run),
            }
        }
        Ok(())
    }

    fn timers(&mut self, connection: &Connection) -> Result<()> {
        let mut statement = connection.prepare(SCHEDULES)?;
        let schedules = statement.query_map([], |row| {
            let (scope, next_at_ms) = (read::scope(row, 0)?, Some(row.get(3)?));
            Ok(ScheduleRow {
                scope,
                workflow: row.get(1)?,
                trigger: row.get(2)?,
                next_at_ms,
            })
        })?;
        for row in schedules {
            let row = row?;
            self.scope(&row.scope.clone()).schedules.push(row);
        }
        let mut statement = connection.prepare(BATCHES)?;
        let batches = statement.query_map([], |row| {
            Ok(BatchRow {
                scope: read::scope(row, 0)?,
                workflow: row.get(1)?,
                data: Some(row.get(2)?),
            })
        })?;
        for row in batches {
            let row = row?;
            self.scope(&row.scope.clone()).batches.push(row);
        }
        let mut statement = connection.prepare(INVOCATIONS)?;
        let invocations = statement.query_map([], |row| {
            let (scope, key) = (read::scope(row, 0)?, row.get(1)?);
            Ok(InvocationRow {
                scope,
                key,
                expires_at_ms: row.get(2)?,
                answer: row.get(3)?,
            })
        })?;
        for row in invocations {
            let row = row?;
            self.scope(&row.scope.clone()).invocations.push(row);
        }
        Ok(())
    }

    fn traces(&mut self, connection: &Connection) -> Result<()> {
        let mut statement = connection.prepare(TRACES)?;
        let traces = statement.query_map([], |row| {
            let context = TraceContext {
                traceparent: row.get(2)?,
                tracestate: row.get(3)?,
            };
            Ok(TraceRow {
                scope: read::scope(row, 0)?,
                id: row.get(1)?,
                context: Some(context),
            })
        })?;
        for row in traces {
            let row = row?;
            self.scope(&row.scope.clone()).traces.push(row);
        }
        Ok(())
    }

    fn keep_plan(&mut self, connection: &Connection, scope: &Scope, uid: &str, sequence: u64) -> Result<()> {
        let known = self.scope(scope);
        if known
            .plans
            .iter()
            .chain(&known.kept_plans)
            .any(|plan| plan.uid == uid && plan.sequence == sequence)
        {
            return Ok(());
        }
        let kept = connection
            .prepare_cached(read::PLAN_AT)?
            .query_row((uid, sequence), read::plan)
            .optional()?;
        self.scope(scope).kept_plans.extend(kept);
        Ok(())
    }
}

fn copied_ids(copies: &CopiesRow) -> Vec<String> {
    // What cannot be read is reported where the row is parsed.
    let copies = opened::<StoredCopies>(&copies.data, "copied nodes").unwrap_or_default();
    copies.nodes.into_iter().flat_map(|node| node.run_ids).collect()
}

fn plan_sequence(run: &JobRunRow) -> Option<u64> {
    opened::<StoredJobRun>(&run.data, "job run").ok()?.plan_sequence
}
