//! One call has one effect, and one attempt has one outcome.

use std::collections::{BTreeMap, BTreeSet};

use treenail_proto::{
    glue::v1::{JobRun, JobRunState},
    worker::v1::Result as Ended,
};

use super::{Evidence, Violation, ensure, id, nodes};
use crate::{
    client::{TAG, TAG_ARGUMENT},
    executor::AS_ASKED,
    history::Call,
};

/// What the run-scheduler says of a job run whose worker ended it unasked.
const CANCELLED: &str = "The worker shut down while the job ran";

/// However often a call was repeated, it started one run.
///
/// Also one that was refused: an earlier repetition of it may arrive later, when there is room for its run.
pub(super) fn a_call_has_one_effect(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let mut runs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    // A resumed run has the properties of the one before it.
    for run in evidence.end.runs.iter().filter(|run| run.previous_run_id.is_none()) {
        if let Some(tag) = run.workflow_run_properties.get(TAG) {
            runs.entry(tag).or_default().push(id(run));
        }
    }
    // A retry has the arguments of the attempt before it.
    for run in evidence.end.job_runs.iter().filter(|run| run.attempt() == 0) {
        if let Some(tag) = run.arguments.get(TAG_ARGUMENT) {
            runs.entry(tag).or_default().push(run.id());
        }
    }
    for operation in evidence.operations {
        let (Call::StartWorkflowRun { tag, .. } | Call::StartJobRun { tag, .. }) = &operation.call else {
            continue;
        };
        let started = runs.get(tag.as_str()).map_or(0, Vec::len);
        ensure(started <= 1, || {
            format!("{:?} started {:?}", operation.call, runs[tag.as_str()])
        })?;
    }
    Ok(())
}

/// A node of a run that was not resumed is started once: all else that runs in it are retries.
pub(super) fn a_node_starts_once(evidence: &Evidence<'_>) -> Result<(), Violation> {
    for run in evidence.end.runs.iter().filter(|run| run.previous_run_id.is_none()) {
        for job in nodes(run).iter().filter_map(|node| node.job_details.as_ref()) {
            let first: Vec<&str> = job
                .job_runs
                .iter()
                .filter(|run| run.attempt() == 0)
                .map(JobRun::id)
                .collect();
            ensure(first.len() <= 1, || {
                format!("a node of {} was started as {first:?}", id(run))
            })?;
        }
    }
    Ok(())
}

/// An attempt that succeeded did so in the hand-out that was the last one: the outcomes of earlier ones do not count.
pub(super) fn an_attempt_has_one_outcome(evidence: &Evidence<'_>) -> Result<(), Violation> {
    for run in &evidence.end.job_runs {
        let of_run = || {
            evidence
                .executions
                .iter()
                .filter(|execution| execution.job_run == run.id())
        };
        let Some(last) = of_run().max_by_key(|execution| execution.token) else {
            continue;
        };
        let expected = match (run.job_run_state(), run.error_message()) {
            (JobRunState::Succeeded, _) => Some(Ended::Succeeded),
            (JobRunState::Failed, AS_ASKED) => Some(Ended::Failed),
            (JobRunState::Failed, CANCELLED) => Some(Ended::Cancelled),
            // The outcome is the run-scheduler's own: a stop, a timeout, a worker that was lost.
            _ => None,
        };
        ensure(expected.is_none() || last.ended == expected, || {
            format!(
                "{} is {:?}: {}; its last execution, of token {}, is {:?}",
                run.id(),
                run.job_run_state(),
                run.error_message(),
                last.token,
                last.ended
            )
        })?;
    }
    Ok(())
}

/// Under one token a task is executed once.
pub(super) fn a_task_is_handed_out_once_under_a_token(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for execution in evidence.executions {
        ensure(seen.insert((&execution.job_run, execution.token)), || {
            format!(
                "{} was executed twice under the token {}",
                execution.job_run, execution.token
            )
        })?;
    }
    Ok(())
}
