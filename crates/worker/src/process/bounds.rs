//! How much a job's processes may have together, and the watch over it.

use std::time::Duration;

use rustix::process::Pid;
use tokio::time::{MissedTickBehavior, interval};

use super::tree;

/// How often a job's processes are looked at.
///
/// A limit of the kernel's per process would be exact, but `RLIMIT_AS` counts what Java only reserves, and none of them
/// counts a job's processes together; control groups do, where they are delegated, which they are on few machines.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How much a job's processes may have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// How many processes.
    pub(crate) processes: usize,
}

/// What a job had too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// More bytes of memory than these.
    Memory(u64),
    /// More processes than these.
    Processes(usize),
}

impl Bounds {
    /// Completes when a process and its descendants have more than they may.
    pub(super) async fn breached_by(self, leader: Option<Pid>) -> Breach {
        let Some(leader) = leader else {
            return std::future::pending().await;
        };
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A process that has only just started has little.
        looks.tick().await;
        loop {
            looks.tick().await;
            let tree = tree::of(leader);
            if tree.len() > self.processes {
                return Breach::Processes(self.processes);
            }
            // The exact figure is asked for only when the cheap one, which is never less, says that it may be too much.
            if tree::resident_bytes(&tree) > self.memory && tree::proportional_bytes(&tree) > self.memory {
                return Breach::Memory(self.memory);
            }
        }
    }
}
