//! Runs are stopped.

use super::Shard;
use crate::{
    Timestamp,
    glue::{
        history::EventKind,
        input::Rejected,
        job_run::Ending,
        output::{Effect, Output},
        state::{JobRunState, RunStatus},
    },
    ids::{JobRunId, WorkflowRunId},
};

impl Shard {
    /// `Glue API: StopWorkflowRun`: nothing starts any more, and what runs is ended.
    pub(super) fn stop_workflow_run(
        &mut self,
        now: Timestamp,
        id: WorkflowRunId,
        out: &mut Output,
    ) -> Result<(), Rejected> {
        if !self.runs.contains_key(&id) {
            return Err(Rejected::NoWorkflowRun);
        }
        self.request_stop(now, id, out);
        Ok(())
    }

    /// Stops a run that has not ended; one that is STOPPING already goes on stopping.
    pub(super) fn request_stop(&mut self, now: Timestamp, id: WorkflowRunId, out: &mut Output) {
        let Some(run) = self
            .runs
            .get_mut(&id)
            .filter(|run| run.record.status == RunStatus::Running)
        else {
            return;
        };
        run.record.status = RunStatus::Stopping;
        run.tell(now, EventKind::StopRequested, out);
        self.work.touched.insert(id);
        let job_runs: Vec<JobRunId> = run.nodes.iter().flat_map(|node| &node.job_runs).copied().collect();
        for job_run in job_runs {
            if self.job_runs.get(&job_run).is_some_and(|run| run.retry_at.is_some()) {
                self.give_up_retry(now, job_run, out);
            } else {
                self.request_job_run_stop(now, job_run, out);
            }
        }
    }

    /// `Glue API: BatchStopJobRun`, of one run.
    pub(super) fn stop_job_run(&mut self, now: Timestamp, id: JobRunId, out: &mut Output) -> Result<(), Rejected> {
        if self.job_runs.get(&id).is_none_or(|run| run.state.is_terminal()) {
            return Err(Rejected::NoJobRun);
        }
        self.request_job_run_stop(now, id, out);
        Ok(())
    }

    fn request_job_run_stop(&mut self, now: Timestamp, id: JobRunId, out: &mut Output) {
        let Some(run) = self.job_runs.get(&id) else { return };
        match run.state {
            JobRunState::Waiting => {
                if let Some(slots) = run.spec.plan.as_ref().and_then(|plan| self.slots.get_mut(&plan.uid)) {
                    slots.waiting.retain(|waiting| *waiting != id);
                }
                self.end_job_run(now, id, JobRunState::Stopped, None, out);
            }
            JobRunState::Starting if run.lease.is_none() => {
                out.effects.push(Effect::Withdraw(id));
                self.end_job_run(now, id, JobRunState::Stopped, None, out);
            }
            JobRunState::Starting | JobRunState::Running => self.end_task(now, id, Ending::Stop, out),
            JobRunState::Stopping
            | JobRunState::Stopped
            | JobRunState::Succeeded
            | JobRunState::Failed
            | JobRunState::Timeout
            | JobRunState::Error => {}
        }
    }
}
