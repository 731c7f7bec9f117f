//! What must be true of every history: one checker for each sentence of `docs/invariants.md`.

mod cron;
mod durable;
mod graph;
mod limits;
mod linear;
mod once;
mod statistics;

use treenail_proto::glue::v1::{Node, WorkflowRun, WorkflowRunStatus};

use crate::{
    executor::Execution,
    history::{End, Operation},
};

/// What was seen from outside, and what the workers did.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What clients did and heard.
    pub operations: &'a [Operation],
    /// What is there in the end.
    pub end: &'a End,
    /// What the workers executed.
    pub executions: &'a [Execution],
}

/// A promise that was broken: a sentence that names what broke it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Judges a history, once everything had the time to heal.
///
/// # Errors
/// The first promise that was broken.
pub fn all(evidence: &Evidence<'_>) -> Result<(), Violation> {
    durable::what_was_acknowledged_is_there(evidence)?;
    once::a_call_has_one_effect(evidence)?;
    once::a_node_starts_once(evidence)?;
    once::an_attempt_has_one_outcome(evidence)?;
    once::a_task_is_handed_out_once_under_a_token(evidence)?;
    graph::what_had_to_run_ran(evidence)?;
    graph::attempts_are_in_order(evidence)?;
    graph::nothing_starts_after_a_stop(evidence)?;
    statistics::counts_are_right(evidence)?;
    limits::no_more_runs_than_allowed(evidence)?;
    limits::no_more_attempts_than_allowed(evidence)?;
    linear::properties_are_linearizable(evidence)?;
    cron::each_tick_starts_one_run(evidence)
}

fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(sentence())) }
}

fn nodes(run: &WorkflowRun) -> &[Node] {
    run.graph.as_ref().map_or(&[], |graph| &graph.nodes)
}

fn id(run: &WorkflowRun) -> &str {
    run.workflow_run_id.as_deref().unwrap_or_default()
}

fn has_ended(run: &WorkflowRun) -> bool {
    match run.status() {
        WorkflowRunStatus::Completed | WorkflowRunStatus::Stopped | WorkflowRunStatus::Error => true,
        WorkflowRunStatus::Unspecified | WorkflowRunStatus::Running | WorkflowRunStatus::Stopping => false,
    }
}

/// A time in milliseconds.
fn millis(time: Option<&prost_types::Timestamp>) -> Option<i64> {
    time.map(|time| time.seconds * 1_000 + i64::from(time.nanos / 1_000_000))
}
