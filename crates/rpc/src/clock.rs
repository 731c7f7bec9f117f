//! The only clock: the machine's, or one that is moved by hand.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::watch, time::Instant};
use treenail_schedule::Timestamp;

/// How long a sleeper on the system clock trusts its timer before it looks again: the machine may have been suspended,
/// or its wall clock set forward.
const RECHECK: Duration = Duration::from_secs(1);

/// Tells the time to everything in a process; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System(Arc<SystemTimeline>),
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// The machine's clock, in milliseconds.
    ///
    /// Never goes back within the process: it runs on the monotonic clock and follows the wall clock only forward.
    /// Under tokio's paused time it advances with that.
    #[must_use]
    pub fn system() -> Clock {
        Clock {
            source: Source::System(Arc::new(SystemTimeline::start(WallClock(Box::new(wall_ms))))),
        }
    }

    /// A clock that follows a wall clock, which tells the milliseconds since the Unix epoch, as [`Clock::system`] follows
    /// the machine's: for simulations, in which wall clocks are stepped.
    #[must_use]
    pub fn following(wall_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        Clock {
            source: Source::System(Arc::new(SystemTimeline::start(WallClock(Box::new(wall_ms))))),
        }
    }

    /// A clock that stands at `start` until it is [`set`](Clock::set).
    #[must_use]
    pub fn manual(start: Timestamp) -> Clock {
        Clock {
            source: Source::Manual(Arc::new(watch::Sender::new(start))),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System(timeline) => timeline.now(),
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// Whether the clock is moved by hand.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        match &self.source {
            Source::System(_) => false,
            Source::Manual(_) => true,
        }
    }

    /// Moves a manual clock and wakes whoever waited for that time.
    ///
    /// Answers whether the clock moved: a time that has passed changes nothing, and a system clock is never moved.
    pub fn set(&self, now: Timestamp) -> bool {
        match &self.source {
            Source::System(_) => false,
            Source::Manual(current) => current.send_if_modified(|current| {
                let moves = now > *current;
                *current = now.max(*current);
                moves
            }),
        }
    }

    /// Waits until it is that time; returns at once when it has passed.
    pub async fn wait_until(&self, time: Timestamp) {
        match &self.source {
            Source::System(timeline) => timeline.wait_until(time).await,
            Source::Manual(now) => {
                let reached = now.subscribe().wait_for(|now| *now >= time).await.is_ok();
                debug_assert!(reached, "the sender lives as long as this clock");
            }
        }
    }
}

/// The wall clock as it was when it ran ahead the most, carried on by the monotonic clock.
#[derive(Debug)]
struct SystemTimeline {
    start: Instant,
    wall: WallClock,
    /// The wall time at `start`, in milliseconds since the epoch: the latest of all readings.
    wall_at_start_ms: AtomicI64,
}

/// Tells the wall time in milliseconds since the epoch.
struct WallClock(Box<dyn Fn() -> i64 + Send + Sync>);

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WallClock").finish_non_exhaustive()
    }
}

impl SystemTimeline {
    fn start(wall: WallClock) -> SystemTimeline {
        SystemTimeline {
            start: Instant::now(),
            wall_at_start_ms: AtomicI64::new(wall.0()),
            wall,
        }
    }

    fn now(&self) -> Timestamp {
        self.reading(self.wall.0(), millis(self.start.elapsed()))
    }

    /// The time when the wall clock says `wall_ms` and `elapsed_ms` have passed since the start.
    fn reading(&self, wall_ms: i64, elapsed_ms: i64) -> Timestamp {
        let wall_at_start_ms = wall_ms.saturating_sub(elapsed_ms);
        let latest_ms = self
            .wall_at_start_ms
            .fetch_max(wall_at_start_ms, Ordering::AcqRel)
            .max(wall_at_start_ms);
        Timestamp::from_millis(latest_ms).plus_millis(elapsed_ms)
    }

    async fn wait_until(&self, time: Timestamp) {
        loop {
            let missing_ms = time.as_millis().saturating_sub(self.now().as_millis());
            let Ok(missing_ms @ 1..) = u64::try_from(missing_ms) else {
                return;
            };
            tokio::time::sleep(Duration::from_millis(missing_ms).min(RECHECK)).await;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the machine's wall clock"
)]
fn wall_ms() -> i64 {
    // A machine that believes to be before 1970 is at the epoch until its clock is set.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use treenail_schedule::Timestamp;

    use super::{Clock, SystemTimeline, WallClock};

    #[test]
    fn the_system_clock_follows_the_wall_clock_forward_and_never_back() {
        let timeline = SystemTimeline::start(WallClock(Box::new(|| 1_000)));
        // Wall clock, elapsed since the start, what the clock says.
        let rows = [
            (1_000, 0, 1_000),
            (1_010, 10, 1_010),
            // The wall clock is set back by nearly a second: time goes on from where it was.
            (100, 20, 1_020),
            (110, 30, 1_030),
            // The machine was suspended for an hour: the monotonic clock did not see it, the wall clock did.
            (3_601_040, 40, 3_601_040),
            (3_601_030, 50, 3_601_050),
        ];
        for (wall_ms, elapsed_ms, now_ms) in rows {
            assert_eq!(timeline.reading(wall_ms, elapsed_ms), Timestamp::from_millis(now_ms));
        }
    }

    #[test]
    fn a_manual_clock_is_never_set_back() {
        let clock = Clock::manual(Timestamp::from_millis(100));
        assert!(clock.is_manual());
        assert!(clock.set(Timestamp::from_millis(200)));
        assert!(!clock.set(Timestamp::from_millis(150)));
        assert!(!clock.set(Timestamp::from_millis(200)));
        assert_eq!(clock.now(), Timestamp::from_millis(200));
    }

    #[test]
    fn a_system_clock_cannot_be_set() {
        let clock = Clock::system();
        let before = clock.now();
        assert!(!clock.set(before.plus_millis(1_000_000)));
        assert!(!clock.is_manual());
        assert!(clock.now() < before.plus_millis(1_000_000));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_manual_clock_wakes_when_it_gets_there() {
        let clock = Clock::manual(Timestamp::from_millis(0));
        let waits = clock.clone();
        let waiting = tokio::spawn(async move {
            waits.wait_until(Timestamp::from_millis(1_000)).await;
            waits.now()
        });
        clock.set(Timestamp::from_millis(999));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        clock.set(Timestamp::from_millis(1_000));
        assert_eq!(waiting.await.unwrap(), Timestamp::from_millis(1_000));
    }

    #[tokio::test]
    async fn waiting_for_the_past_is_no_wait() {
        let now = Timestamp::from_millis(1_000);
        Clock::manual(now).wait_until(now).await;
        let clock = Clock::system();
        clock.wait_until(clock.now()).await;
        clock.wait_until(Timestamp::from_millis(i64::MIN)).await;
    }

    #[tokio::test]
    async fn waiting_for_the_system_clock_ends_at_that_time() {
        let clock = Clock::system();
        let time = clock.now().plus_millis(20);
        clock.wait_until(time).await;
        assert!(clock.now() >= time);
    }
}
