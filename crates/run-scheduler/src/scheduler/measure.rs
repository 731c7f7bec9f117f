//! What operators see of the queue and the workers: figures that are at hand, so that telling them costs nothing.

use metrics::gauge;

use super::Scheduler;
use crate::store::Store;

impl<S: Store> Scheduler<S> {
    /// Tells how long the queue is, since when its oldest task waits, and what the workers have.
    pub(super) fn measure(&self) {
        gauge!("treenail_queue_depth").set(number(self.pool.waiting() as u64));
        let oldest = self.pool.oldest().and_then(|job_run| {
            let run = self.shard_of(*job_run)?.job_run(*job_run)?;
            Some(run.modified_at.as_millis())
        });
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have room")]
        let oldest_seconds = oldest.map_or(0.0, |millis| millis as f64 / 1_000.0);
        // A point in time: how long ago it was is for whoever reads it to say. 0 when nothing waits.
        gauge!("treenail_queue_oldest_timestamp_seconds").set(oldest_seconds);
        gauge!("treenail_worker_slots_held").set(number(self.holders.len() as u64));
        gauge!("treenail_worker_slots_free").set(number(self.pool.free_slots()));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of tasks has room")]
fn number(count: u64) -> f64 {
    count as f64
}
