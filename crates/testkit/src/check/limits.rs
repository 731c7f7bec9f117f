//! No more runs than allowed.

use std::collections::BTreeMap;

use treenail_proto::glue::v1::WorkflowRunStatus;

use super::{Evidence, Violation, ensure, id, millis};

/// `MaxConcurrentRuns` of no workflow was exceeded at any time.
///
/// Judged by when runs started and ended, which says nothing where the machine's clock was set back.
pub(super) fn no_more_runs_than_allowed(evidence: &Evidence<'_>) -> Result<(), Violation> {
    if evidence.end.clock_went_back {
        return Ok(());
    }
    for (workflow, most) in &evidence.end.max_concurrent_runs {
        // Ends before starts: a run that starts in the millisecond in which another one ends takes its place.
        let mut changes: BTreeMap<(i64, bool), (i64, &str)> = BTreeMap::new();
        let of_workflow = evidence.end.runs.iter().filter(|run| run.name() == workflow);
        // A run that was refused leaves a record, and does not run.
        for run in of_workflow.filter(|run| run.status() != WorkflowRunStatus::Error) {
            let (Some(started), Some(ended)) = (millis(run.started_on.as_ref()), millis(run.completed_on.as_ref()))
            else {
                continue;
            };
            if started < ended {
                changes.entry((started, true)).or_insert_with(|| (0, id(run))).0 += 1;
                changes.entry((ended, false)).or_insert_with(|| (0, id(run))).0 -= 1;
            }
        }
        let mut running = 0;
        for ((at, _), (change, run)) in changes {
            running += change;
            ensure(running <= *most, || {
                format!("{running} runs of {workflow} run at {at}, with {run}; {most} may")
            })?;
        }
    }
    Ok(())
}

/// No job was tried more often than its `MaxRetries` allows.
pub(super) fn no_more_attempts_than_allowed(evidence: &Evidence<'_>) -> Result<(), Violation> {
    for run in &evidence.end.job_runs {
        let most = evidence
            .end
            .max_retries
            .get(run.job_name())
            .copied()
            .unwrap_or_default();
        ensure(i64::from(run.attempt()) <= most, || {
            format!(
                "{} of {} is attempt {}; {most} retries may be",
                run.id(),
                run.job_name(),
                run.attempt()
            )
        })?;
    }
    Ok(())
}
