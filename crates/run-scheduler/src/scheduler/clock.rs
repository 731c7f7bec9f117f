//! The manual clock is moved.

use tokio::sync::oneshot;
use treenail_engine::Timestamp;

use super::{Fatal, Scheduler};
use crate::store::Store;

/// How many times the clock stops on the way of one move; timers beyond fall due together at its end.
const STOPS_MAX: usize = 100_000;

impl<S: Store> Scheduler<S> {
    /// Moves the clock, and stops at every timer on the way, so that each falls due at its own time.
    pub(super) async fn set_clock(
        &mut self,
        to: Timestamp,
        reply: oneshot::Sender<oneshot::Receiver<()>>,
    ) -> Result<(), Fatal> {
        for _ in 0..STOPS_MAX {
            let Some(next) = self.next_timer().filter(|next| *next <= to) else {
                break;
            };
            self.context.clock.set(next);
            self.tick();
            self.flush().await?;
        }
        self.context.clock.set(to);
        self.tick();
        self.batch.changes.clock_ms = Some(self.context.clock.now().as_millis());
        self.flush().await?;
        self.context.sweeper.clone().sweep().await;
        // Whoever asked may have gone.
        let _gone = reply.send(self.seeds.arrival());
        Ok(())
    }
}
