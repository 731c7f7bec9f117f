//! What falls due later.

use std::collections::BTreeSet;

use super::output::ScheduleKey;
use crate::{Timestamp, ids::JobRunId};

/// Something that falls due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A tick of a schedule.
    Tick(ScheduleKey),
    /// The end of the window of a workflow's batch of events.
    Window(String),
    /// The next attempt of a failed job run.
    Retry(JobRunId),
    /// The timeout of a job run.
    Timeout(JobRunId),
    /// The delay after which a job run is reported.
    Delay(JobRunId),
}

/// All timers of a shard, by time. All of them follow from rows, so none is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Timers(BTreeSet<(Timestamp, Timer)>);

impl Timers {
    pub(super) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn clear(&mut self, at: Option<Timestamp>, timer: Timer) {
        if let Some(at) = at {
            self.0.remove(&(at, timer));
        }
    }

    /// When the next timer falls due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the next timer that is due.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        if self.next()? <= now { self.0.pop_first() } else { None }
    }
}
