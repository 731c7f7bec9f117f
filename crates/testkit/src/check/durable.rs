//! Acknowledged is durable, and what runs ends.

use super::{Evidence, Violation, ensure, has_ended, id};
use crate::history::{Answer, Call};

/// What was acknowledged is there, and all that runs has ended.
pub(super) fn what_was_acknowledged_is_there(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let end = evidence.end;
    for operation in evidence.operations {
        let Answer::Done(Some(started)) = &operation.answer else {
            continue;
        };
        let is_there = match &operation.call {
            Call::StartWorkflowRun { .. } | Call::ResumeWorkflowRun { .. } => {
                let run = started.split_once('/').map_or("", |(_, run)| run);
                end.runs.iter().any(|found| id(found) == run)
            }
            Call::StartJobRun { .. } => end.job_runs.iter().any(|found| found.id() == started),
            Call::StopWorkflowRun { .. } | Call::Put { .. } | Call::Get { .. } => true,
        };
        ensure(is_there, || {
            format!("{:?} gave {started}, which is gone", operation.call)
        })?;
    }
    for operation in evidence.operations {
        if let (Call::Get { run }, Answer::Refused(reason)) = (&operation.call, &operation.answer) {
            ensure(false, || format!("{run} has no properties: {reason}"))?;
        }
    }
    for run in &end.runs {
        ensure(has_ended(run), || {
            format!("{} of {} has not ended: {:?}", id(run), run.name(), run.status())
        })?;
    }
    for run in &end.job_runs {
        ensure(run.completed_on.is_some(), || {
            format!(
                "{} of {} has not ended: {:?}",
                run.id(),
                run.job_name(),
                run.job_run_state()
            )
        })?;
    }
    Ok(())
}
