//! Calls are taken in; after the commit, answers go out and effects happen.

use metrics::counter;
use tokio::sync::oneshot;
use treenail_engine::{
    glue::{Effect, Input, Reply},
    ids::{JobRunId, WorkflowRunId},
    task::WorkerId,
};
use treenail_proto::worker::v1::{AssignTask, CancelTask, work_response::Message};
use treenail_rpc::{Scope, telemetry::TraceContext};

use treenail_planted::{
    Bug,
    failpoint::{Step, pass},
    is_planted,
};

use super::{Answer, Fatal, Scheduler, seeds::Seed};
use crate::{
    codec::{plan::Published, task},
    store::{PlanRow, Store},
};

impl<S: Store> Scheduler<S> {
    /// Takes a call in; `key` names it over its repetitions, and `trace` is what it belongs to.
    pub(super) fn call(
        &mut self,
        scope: &Scope,
        input: Input,
        (key, trace): (Option<String>, Option<TraceContext>),
        reply: oneshot::Sender<Answer>,
    ) {
        let now = self.context.clock.now();
        if let Some(known) = key
            .as_ref()
            .filter(|_| !is_planted(Bug::NoDeduplication))
            .and_then(|key| self.invocations.find(scope, key, now))
        {
            self.answer(scope, reply, Ok(known));
            return;
        }
        let answer = self.apply_for(scope, input, trace.as_ref());
        if let (Some(key), Ok(answer)) = (key, &answer) {
            let row = self.invocations.remember(scope, key, answer, now);
            self.batch.changes.invocations.push(row);
        }
        self.answer(scope, reply, answer);
    }

    /// Publishes a plan, unless a newer one is known.
    pub(super) fn publish(&mut self, scope: &Scope, plan: Published, row: PlanRow, reply: oneshot::Sender<Answer>) {
        let is_news = match (&plan, self.shards.get(scope)) {
            (Published::Deleted { uid, .. }, Some(shard)) => shard.knows(uid),
            (Published::Deleted { .. }, None) => false,
            (Published::Workflow(plan), Some(shard)) => shard
                .workflow_plan(&plan.name)
                .is_none_or(|known| known.sequence < plan.sequence),
            (Published::Trigger(plan), Some(shard)) => shard
                .trigger_plan(&plan.name)
                .is_none_or(|known| known.sequence < plan.sequence),
            (Published::Job(plan), Some(shard)) => shard
                .job_plan(&plan.name)
                .is_none_or(|known| known.sequence < plan.sequence),
            (Published::Workflow(_) | Published::Trigger(_) | Published::Job(_), None) => true,
        };
        if is_news && let Ok(input) = plan.into_input() {
            self.batch.changes.plans.push(row);
            let published = self.apply(scope, input);
            debug_assert!(published.is_ok(), "a plan is never refused");
        }
        self.batch.replies.push((reply, Ok(Reply::Done)));
    }

    /// Commits what the batch changed, then answers and acts.
    pub(super) async fn flush(&mut self) -> Result<(), Fatal> {
        self.assign();
        let changes = self.batch.take_changes();
        if is_planted(Bug::AcknowledgedBeforeCommit) {
            self.reply();
        }
        if !changes.is_empty() {
            let runs = changes.runs.iter().filter(|_| self.context.news.has_listeners());
            let changed: Vec<String> = runs.map(|run| run.id.clone()).collect();
            counter!("treenail_transitions_total").increment(changes.events.len() as u64);
            pass(Step::Decided);
            self.context.store.commit(changes).await?;
            pass(Step::Stored);
            changed.into_iter().for_each(|run| self.context.news.tell(run));
        }
        self.reply();
        pass(Step::Answered);
        let mut seeds = Vec::new();
        for (scope, effect) in self.batch.take_effects() {
            self.perform(&scope, effect, &mut seeds);
        }
        self.seeds.plant(seeds);
        pass(Step::Acted);
        for (worker, ack) in std::mem::take(&mut self.batch.acks) {
            self.send(&worker, Message::Ack(ack));
        }
        self.measure();
        Ok(())
    }

