//! Job runs come to be, hold a slot of their job, end, and are tried again.

use std::sync::Arc;

use treenail_planted::{Bug, is_planted};

use super::{Ended, LinkEnd, NodeEnd, Shard, actions::Start};
use crate::{
    Timestamp,
    glue::{
        history::EventKind,
        input::{JobRunOverrides, Rejected, Reply},
        job_run::{JobRun, JobRunSpec, Origin},
        output::{Effect, Output},
        plan::{Action, JobPlan, Settings},
        run::WorkflowRun,
        state::{Component, EndState, JobRunState, RunStatus},
        timer::Timer,
    },
    ids::JobRunId,
};

impl Shard {
    /// `Glue API: StartJobRun`.
    pub(super) fn call_job(
        &mut self,
        now: Timestamp,
        job: &str,
        previous: Option<JobRunId>,
        overrides: JobRunOverrides,
        out: &mut Output,
    ) -> Result<Reply, Rejected> {
        let plan = Arc::clone(self.jobs.get(job).ok_or_else(|| Rejected::NoJob(job.to_owned()))?);
        let settings = plan.settings.overridden_by(overrides.settings);
        let has_slot = self.has_free_slot(&plan);
        if !has_slot && settings.queuing != Some(true) {
            return Err(Rejected::JobAtLimit(job.to_owned()));
        }
        let spec = JobRunSpec {
            job_name: job.to_owned(),
            plan: Some(Arc::clone(&plan)),
            origin: Origin::Call,
            trigger_name: None,
            arguments: overrides.arguments,
            settings,
            predecessors: Vec::new(),
        };
        let id = self.ids.job_run(now);
        self.accept(JobRun::new(id, spec, previous, now), &plan, out);
        Ok(Reply::JobRun(id))
    }

    /// Starts the job run of a trigger's action. It leaves a record even when it cannot start.
    pub(super) fn start_job_action(&mut self, now: Timestamp, job: &str, start: Start<'_>, out: &mut Output) {
        let plan = self.jobs.get(job).cloned();
        let base = plan
            .as_ref()
            .map_or_else(Settings::default, |plan| plan.settings.clone());
        let spec = JobRunSpec {
            job_name: job.to_owned(),
            plan: plan.clone(),
            origin: start.origin,
            trigger_name: start.trigger_name,
            arguments: start.action.arguments.clone(),
            settings: base.overridden_by(settings_of(start.action)),
            predecessors: start.predecessors,
        };
        let mut run = JobRun::new(self.ids.job_run(now), spec, None, now);
        match plan {
            None => {
                run.end(now, JobRunState::Error, Some(format!("Job {job} does not exist")));
                self.admit_job_run(run, out);
            }
            Some(plan) if self.has_free_slot(&plan) || run.spec.settings.queuing == Some(true) => {
                self.accept(run, &plan, out);
            }
            Some(_) => {
                run.end(
                    now,
                    JobRunState::Failed,
                    Some("Max concurrent runs exceeded".to_owned()),
                );
                self.admit_job_run(run, out);
            }
        }
    }

    /// Starts a job run that takes a slot of its job, or waits for one.
    fn accept(&mut self, mut run: JobRun, plan: &JobPlan, out: &mut Output) {
        let has_slot = self.has_free_slot(plan);
        let slots = self.slots.entry(plan.uid.clone()).or_default();
        if has_slot {
            slots.taken += 1;
            out.effects.push(Effect::Enqueue(run.id));
        } else {
            slots.waiting.push_back(run.id);
            run.state = JobRunState::Waiting;
            run.state_detail = Some(format!(
                "Waiting for one of the {} concurrent runs of job {} to end",
                plan.max_concurrent_runs, plan.name
            ));
        }
        self.admit_job_run(run, out);
    }

    /// Puts a new job run in its place: in the history and statistics of its workflow run, or in its chain.
    fn admit_job_run(&mut self, run: JobRun, out: &mut Output) {
        let is_settled = run.is_settled();
        match run.spec.origin {
            Origin::Workflow { run: id, node } => {
                if let Some(workflow_run) = self.runs.get_mut(&id) {
                    workflow_run.count_activation(node);
                    workflow_run.take_in(&run, node, out);
                    workflow_run.active += u32::from(!is_settled);
                }
                self.work.touched.insert(id);
            }
            Origin::Chain(id) => self.chains.entry(id).or_default().active += u32::from(!is_settled),
            Origin::Call => {}
        }
        out.changes.job_runs.insert(run.id, run.clone());
        if is_settled {
            self.work.ended.extend(run.ended());
        } else {
            self.job_runs.insert(run.id, run);
        }
    }

