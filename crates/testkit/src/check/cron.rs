//! A schedule starts one run a tick.

use std::collections::BTreeMap;

use super::{Evidence, Violation, ensure, id};
use crate::client::TAG;

/// No tick of a schedule started two runs, and none started one that was not due.
///
/// Schedules of simulations tick every minute, so the runs that no client started have minutes of their own. One that is
/// late, after a crash, is started in the minute of a later tick at the earliest when that tick is missed: of several
/// missed ticks one counts.
pub(super) fn each_tick_starts_one_run(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let mut ticks: BTreeMap<(&str, i64), Vec<&str>> = BTreeMap::new();
    for run in &evidence.end.runs {
        let by_schedule = run.previous_run_id.is_none() && !run.workflow_run_properties.contains_key(TAG);
        if let (true, Some(started)) = (by_schedule, run.started_on.as_ref()) {
            ticks
                .entry((run.name(), started.seconds.div_euclid(60)))
                .or_default()
                .push(id(run));
        }
    }
    for ((workflow, minute), runs) in ticks {
        ensure(runs.len() == 1, || {
            format!("the schedule of {workflow} started {runs:?} in the minute {minute}")
        })?;
    }
    Ok(())
}
