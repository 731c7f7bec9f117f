//! Schedules tick.

use super::{Shard, publish};
use crate::{
    Timestamp,
    glue::{
        history::Cause,
        output::{Output, ScheduleKey},
        timer::Timer,
    },
};
use treenail_planted::{Bug, is_planted};
use treenail_schedule::AwsCron;

impl Shard {
    /// Sets when a schedule ticks next, after its definition changed. One that did not change keeps its next tick.
    pub(super) fn reschedule(
        &mut self,
        now: Timestamp,
        before: Option<(ScheduleKey, AwsCron)>,
        after: Option<(ScheduleKey, &AwsCron)>,
        out: &mut Output,
    ) {
        if before.as_ref().map(|(key, cron)| (key, cron)) == after.as_ref().map(|(key, cron)| (key, *cron)) {
            return;
        }
        if let Some((key, _)) = before {
            let next_tick = self.next_tick_mut(&key).take();
            self.timers.clear(next_tick, Timer::Tick(key.clone()));
            out.changes.schedules.insert(key, None);
        }
        if let Some((key, cron)) = after {
            let next = cron.next_after(now);
            self.set_next_tick(key, next, out);
        }
    }

    /// A schedule's tick falls due: its work starts, unless the tick is too old. Of several missed ticks only the
    /// newest one counts, so a server that comes back never starts a storm of runs.
    pub(super) fn schedule_tick(&mut self, now: Timestamp, due: Timestamp, key: ScheduleKey, out: &mut Output) {
        let Some(cron) = self.active_cron(&key) else { return };
        let tick = newest_tick(&cron, due, now, self.policy.misfire_window_ms);
        *self.next_tick_mut(&key) = None;
        let next = cron.next_after(now);
        self.set_next_tick(key.clone(), next, out);
        if is_planted(Bug::DoubleCronTick) {
            out.changes.schedules.insert(key.clone(), Some(due));
        }
        let Some(tick) = tick else { return };
        match key {
            ScheduleKey::Workflow { workflow, .. } => self.start_unattended(now, &workflow, Cause::Schedule(tick), out),
            ScheduleKey::Trigger { trigger } => self.start_chain(now, &trigger, out),
        }
    }

    fn set_next_tick(&mut self, key: ScheduleKey, next: Option<Timestamp>, out: &mut Output) {
        *self.next_tick_mut(&key) = next;
        out.changes.schedules.insert(key.clone(), next);
        if let Some(next) = next {
            self.timers.set(next, Timer::Tick(key));
        }
    }

    fn active_cron(&self, key: &ScheduleKey) -> Option<AwsCron> {
        let schedule = match key {
            ScheduleKey::Workflow { workflow, .. } => {
                publish::schedule_of_workflow(&self.workflows.get(workflow)?.plan)
            }
            ScheduleKey::Trigger { trigger } => publish::schedule_of_trigger(&self.triggers.get(trigger)?.plan),
        };
        schedule
            .filter(|(active, _)| active == key)
            .map(|(_, cron)| cron.clone())
    }

    fn next_tick_mut(&mut self, key: &ScheduleKey) -> &mut Option<Timestamp> {
        match key {
            ScheduleKey::Workflow { workflow, .. } => {
                &mut self
                    .workflows
                    .get_mut(workflow)
                    .expect("a schedule has its workflow")
                    .next_tick
            }
            ScheduleKey::Trigger { trigger } => {
                &mut self
                    .triggers
                    .get_mut(trigger)
                    .expect("a schedule has its trigger")
                    .next_tick
            }
        }
    }
}

/// The newest tick from `due` to `now` that is not older than the window.
fn newest_tick(cron: &AwsCron, due: Timestamp, now: Timestamp, window_ms: i64) -> Option<Timestamp> {
    let oldest = now.plus_millis(-window_ms);
    let mut newest = (due >= oldest).then_some(due);
    // Starting at the window's edge bounds the search, however long the server was away.
    let mut after = due.max(oldest.plus_millis(-1));
    while let Some(tick) = cron.next_after(after).filter(|tick| *tick <= now) {
        newest = Some(tick);
        after = tick;
    }
    newest
}