    fn reply(&mut self) {
        for (reply, answer) in std::mem::take(&mut self.batch.replies) {
            // Whoever asked may have gone; what was asked for is done all the same.
            let _gone = reply.send(answer);
        }
    }

    /// Takes in what an effect means for the pool of workers, before the commit.
    pub(super) fn take_in(&mut self, scope: &Scope, effect: &Effect) {
        match effect {
            Effect::Enqueue(job_run) => {
                self.let_go(*job_run);
                self.scopes.insert(*job_run, scope.clone());
                self.pool.enqueue(*job_run);
            }
            Effect::Withdraw(job_run) => self.pool.withdraw(job_run),
            Effect::JobRunEnded(job_run) => {
                self.let_go(*job_run);
                self.scopes.remove(job_run);
            }
            Effect::Seed { .. }
            | Effect::RunReady(_)
            | Effect::RunEnded { .. }
            | Effect::Dispatch { .. }
            | Effect::Cancel { .. } => {}
        }
    }

    /// Says that no worker holds a job run any more.
    pub(super) fn let_go(&mut self, job_run: JobRunId) {
        if let Some(worker) = self.holders.remove(&job_run) {
            self.pool.release(&worker, &job_run);
        }
    }

    fn perform(&mut self, scope: &Scope, effect: Effect, seeds: &mut Vec<Seed>) {
        match effect {
            Effect::Seed {
                run,
                workflow,
                copy_from,
                properties,
            } => {
                seeds.push(Seed {
                    scope: scope.clone(),
                    trace: self.traces.of_run(run).cloned(),
                    run,
                    workflow,
                    copy_from,
                    properties,
                });
            }
            Effect::RunEnded { is_orphan, .. } => {
                // The runs of a workflow that was deleted are forgotten once they have ended.
                if is_orphan {
                    self.sweep();
                }
            }
            // Whoever waits for a run to be ready was told when its properties were.
            Effect::Enqueue(_) | Effect::Withdraw(_) | Effect::RunReady(_) => {}
            Effect::Dispatch { job_run, worker } => self.dispatch(scope, job_run, &worker),
            Effect::Cancel { job_run, token, worker } => {
                self.send(
                    &worker,
                    Message::Cancel(CancelTask {
                        task_id: job_run.to_string(),
                        token,
                    }),
                );
            }
            Effect::JobRunEnded(_) => self.context.logs.wake(),
        }
    }

    /// A run that was started is answered when it has its properties: whoever started it can read them at once.
    fn answer(&mut self, scope: &Scope, reply: oneshot::Sender<Answer>, answer: Answer) {
        let started = match &answer {
            Ok(Reply::WorkflowRun(run) | Reply::Resumed(run, _)) => Some(*run),
            Ok(Reply::Done | Reply::JobRun(_)) | Err(_) => None,
        };
        let run = started.and_then(|run| self.shards.get(scope)?.workflow_run(run));
        match run.filter(|run| !run.record.is_seeded) {
            Some(run) => self
                .starting
                .entry(run.record.id)
                .or_default()
                .push(StartingReply { reply, answer }),
            None => self.batch.replies.push((reply, answer)),
        }
    }

    pub(super) fn answer_starting(&mut self, run: WorkflowRunId) {
        for StartingReply { reply, answer } in self.starting.remove(&run).unwrap_or_default() {
            // Whoever asked may have gone; the run goes on.
            let _gone = reply.send(answer);
        }
    }

    fn dispatch(&mut self, scope: &Scope, job_run: JobRunId, worker: &WorkerId) {
        let Some(shard) = self.shards.get(scope) else { return };
        let Some(run) = shard.job_run(job_run) else { return };
        let workflow = run
            .spec
            .workflow_run()
            .and_then(|id| shard.workflow_run(id))
            .map(|run| run.plan.name.clone());
        let Some(task) = task::to_task(run, scope, workflow.as_deref(), self.traces.of(run)) else {
            return;
        };
        self.send(worker, Message::Assign(AssignTask { task: Some(task) }));
    }
}

/// Someone who waits for a run to have its properties.
#[derive(Debug)]
pub(super) struct StartingReply {
    reply: oneshot::Sender<Answer>,
    answer: Answer,
}
