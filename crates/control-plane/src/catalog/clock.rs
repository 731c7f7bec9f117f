//! The clock that is moved by hand, for tests.

use treenail_rpc::Caller;
use treenail_schedule::Timestamp;

use super::Catalog;
use crate::{error::Error, store::Store};

impl<S: Store> Catalog<S> {
    /// Moves the clock of a server that was started with `--clock manual`, and answers what time it is then.
    ///
    /// The run-scheduler goes first: it fires what falls due on the way, each at its own time, and may share this
    /// clock. If it went only half the way, the next step begins where it stands.
    pub(crate) async fn advance_clock(&self, caller: &Caller, milliseconds: i64) -> Result<Timestamp, Error> {
        if !self.clock.is_manual() {
            return Err(Error::invalid(
                "The clock can be moved only when the server was started with a manual clock",
            ));
        }
        let now = self.now(caller).await?.plus_millis(milliseconds);
        self.outbox.wait_for_all().await;
        self.scheduler.set_clock(caller, now).await.map_err(Error::Scheduler)?;
        self.clock.set(now);
        Ok(self.clock.now())
    }

    /// What time it is for the server. A manual clock of another process may be ahead, and then this one follows it, so
    /// that a step begins where the time that was told stands.
    pub(crate) async fn now(&self, caller: &Caller) -> Result<Timestamp, Error> {
        if self.clock.is_manual() {
            let scheduler = self.scheduler.now(caller).await.map_err(Error::Scheduler)?;
            self.clock.set(scheduler);
        }
        Ok(self.clock.now())
    }
}
