//! Workers come, speak, and go.

use tokio::time::{Duration, Instant};
use treenail_engine::{
    glue::{Input, JobRunState},
    ids::{JobRunId, WorkflowRunId},
    task::WorkerId,
};
use treenail_proto::worker::v1::{
    AckTask, CancelTask, HeldTask, TaskDeclined, TaskFinished, TaskStarted, Welcome, work_request,
    work_response::Message,
};
use treenail_rpc::Scope;

use treenail_planted::{Bug, is_planted};

use super::{Scheduler, event::Connect};
use crate::{codec::task, store::Store};

impl<S: Store> Scheduler<S> {
    /// A worker opens a stream: what it no longer holds is lost, what it holds and should not is cancelled.
    pub(super) fn connect(&mut self, connect: Connect) {
        let Connect {
            worker,
            session,
            slots,
            held,
            responses,
        } = connect;
        self.sessions.open(worker.clone(), session, responses);
        self.absent.remove(&worker);
        self.pool.connect(&worker, slots);
        let welcome = Welcome {
            lease_ms: self.context.config.lease_ms,
            heartbeat_ms: self.context.config.heartbeat_ms(),
        };
        self.send(&worker, Message::Welcome(welcome));

        let still_held: Vec<JobRunId> = held.iter().filter_map(|task| self.check_held(&worker, task)).collect();
        let lost: Vec<JobRunId> = self
            .pool
            .held(&worker)
            .filter(|job_run| !still_held.contains(job_run))
            .copied()
            .collect();
        for job_run in lost {
            self.lose(job_run);
        }
        tracing::info!(worker = worker.as_str(), slots, "a worker connected");
    }

    /// A stream ended. The worker has the time of its lease to come back.
    pub(super) fn disconnect(&mut self, worker: &WorkerId, session: u64) {
        if self.sessions.close_one(worker, session) {
            self.pool.disconnect(worker);
            self.absent.insert(worker.clone(), Instant::now());
            tracing::info!(worker = worker.as_str(), "a worker disconnected");
        }
    }

    /// A worker says something on a stream; what comes from a stream that was replaced does not count.
    pub(super) fn said(&mut self, worker: &WorkerId, session: u64, message: work_request::Message) {
        if !self.sessions.hear(worker, session) {
            return;
        }
        match message {
            work_request::Message::Hello(_) | work_request::Message::Heartbeat(_) => {}
            work_request::Message::Started(TaskStarted { task_id, token }) => {
                if let Some((scope, job_run)) = self.find(&task_id)
                    && let Err(error) = self.apply(&scope, Input::TaskStarted { job_run, token })
                {
                    tracing::debug!(%error, task_id, "a start does not count");
                    self.send(worker, Message::Cancel(CancelTask { task_id, token }));
                }
            }
            work_request::Message::Finished(finished) => self.finished(worker, finished),
            work_request::Message::Draining(_) => {
                self.pool.connect(worker, 0);
                tracing::info!(worker = worker.as_str(), "a worker takes no more tasks");
            }
            work_request::Message::Declined(declined) => self.declined(worker, &declined),
        }
    }

    /// When the next lease runs out.
    pub(super) fn next_lease_end(&self) -> Option<Instant> {
        if is_planted(Bug::EndlessLease) {
            return None;
        }
        let lease = self.lease();
        let absent = self.absent.values().map(|since| *since + lease).min();
        [absent, self.sessions.next_silence(lease)].into_iter().flatten().min()
    }

    /// Ends the leases that have run out.
    pub(super) fn end_leases(&mut self) {
        if is_planted(Bug::EndlessLease) {
            return;
        }
        let (lease, now) = (self.lease(), Instant::now());
        let mut gone = self.sessions.silent(lease);
        gone.extend(
            self.absent
                .iter()
                .filter(|(_, since)| **since + lease <= now)
                .map(|(worker, _)| worker.clone()),
        );
        for worker in gone {
            self.sessions.drop_worker(&worker);
            self.absent.remove(&worker);
            let held: Vec<JobRunId> = self.pool.held(&worker).copied().collect();
            tracing::warn!(
                worker = worker.as_str(),
                tasks = held.len(),
                "a worker's leases ran out"
            );
            for job_run in held {
                self.lose(job_run);
            }
            self.pool.remove(&worker);
        }
    }

