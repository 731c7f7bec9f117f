//! What an operator may choose.

use serde::Deserialize;
use treenail_engine::glue::Policy;

/// The run-scheduler's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a worker's lease lasts without a heartbeat, in milliseconds.
    pub lease_ms: u32,
    /// How long after a failed attempt the next one starts, in milliseconds.
    pub retry_delay_ms: u32,
    /// How late a tick of a schedule may still start its work, in milliseconds.
    pub misfire_window_ms: u32,
    /// How many days ended runs are kept.
    pub retention_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease_ms: 15_000,
            retry_delay_ms: 1_000,
            misfire_window_ms: 15 * 60_000,
            retention_days: 90,
        }
    }
}

impl Config {
    /// How often a worker sends a heartbeat, in milliseconds.
    #[must_use]
    pub fn heartbeat_ms(&self) -> u32 {
        (self.lease_ms / 3).max(1)
    }

    /// How long ended runs are kept, in milliseconds.
    #[must_use]
    pub fn retention_ms(&self) -> i64 {
        i64::from(self.retention_days) * 24 * 60 * 60 * 1000
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            retry_delay_ms: i64::from(self.retry_delay_ms),
            misfire_window_ms: i64::from(self.misfire_window_ms),
        }
    }
}