    /// Ends a job run that this shard knows; a failed one may be tried again.
    pub(super) fn end_job_run(
        &mut self,
        now: Timestamp,
        id: JobRunId,
        state: JobRunState,
        error: Option<String>,
        out: &mut Output,
    ) {
        let Some(mut run) = self.job_runs.remove(&id) else {
            return;
        };
        let had_slot = run.state != JobRunState::Waiting;
        self.timers.clear(run.timeout_at(), Timer::Timeout(id));
        self.timers.clear(run.delayed_at(), Timer::Delay(id));
        self.recount(&run, Some(run.state), Some(state));
        run.end(now, state, error);
        run.lease = None;
        self.tell(now, &run, EventKind::JobRunChanged { job_run: id, state }, out);
        out.effects.push(Effect::JobRunEnded(id));

        if self.may_retry(&run) {
            // The slot is kept, so that the retry is never refused.
            let at = now.plus_millis(self.policy.retry_delay_ms);
            run.retry_at = Some(at);
            self.timers.set(at, Timer::Retry(id));
            self.tell(now, &run, EventKind::RetryScheduled { job_run: id, at }, out);
            out.changes.job_runs.insert(id, run.clone());
            self.job_runs.insert(id, run);
            return;
        }
        out.changes.job_runs.insert(id, run.clone());
        self.conclude(now, &run, had_slot, out);
    }

    /// Starts the next attempt of a failed job run.
    pub(super) fn retry(&mut self, now: Timestamp, id: JobRunId, out: &mut Output) {
        let Some(mut failed) = self.job_runs.remove(&id) else {
            return;
        };
        failed.retry_at = None;
        self.recount(&failed, Some(failed.state), Some(JobRunState::Starting));
        let mut next = JobRun::new(id.next_attempt(), JobRunSpec::clone(&failed.spec), Some(id), now);
        next.spec = Arc::clone(&failed.spec);
        if let Origin::Workflow { run, node } = next.spec.origin
            && let Some(workflow_run) = self.runs.get_mut(&run)
        {
            workflow_run.take_in(&next, node, out);
            self.work.touched.insert(run);
        }
        out.effects.push(Effect::Enqueue(next.id));
        out.changes.job_runs.insert(failed.id, failed);
        out.changes.job_runs.insert(next.id, next.clone());
        self.job_runs.insert(next.id, next);
    }

    /// Gives up the retry of a failed job run: it has failed for good.
    pub(super) fn give_up_retry(&mut self, now: Timestamp, id: JobRunId, out: &mut Output) {
        let Some(mut failed) = self.job_runs.remove(&id) else {
            return;
        };
        self.timers.clear(failed.retry_at.take(), Timer::Retry(id));
        out.changes.job_runs.insert(id, failed.clone());
        self.conclude(now, &failed, true, out);
    }

    /// An activation has ended for good: its slot is free, and whoever watches it is told.
    fn conclude(&mut self, now: Timestamp, run: &JobRun, had_slot: bool, out: &mut Output) {
        match run.spec.origin {
            Origin::Workflow { run: id, .. } => {
                if let Some(workflow_run) = self.runs.get_mut(&id) {
                    workflow_run.active -= 1;
                }
                self.work.touched.insert(id);
            }
            Origin::Chain(id) => {
                if let Some(chain) = self.chains.get_mut(&id) {
                    chain.active -= 1;
                }
            }
            Origin::Call => {}
        }
        self.work.ended.extend(run.ended());
        if had_slot && let Some(plan) = &run.spec.plan {
            let is_leaked = is_planted(Bug::LeakedSlot) && run.state == JobRunState::Failed;
            if let Some(slots) = self.slots.get_mut(&plan.uid).filter(|_| !is_leaked) {
                slots.taken -= 1;
            }
            self.fill_slots(now, &plan.name, &plan.uid, out);
        }
    }

    fn may_retry(&self, run: &JobRun) -> bool {
        let is_allowed = match run.spec.origin {
            Origin::Workflow { run: id, .. } => self
                .runs
                .get(&id)
                .is_some_and(|run| run.record.status == RunStatus::Running),
            Origin::Call | Origin::Chain(_) => true,
        };
        let retries =
            run.spec.plan.as_ref().map_or(0, |plan| plan.max_retries) + u32::from(is_planted(Bug::RetryOffByOne));
        run.state == JobRunState::Failed && is_allowed && run.id.attempt() < retries
    }

    fn has_free_slot(&self, plan: &JobPlan) -> bool {
        // The limit is that of the job as it is now, though a run may have been started of an earlier plan.
        let limit = self.limit_of(&plan.name, &plan.uid);
        self.slots
            .get(&plan.uid)
            .is_none_or(|slots| slots.waiting.is_empty() && slots.taken < limit)
            && limit > 0
    }

    /// How many runs of a job may hold a slot; none of a job that was deleted.
    fn limit_of(&self, name: &str, uid: &str) -> u32 {
        self.jobs
            .get(name)
            .filter(|plan| plan.uid == uid)
            .map_or(0, |plan| plan.max_concurrent_runs)
    }

