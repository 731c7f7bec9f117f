//! How an attempt of a job stands.

use super::{Attempt, AttemptStanding, Finding, Reader, Why};
use crate::glue::{
    job_run::{Ending, JobRun},
    state::JobRunState,
};

/// How many attempts are told one by one.
const ATTEMPTS_TOLD_MAX: usize = 20;

impl Reader<'_> {
    /// Tells of attempts, and how many there are beyond those that are told.
    pub(super) fn attempts<'b>(&self, runs: impl Iterator<Item = &'b JobRun>) -> Vec<Finding> {
        let mut runs = runs;
        let told = runs.by_ref().take(ATTEMPTS_TOLD_MAX);
        let mut findings: Vec<Finding> = told.map(|run| Finding::Attempt(self.attempt(run))).collect();
        let count = runs.count();
        if count > 0 {
            findings.push(Finding::MoreAttempts { count });
        }
        findings
    }

    pub(super) fn attempt(&self, run: &JobRun) -> Attempt {
        Attempt {
            job: run.spec.job_name.clone(),
            job_run: run.id,
            trigger: run.spec.trigger_name.clone(),
            stands: self.attempt_standing(run),
        }
    }

    fn attempt_standing(&self, run: &JobRun) -> AttemptStanding {
        let error = run.error.clone();
        if let Some(at) = run.retry_at {
            return AttemptStanding::Retries { at, error };
        }
        match run.state {
            JobRunState::Waiting => AttemptStanding::WaitsForSlot {
                limit: self.known.limits.get(&run.spec.job_name).copied(),
            },
            JobRunState::Starting => match &run.lease {
                Some(worker) => AttemptStanding::HandedOut { worker: worker.clone() },
                None => AttemptStanding::WaitsForWorker {
                    was_lost: self.index.was_requeued(run.id),
                },
            },
            JobRunState::Running => AttemptStanding::Runs {
                since: run.running_since.unwrap_or(run.started_at),
                is_late: run.delayed,
            },
            JobRunState::Stopping => AttemptStanding::Stops(self.why(run)),
            state @ (JobRunState::Stopped
            | JobRunState::Succeeded
            | JobRunState::Failed
            | JobRunState::Timeout
            | JobRunState::Error) => AttemptStanding::Ended {
                state,
                at: run.completed_at.unwrap_or(run.modified_at),
                error,
                stopped: (state == JobRunState::Stopped).then(|| self.why(run)),
            },
        }
    }

    /// Why an attempt is, or was, ended before its time.
    fn why(&self, run: &JobRun) -> Why {
        match run.ending {
            Some(Ending::Timeout) => Why::Timeout,
            Some(Ending::Stop) | None if self.index.was_stopped_alone(run.id) => Why::Stopped,
            Some(Ending::Stop) | None => Why::RunStopped,
        }
    }
}
