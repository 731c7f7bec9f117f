//! What a batch of events gives: rows to commit, and what follows once they are durable.

use tokio::sync::oneshot;
use treenail_engine::{
    Timestamp,
    glue::{Changes as EngineChanges, Effect, JobRun, Origin, Output, ScheduleKey},
    task::WorkerId,
};
use treenail_proto::worker::v1::AckTask;
use treenail_rpc::Scope;

use super::Answer;
use crate::{
    codec::{history, job_run, sealed, workflow_run},
    store::{BatchRow, Changes, CopiesRow, CrawlRow, EventRow, JobRunRow, RunRow, ScheduleRow},
};

/// What a batch gives.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) outputs: Vec<(Scope, Output)>,
    /// Rows that do not come from the engine.
    pub(super) changes: Changes,
    pub(super) replies: Vec<(oneshot::Sender<Answer>, Answer)>,
    pub(super) acks: Vec<(WorkerId, AckTask)>,
}

impl Batch {
    pub(super) fn add(&mut self, scope: &Scope, out: Output) {
        // Steps of one scope that follow each other share their rows: the last value of a row wins.
        if let Some((last, output)) = self.outputs.last_mut().filter(|(last, _)| last == scope) {
            debug_assert_eq!(last, scope, "found by its scope");
            merge(output, out);
        } else {
            self.outputs.push((scope.clone(), out));
        }
    }

    /// The rows of the batch.
    pub(super) fn take_changes(&mut self) -> Changes {
        let mut changes = std::mem::take(&mut self.changes);
        for (scope, output) in &mut self.outputs {
            to_rows(scope, std::mem::take(&mut output.changes), &mut changes);
        }
        changes
    }

    /// What follows, in order.
    pub(super) fn take_effects(&mut self) -> Vec<(Scope, Effect)> {
        let outputs = std::mem::take(&mut self.outputs);
        outputs
            .into_iter()
            .flat_map(|(scope, output)| output.effects.into_iter().map(move |effect| (scope.clone(), effect)))
            .collect()
    }
}

fn merge(into: &mut Output, from: Output) {
    into.effects.extend(from.effects);
    let (into, from) = (&mut into.changes, from.changes);
    into.runs.extend(from.runs);
    into.job_runs.extend(from.job_runs);
    into.crawls.extend(from.crawls);
    into.copies.extend(from.copies);
    into.schedules.extend(from.schedules);
    into.batches.extend(from.batches);
    into.events.extend(from.events);
}

fn to_rows(scope: &Scope, from: EngineChanges, into: &mut Changes) {
    into.runs.extend(from.runs.into_values().map(|record| RunRow {
        scope: scope.clone(),
        id: record.id.to_string(),
        workflow_uid: record.workflow_uid.clone(),
        plan_sequence: record.plan_sequence,
        started_at_ms: record.started_at.as_millis(),
        is_open: !record.status.is_terminal() || !record.is_seeded,
        data: sealed(&workflow_run::to_stored(&record)),
    }));
    into.job_runs
        .extend(from.job_runs.into_values().map(|run| job_run_row(scope, &run)));
    into.crawls.extend(from.crawls.into_values().map(|crawl| CrawlRow {
        scope: scope.clone(),
        id: crawl.id.to_string(),
        run_id: crawl.run.map(|id| id.to_string()),
        started_at_ms: crawl.started_at.as_millis(),
        data: sealed(&job_run::crawl_to_stored(&crawl)),
    }));
    into.copies.extend(from.copies.iter().map(|copies| CopiesRow {
        run_id: copies.run.to_string(),
        data: sealed(&workflow_run::copies_to_stored(copies)),
    }));
    into.schedules.extend(
        from.schedules
            .into_iter()
            .map(|(key, next)| schedule_row(scope, key, next)),
    );
    into.batches
        .extend(from.batches.into_iter().map(|(workflow, batch)| BatchRow {
            scope: scope.clone(),
            workflow,
            data: batch.map(|batch| sealed(&workflow_run::batch_to_stored(&batch))),
        }));
    into.events.extend(from.events.iter().map(|event| EventRow {
        run_id: event.run.to_string(),
        sequence: event.sequence,
        at_ms: event.at.as_millis(),
        data: sealed(&history::to_stored(&event.kind)),
    }));
}

fn job_run_row(scope: &Scope, run: &JobRun) -> JobRunRow {
    JobRunRow {
        scope: scope.clone(),
        id: run.id.to_string(),
        job_uid: run.spec.plan.as_ref().map(|plan| plan.uid.clone()),
        run_id: run.spec.workflow_run().map(|id| id.to_string()),
        chain_id: match run.spec.origin {
            Origin::Chain(chain) => Some(chain.to_string()),
            Origin::Call | Origin::Workflow { .. } => None,
        },
        started_at_ms: run.started_at.as_millis(),
        is_open: !run.is_settled(),
        data: sealed(&job_run::to_stored(run)),
    }
}

fn schedule_row(scope: &Scope, key: ScheduleKey, next: Option<Timestamp>) -> ScheduleRow {
    let (workflow, trigger) = match key {
        ScheduleKey::Workflow { workflow, trigger } => (workflow, trigger),
        ScheduleKey::Trigger { trigger } => (String::new(), trigger),
    };
    ScheduleRow {
        scope: scope.clone(),
        workflow,
        trigger,
        next_at_ms: next.map(Timestamp::as_millis),
    }
}
