//! Definitions come, change and go.

use std::{collections::VecDeque, sync::Arc};

use super::{Shard, StandaloneTrigger, Workflow};
use crate::{
    Timestamp,
    glue::{
        output::{Output, ScheduleKey},
        plan::{JobPlan, TriggerKind, TriggerPlan, WorkflowPlan},
        state::JobRunState,
        timer::Timer,
    },
};

impl Shard {
    pub(super) fn publish_workflow(&mut self, now: Timestamp, plan: &Arc<WorkflowPlan>, out: &mut Output) {
        if let Some(known) = self.workflows.get(&plan.name) {
            if known.plan.sequence >= plan.sequence {
                return;
            }
            if known.plan.uid != plan.uid {
                let uid = known.plan.uid.clone();
                self.delete_workflow(now, &plan.name, &uid, out);
            }
        }
        let name = plan.name.clone();
        let before = self.workflows.get(&name).map(|workflow| Arc::clone(&workflow.plan));
        let workflow = self.workflows.entry(name.clone()).or_insert_with(|| Workflow {
            plan: Arc::clone(plan),
            running: 0,
            batch: None,
            next_tick: None,
        });
        workflow.plan = Arc::clone(plan);

        let before = before.as_deref().and_then(schedule_of_workflow);
        let after = schedule_of_workflow(plan);
        self.reschedule(now, before.map(|(key, cron)| (key, cron.clone())), after, out);
        self.close_full_batch(now, &name, out);
    }

    pub(super) fn publish_trigger(&mut self, now: Timestamp, plan: &Arc<TriggerPlan>, out: &mut Output) {
        if self
            .triggers
            .get(&plan.name)
            .is_some_and(|known| known.plan.sequence >= plan.sequence)
        {
            return;
        }
        let before = self.triggers.get(&plan.name).map(|trigger| Arc::clone(&trigger.plan));
        if let Some(before) = &before {
            self.unwatch(before);
        }
        self.watch(plan);
        match self.triggers.get_mut(&plan.name) {
            Some(trigger) => trigger.plan = Arc::clone(plan),
            None => {
                let trigger = StandaloneTrigger {
                    plan: Arc::clone(plan),
                    next_tick: None,
                };
                self.triggers.insert(plan.name.clone(), trigger);
            }
        }
        let before = before.as_deref().and_then(schedule_of_trigger);
        self.reschedule(
            now,
            before.map(|(key, cron)| (key, cron.clone())),
            schedule_of_trigger(plan),
            out,
        );
    }

    pub(super) fn publish_job(&mut self, now: Timestamp, plan: &Arc<JobPlan>, out: &mut Output) {
        if self
            .jobs
            .get(&plan.name)
            .is_some_and(|known| known.sequence >= plan.sequence)
        {
            return;
        }
        self.jobs.insert(plan.name.clone(), Arc::clone(plan));
        // A higher limit frees slots for the runs that wait.
        self.fill_slots(now, &plan.name, &plan.uid, out);
    }

    pub(super) fn delete_workflow(&mut self, now: Timestamp, name: &str, uid: &str, out: &mut Output) {
        if self.workflows.get(name).is_none_or(|workflow| workflow.plan.uid != uid) {
            return;
        }
        let runs: Vec<_> = self
            .runs
            .values()
            .filter(|run| run.plan.uid == uid)
            .map(|run| run.record.id)
            .collect();
        for run in runs {
            // A run that is STOPPING already goes on stopping.
            self.request_stop(now, run, out);
        }
        let workflow = self.workflows.remove(name).expect("looked up above");
        if let Some((key, _)) = schedule_of_workflow(&workflow.plan) {
            self.timers.clear(workflow.next_tick, Timer::Tick(key.clone()));
            out.changes.schedules.insert(key, None);
        }
        if let Some(batch) = workflow.batch {
            self.timers.clear(Some(batch.closes_at), Timer::Window(name.to_owned()));
            out.changes.batches.insert(name.to_owned(), None);
        }
    }

    pub(super) fn delete_trigger(&mut self, name: &str, uid: &str, out: &mut Output) {
        if self.triggers.get(name).is_none_or(|trigger| trigger.plan.uid != uid) {
            return;
        }
        let trigger = self.triggers.remove(name).expect("looked up above");
        self.unwatch(&trigger.plan);
        if let Some((key, _)) = schedule_of_trigger(&trigger.plan) {
            self.timers.clear(trigger.next_tick, Timer::Tick(key.clone()));
            out.changes.schedules.insert(key, None);
        }
    }

    pub(super) fn delete_job(&mut self, now: Timestamp, name: &str, uid: &str, out: &mut Output) {
        if self.jobs.get(name).is_none_or(|plan| plan.uid != uid) {
            return;
        }
        self.jobs.remove(name);
        let waiting: VecDeque<_> = self
            .slots
            .get_mut(uid)
            .map(|slots| std::mem::take(&mut slots.waiting))
            .unwrap_or_default();
        for job_run in waiting {
            self.end_job_run(
                now,
                job_run,
                JobRunState::Error,
                Some(format!("Job {name} was deleted while the run waited")),
                out,
            );
        }
    }

    fn watch(&mut self, plan: &TriggerPlan) {
        for component in plan.shape().watches {
            self.watchers.entry(component).or_default().insert(plan.name.clone());
        }
    }

    fn unwatch(&mut self, plan: &TriggerPlan) {
        for component in plan.shape().watches {
            if let Some(names) = self.watchers.get_mut(&component) {
                names.remove(&plan.name);
                if names.is_empty() {
                    self.watchers.remove(&component);
                }
            }
        }
    }
}

/// The schedule that starts a workflow: only an ACTIVATED trigger has one.
pub(super) fn schedule_of_workflow(plan: &WorkflowPlan) -> Option<(ScheduleKey, &treenail_schedule::AwsCron)> {
    let trigger = &plan.triggers[plan.start_trigger()?];
    let key = ScheduleKey::Workflow {
        workflow: plan.name.clone(),
        trigger: trigger.name.clone(),
    };
    Some((key, active_cron(trigger)?))
}

/// The schedule of a trigger outside workflows: only an ACTIVATED trigger has one.
pub(super) fn schedule_of_trigger(plan: &TriggerPlan) -> Option<(ScheduleKey, &treenail_schedule::AwsCron)> {
    Some((
        ScheduleKey::Trigger {
            trigger: plan.name.clone(),
        },
        active_cron(plan)?,
    ))
}

fn active_cron(trigger: &TriggerPlan) -> Option<&treenail_schedule::AwsCron> {
    match &trigger.kind {
        TriggerKind::Scheduled(cron) if trigger.activated => Some(cron),
        TriggerKind::Scheduled(_) | TriggerKind::OnDemand | TriggerKind::Conditional(_) | TriggerKind::Event(_) => None,
    }
}
