//! Events arrive, and batches of them start runs.

use std::collections::BTreeMap;

use super::{Shard, workflow_runs::Beginning};
use crate::{
    Timestamp,
    glue::{
        history::Cause,
        input::{NewEvent, Rejected, Reply},
        output::{EventBatch, Output},
        plan::{EventBatching, TriggerKind},
        run::StartingBatch,
        timer::Timer,
    },
};

/// The run property that holds the ids of the events that started a run
/// (`Glue developer guide: viewing the EventBridge events that started a workflow`).
const EVENT_IDS_PROPERTY: &str = "aws:eventIds";

impl Shard {
    pub(super) fn notify(&mut self, now: Timestamp, event: &NewEvent, out: &mut Output) -> Result<Reply, Rejected> {
        let workflow = self.workflows.get_mut(&event.workflow).ok_or(Rejected::NoWorkflow)?;
        let batching = event_batching(&workflow.plan.triggers)
            .ok_or_else(|| Rejected::NotStartedByEvents(event.workflow.clone()))?;
        let window_ms = i64::from(batching.window_seconds) * 1000;
        let is_first = workflow.batch.is_none();
        let batch = workflow.batch.get_or_insert_with(|| EventBatch {
            opened_at: now,
            closes_at: now.plus_millis(window_ms),
            event_ids: Vec::new(),
        });
        batch.event_ids.push(event.id.clone());
        if is_first {
            self.timers.set(batch.closes_at, Timer::Window(event.workflow.clone()));
        }
        out.changes.batches.insert(event.workflow.clone(), Some(batch.clone()));
        Ok(self.close_full_batch(now, &event.workflow, out))
    }

    /// Starts a run when a workflow's batch has as many events as its trigger asks for.
    pub(super) fn close_full_batch(&mut self, now: Timestamp, workflow: &str, out: &mut Output) -> Reply {
        let Some(known) = self.workflows.get(workflow) else {
            return Reply::Done;
        };
        let Some(batch) = &known.batch else { return Reply::Done };
        let Some(batching) = event_batching(&known.plan.triggers) else {
            // The workflow no longer starts with events: those that waited are dropped, as AWS drops them.
            self.take_batch(workflow, out);
            return Reply::Done;
        };
        if batch.event_ids.len() < batching.size as usize {
            return Reply::Done;
        }
        let starting = (batching.size > 1).then_some(StartingBatch::Size(batching.size));
        self.start_with_events(now, workflow, starting, out)
    }

    pub(super) fn window_closed(&mut self, now: Timestamp, workflow: &str, out: &mut Output) {
        let Some(known) = self.workflows.get(workflow) else {
            return;
        };
        let Some(batching) = event_batching(&known.plan.triggers) else {
            return;
        };
        self.start_with_events(now, workflow, Some(StartingBatch::Window(batching.window_seconds)), out);
    }

    fn start_with_events(
        &mut self,
        now: Timestamp,
        workflow: &str,
        starting: Option<StartingBatch>,
        out: &mut Output,
    ) -> Reply {
        let Some(batch) = self.take_batch(workflow, out) else {
            return Reply::Done;
        };
        let properties = BTreeMap::from([(
            EVENT_IDS_PROPERTY.to_owned(),
            format!("[{}]", batch.event_ids.join(", ")),
        )]);
        let beginning = Beginning::new(Cause::Events(batch.event_ids), properties).with_batch(starting);
        match self.start_or_refuse(now, workflow, beginning, out) {
            Some(run) => Reply::WorkflowRun(run),
            None => Reply::Done,
        }
    }

    fn take_batch(&mut self, workflow: &str, out: &mut Output) -> Option<EventBatch> {
        let batch = self.workflows.get_mut(workflow)?.batch.take()?;
        self.timers
            .clear(Some(batch.closes_at), Timer::Window(workflow.to_owned()));
        out.changes.batches.insert(workflow.to_owned(), None);
        Some(batch)
    }
}

fn event_batching(triggers: &[crate::glue::plan::TriggerPlan]) -> Option<EventBatching> {
    triggers.iter().find_map(|trigger| match trigger.kind {
        TriggerKind::Event(batching) => Some(batching),
        TriggerKind::OnDemand | TriggerKind::Scheduled(_) | TriggerKind::Conditional(_) => None,
    })
}
