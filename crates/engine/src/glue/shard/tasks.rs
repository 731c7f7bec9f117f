//! Workers take job runs, start them, end them, and are lost.

use treenail_planted::{Bug, is_planted};

use super::Shard;
use crate::{
    Timestamp,
    glue::{
        history::EventKind,
        input::{Outcome, Rejected},
        job_run::{Ending, JobRun},
        output::{Effect, Output},
        state::JobRunState,
        timer::Timer,
    },
    ids::JobRunId,
    task::WorkerId,
};

impl Shard {
    /// A worker was found: the hand-out gets a token larger than any before.
    pub(super) fn leased(
        &mut self,
        now: Timestamp,
        id: JobRunId,
        worker: WorkerId,
        out: &mut Output,
    ) -> Result<(), Rejected> {
        let run = self
            .job_runs
            .get_mut(&id)
            .filter(|run| run.waits_for_worker())
            .ok_or(Rejected::NoJobRun)?;
        run.token += 1;
        run.lease = Some(worker.clone());
        run.modified_at = now;
        out.changes.job_runs.insert(id, run.clone());
        out.effects.push(Effect::Dispatch { job_run: id, worker });
        Ok(())
    }

    pub(super) fn task_started(
        &mut self,
        now: Timestamp,
        id: JobRunId,
        token: u64,
        out: &mut Output,
    ) -> Result<(), Rejected> {
        let run = self.held(id, token)?;
        if run.state != JobRunState::Starting {
            // Said twice, or a stop was faster.
            return Ok(());
        }
        let mut run = run.clone();
        run.state = JobRunState::Running;
        run.running_since = Some(now);
        run.modified_at = now;
        for (at, timer) in [
            (run.timeout_at(), Timer::Timeout(id)),
            (run.delayed_at(), Timer::Delay(id)),
        ] {
            if let Some(at) = at {
                self.timers.set(at, timer);
            }
        }
        self.tell(
            now,
            &run,
            EventKind::JobRunChanged {
                job_run: id,
                state: run.state,
            },
            out,
        );
        self.put(run, out);
        Ok(())
    }

    pub(super) fn task_finished(
        &mut self,
        now: Timestamp,
        id: JobRunId,
        token: u64,
        outcome: Outcome,
        out: &mut Output,
    ) -> Result<(), Rejected> {
        let ending = self.held(id, token)?.ending;
        let (state, error, detail) = match (ending, outcome) {
            // What was decided stands, however the process ended in the meantime.
            (Some(Ending::Stop), _) => (JobRunState::Stopped, None, None),
            (Some(Ending::Timeout), _) => (JobRunState::Timeout, Some(TIMED_OUT.to_owned()), None),
            (None, Outcome::Succeeded) => (JobRunState::Succeeded, None, None),
            (None, Outcome::Failed { error, detail }) => (JobRunState::Failed, Some(error), detail),
            (None, Outcome::Cancelled) => (
                JobRunState::Failed,
                Some("The worker shut down while the job ran".to_owned()),
                None,
            ),
        };
        if let Some(run) = self.job_runs.get_mut(&id) {
            run.state_detail = detail;
        }
        self.end_job_run(now, id, state, error, out);
        Ok(())
    }

    /// The worker is gone. A job run that was not known to have started waits for another worker, and this costs no
    /// attempt; one that had started has failed, and its retries decide.
    pub(super) fn lease_lost(
        &mut self,
        now: Timestamp,
        id: JobRunId,
        token: u64,
        out: &mut Output,
    ) -> Result<(), Rejected> {
        let run = self.held(id, token)?;
        match (run.state, run.ending) {
            (JobRunState::Starting, _) => {
                let mut run = run.clone();
                run.lease = None;
                run.modified_at = now;
                self.tell(now, &run, EventKind::JobRunRequeued { job_run: id }, out);
                out.effects.push(Effect::Enqueue(id));
                self.put(run, out);
            }
            (_, Some(Ending::Stop)) => self.end_job_run(now, id, JobRunState::Stopped, None, out),
            (_, Some(Ending::Timeout)) => {
                self.end_job_run(now, id, JobRunState::Timeout, Some(TIMED_OUT.to_owned()), out);
            }
            (_, None) => {
                let error = "The worker that ran the job was lost".to_owned();
                self.end_job_run(now, id, JobRunState::Failed, Some(error), out);
            }
        }
        Ok(())
    }

    pub(super) fn job_run_timed_out(&mut self, now: Timestamp, id: JobRunId, out: &mut Output) {
        if self
            .job_runs
            .get(&id)
            .is_some_and(|run| run.state == JobRunState::Running)
        {
            self.end_task(now, id, Ending::Timeout, out);
        }
    }

    /// `Glue API: NotificationProperty.NotifyDelayAfter`.
    pub(super) fn job_run_delayed(&mut self, now: Timestamp, id: JobRunId, out: &mut Output) {
        let Some(run) = self.job_runs.get(&id) else { return };
        let mut run = run.clone();
        run.delayed = true;
        let minutes = run.spec.settings.notify_delay_minutes.unwrap_or_default();
        run.state_detail = Some(format!(
            "The run has lasted longer than NotifyDelayAfter ({minutes} minutes)"
        ));
        self.tell(now, &run, EventKind::JobRunDelayed { job_run: id }, out);
        self.put(run, out);
    }

    /// Asks a worker to end a job run that it holds.
    pub(super) fn end_task(&mut self, now: Timestamp, id: JobRunId, ending: Ending, out: &mut Output) {
        let Some(run) = self.job_runs.get(&id) else { return };
        let mut run = run.clone();
        let before = run.state;
        run.state = JobRunState::Stopping;
        run.ending = Some(ending);
        run.modified_at = now;
        self.recount(&run, Some(before), Some(run.state));
        self.tell(
            now,
            &run,
            EventKind::JobRunChanged {
                job_run: id,
                state: run.state,
            },
            out,
        );
        if let Some(worker) = run.lease.clone() {
            out.effects.push(Effect::Cancel {
                job_run: id,
                token: run.token,
                worker,
            });
        }
        self.put(run, out);
    }

    /// A job run that a worker holds by the token of its latest hand-out.
    fn held(&self, id: JobRunId, token: u64) -> Result<&JobRun, Rejected> {
        self.job_runs
            .get(&id)
            .filter(|run| {
                (run.token == token || is_planted(Bug::NoFencing)) && run.lease.is_some() && !run.state.is_terminal()
            })
            .ok_or(Rejected::StaleToken)
    }

    fn put(&mut self, run: JobRun, out: &mut Output) {
        out.changes.job_runs.insert(run.id, run.clone());
        self.job_runs.insert(run.id, run);
    }
}

/// The error message of a job run that lasted longer than its Timeout.
const TIMED_OUT: &str = "Job run timed out";