    /// The properties-store has the properties of runs.
    pub(super) fn seeded(&mut self, runs: Vec<(Scope, WorkflowRunId)>) {
        for (scope, run) in runs {
            let seeded = self.apply(&scope, Input::Seeded { run });
            debug_assert!(seeded.is_ok(), "a seed is never refused");
            // The run is durable, and so are its properties: whoever started it need not wait until that is written down
            // here too. After a crash before it is, the properties are sent again, which changes nothing.
            self.answer_starting(run);
        }
    }

    /// Tells a worker something. One that does not read what it is told is as good as gone.
    pub(super) fn send(&mut self, worker: &WorkerId, message: Message) {
        if !self.sessions.send(worker, message) && self.pool.is_connected(worker) {
            tracing::warn!(
                worker = worker.as_str(),
                "a worker cannot be told; its stream is closed"
            );
            self.sessions.drop_worker(worker);
            self.pool.disconnect(worker);
            self.absent.entry(worker.clone()).or_insert_with(Instant::now);
        }
    }

    fn finished(&mut self, worker: &WorkerId, finished: TaskFinished) {
        let TaskFinished {
            task_id,
            token,
            outcome,
        } = finished;
        if let Some((scope, job_run)) = self.find(&task_id) {
            let result = task::outcome(outcome.as_ref());
            let outcome = result.unwrap_or_else(|error| treenail_engine::glue::Outcome::Failed {
                error: format!("The worker did not say how the job ended: {error}"),
                detail: None,
            });
            if let Err(error) = self.apply(
                &scope,
                Input::TaskFinished {
                    job_run,
                    token,
                    outcome,
                },
            ) {
                tracing::debug!(%error, task_id, "an outcome does not count");
            }
        }
        // Recorded, or refused for good: either way it must not be said again.
        self.batch.acks.push((worker.clone(), AckTask { task_id, token }));
    }

    /// A worker gives back a task. One that is not its own, or that it has begun, is left as it is.
    fn declined(&mut self, worker: &WorkerId, declined: &TaskDeclined) {
        let Some((scope, job_run)) = self.find(&declined.task_id) else {
            return;
        };
        let run = self.shards.get(&scope).and_then(|shard| shard.job_run(job_run));
        let is_its = run.is_some_and(|run| {
            run.token == declined.token && run.lease.as_ref() == Some(worker) && run.state == JobRunState::Starting
        });
        if is_its {
            self.lose(job_run);
        }
    }

    /// A task that a worker says it holds: the job run, if it is the worker's.
    fn check_held(&mut self, worker: &WorkerId, held: &HeldTask) -> Option<JobRunId> {
        let found = self.find(&held.task_id);
        let is_its = found.as_ref().is_some_and(|(scope, job_run)| {
            let run = self.shards.get(scope).and_then(|shard| shard.job_run(*job_run));
            run.is_some_and(|run| run.token == held.token && run.lease.as_ref() == Some(worker))
        });
        let Some((scope, job_run)) = found.filter(|_| is_its) else {
            self.send(
                worker,
                Message::Cancel(CancelTask {
                    task_id: held.task_id.clone(),
                    token: held.token,
                }),
            );
            return None;
        };
        if held.started {
            let started = self.apply(
                &scope,
                Input::TaskStarted {
                    job_run,
                    token: held.token,
                },
            );
            debug_assert!(started.is_ok(), "the token was checked");
        }
        let run = self.shards.get(&scope).and_then(|shard| shard.job_run(job_run));
        if run.is_some_and(|run| run.state == JobRunState::Stopping) {
            // Whoever asked for its end may have done so while the worker could not be told.
            self.send(
                worker,
                Message::Cancel(CancelTask {
                    task_id: held.task_id.clone(),
                    token: held.token,
                }),
            );
        }
        Some(job_run)
    }

    fn lose(&mut self, job_run: JobRunId) {
        let scope = self.scopes.get(&job_run).cloned();
        let token = self
            .shard_of(job_run)
            .and_then(|shard| shard.job_run(job_run))
            .map(|run| run.token);
        self.let_go(job_run);
        if let (Some(scope), Some(token)) = (scope, token)
            && let Err(error) = self.apply(&scope, Input::LeaseLost { job_run, token })
        {
            tracing::debug!(%error, %job_run, "a lost lease does not count");
        }
    }

    fn find(&self, task_id: &str) -> Option<(Scope, JobRunId)> {
        let job_run: JobRunId = task_id.parse().ok()?;
        Some((self.scopes.get(&job_run)?.clone(), job_run))
    }

    fn lease(&self) -> Duration {
        Duration::from_millis(u64::from(self.context.config.lease_ms))
    }
}