    /// Starts the runs that wait for a slot of a job, as far as there are free ones.
    pub(super) fn fill_slots(&mut self, now: Timestamp, name: &str, uid: &str, out: &mut Output) {
        let limit = self.limit_of(name, uid);
        while let Some(slots) = self.slots.get_mut(uid)
            && slots.taken < limit
            && let Some(id) = slots.waiting.pop_front()
        {
            slots.taken += 1;
            let Some(mut run) = self.job_runs.remove(&id) else {
                continue;
            };
            self.recount(&run, Some(run.state), Some(JobRunState::Starting));
            run.state = JobRunState::Starting;
            run.state_detail = None;
            run.modified_at = now;
            self.tell(
                now,
                &run,
                EventKind::JobRunChanged {
                    job_run: id,
                    state: run.state,
                },
                out,
            );
            out.effects.push(Effect::Enqueue(id));
            out.changes.job_runs.insert(id, run.clone());
            self.job_runs.insert(id, run);
        }
        if self
            .slots
            .get(uid)
            .is_some_and(|slots| slots.taken == 0 && slots.waiting.is_empty())
        {
            self.slots.remove(uid);
        }
    }

    /// Moves a job run from one count of its workflow run's statistics to another.
    pub(super) fn recount(&mut self, run: &JobRun, from: Option<JobRunState>, to: Option<JobRunState>) {
        let Some(workflow_run) = run.spec.workflow_run().and_then(|id| self.runs.get_mut(&id)) else {
            return;
        };
        if let Some(from) = from {
            *workflow_run.record.statistics.count_job(from) -= 1;
        }
        if let Some(to) = to {
            *workflow_run.record.statistics.count_job(to) += 1;
        }
    }

    /// Tells what happened to a job run in the history of its workflow run.
    pub(super) fn tell(&mut self, now: Timestamp, run: &JobRun, kind: EventKind, out: &mut Output) {
        if let Some(id) = run.spec.workflow_run() {
            if let Some(workflow_run) = self.runs.get_mut(&id) {
                workflow_run.tell(now, kind, out);
            }
            self.work.touched.insert(id);
        }
    }
}

impl WorkflowRun {
    /// Takes a new job run into its node and the history.
    fn take_in(&mut self, run: &JobRun, node: usize, out: &mut Output) {
        self.nodes[node].job_runs.push(run.id);
        if run.id.attempt() == 0 {
            *self.record.statistics.count_job(run.state) += 1;
        }
        let trigger = run.spec.trigger_name.clone();
        let kind = EventKind::JobRunCreated {
            node,
            job_run: run.id,
            trigger,
            state: run.state,
        };
        self.tell(run.started_at, kind, out);
    }
}

impl JobRun {
    fn new(id: JobRunId, spec: JobRunSpec, previous: Option<JobRunId>, now: Timestamp) -> Self {
        Self {
            id,
            spec: Arc::new(spec),
            previous,
            state: JobRunState::Starting,
            state_detail: None,
            error: None,
            started_at: now,
            modified_at: now,
            completed_at: None,
            running_since: None,
            token: 0,
            lease: None,
            ending: None,
            retry_at: None,
            delayed: false,
        }
    }

    fn end(&mut self, now: Timestamp, state: JobRunState, error: Option<String>) {
        self.state = state;
        self.error = error;
        self.modified_at = now;
        self.completed_at = Some(now.max(self.started_at));
    }

    fn ended(&self) -> Option<Ended> {
        let (end, job_run) = (EndState::Job(self.state), Some(self.id));
        match self.spec.origin {
            Origin::Workflow { run, node } => Some(Ended::Node(NodeEnd {
                run,
                node,
                end,
                job_run,
            })),
            Origin::Chain(chain) => Some(Ended::Link(LinkEnd {
                chain,
                component: Component::Job(self.spec.job_name.clone()),
                end,
                job_run,
            })),
            Origin::Call => None,
        }
    }

    /// Whether it waits for a worker.
    pub(super) fn waits_for_worker(&self) -> bool {
        self.state == JobRunState::Starting && self.lease.is_none()
    }
}

impl Settings {
    /// These settings, with those laid over them that are set.
    fn overridden_by(&self, over: Self) -> Self {
        let base = self.clone();
        Self {
            timeout_minutes: over.timeout_minutes.or(base.timeout_minutes),
            notify_delay_minutes: over.notify_delay_minutes.or(base.notify_delay_minutes),
            queuing: over.queuing.or(base.queuing),
            allocated_capacity: over.allocated_capacity.or(base.allocated_capacity),
            max_capacity: over.max_capacity.or(base.max_capacity),
            worker_type: over.worker_type.or(base.worker_type),
            number_of_workers: over.number_of_workers.or(base.number_of_workers),
            security_configuration: over.security_configuration.or(base.security_configuration),
            glue_version: over.glue_version.or(base.glue_version),
            execution_class: over.execution_class.or(base.execution_class),
            job_mode: over.job_mode.or(base.job_mode),
            maintenance_window: over.maintenance_window.or(base.maintenance_window),
            execution_role_session_policy: over
                .execution_role_session_policy
                .or(base.execution_role_session_policy),
        }
    }
}

fn settings_of(action: &Action) -> Settings {
    Settings {
        timeout_minutes: action.timeout_minutes,
        notify_delay_minutes: action.notify_delay_minutes,
        security_configuration: action.security_configuration.clone(),
        ..Settings::default()
    }
}
