//! One call has one effect, and one attempt has one outcome.

use std::collections::{BTreeMap, BTreeSet};

use treenail_proto::{glue::v1::JobRunState, worker::v1::Result as Ended};

use super::{Evidence, Violation, ensure, id};
use crate::{
    client::{TAG, TAG_ARGUMENT},
    history::Call,
};

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
        let expected = match run.job_run_state() {
            JobRunState::Succeeded => Some(Ended::Succeeded),
            _ => None,
        };
        ensure(expected.is_none() || last.ended == expected, || {
            format!(
                "{} is SUCCEEDED; its last execution, of token {}, is {:?}",
                run.id(),
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
