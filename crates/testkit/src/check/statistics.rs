//! The statistics of a run are a count of its nodes.

use treenail_proto::glue::v1::{JobRun, JobRunState, WorkflowRunStatistics};

use super::{Evidence, Violation, ensure, id, nodes};

/// A recount of the last attempts of all nodes gives the statistics.
pub(super) fn counts_are_right(evidence: &Evidence<'_>) -> Result<(), Violation> {
    // A resumed run counts what it restarted, which its graph does not tell apart.
    for run in evidence.end.runs.iter().filter(|run| run.previous_run_id.is_none()) {
        let Some(counted) = &run.statistics else { continue };
        let mut recount = WorkflowRunStatistics::default();
        let last_attempts = nodes(run)
            .iter()
            .filter_map(|node| node.job_details.as_ref())
            .filter_map(|job| job.job_runs.iter().max_by_key(|run| run.attempt()))
            .map(JobRun::job_run_state);
        for state in last_attempts {
            let count = match state {
                JobRunState::Succeeded => &mut recount.succeeded_actions,
                JobRunState::Failed => &mut recount.failed_actions,
                JobRunState::Stopped => &mut recount.stopped_actions,
                JobRunState::Timeout => &mut recount.timeout_actions,
                JobRunState::Error => &mut recount.errored_actions,
                JobRunState::Waiting => &mut recount.waiting_actions,
                _ => &mut recount.running_actions,
            };
            *count = Some(count.unwrap_or_default() + 1);
        }
        let figures = |of: &WorkflowRunStatistics| {
            [
                of.succeeded_actions(),
                of.failed_actions(),
                of.stopped_actions(),
                of.timeout_actions(),
                of.errored_actions(),
                of.waiting_actions(),
                of.running_actions(),
            ]
        };
        ensure(figures(counted) == figures(&recount), || {
            format!("{} counts {counted:?}, and a recount gives {recount:?}", id(run))
        })?;
    }
    Ok(())
}
