//! How long to wait before the next attempt to connect.

use std::time::Duration;

use treenail_rpc::Entropy;

const PAUSE_MIN_MS: u64 = 100;
const PAUSE_MAX_MS: u64 = 5_000;

/// Pauses that double up to a cap, each with a jitter, so that a fleet of workers does not come back as one.
#[derive(Debug)]
pub(super) struct Backoff {
    entropy: Entropy,
    next_ms: u64,
}

impl Backoff {
    /// Starts with the shortest pause.
    pub(super) fn new(entropy: Entropy) -> Backoff {
        Backoff {
            entropy,
            next_ms: PAUSE_MIN_MS,
        }
    }

    /// The connection stood: the next pause is the shortest again.
    pub(super) fn reset(&mut self) {
        self.next_ms = PAUSE_MIN_MS;
    }

    /// How long to wait this time: between half of the pause and all of it.
    pub(super) fn pause(&mut self) -> Duration {
        let whole = self.next_ms;
        self.next_ms = (whole * 2).min(PAUSE_MAX_MS);
        let jitter = u64::from_be_bytes(self.entropy.bytes()) % (whole / 2 + 1);
        Duration::from_millis(whole - jitter)
    }
}

#[cfg(test)]
mod tests {
    use treenail_rpc::Entropy;

    use super::{Backoff, PAUSE_MAX_MS, PAUSE_MIN_MS};

    #[test]
    fn pauses_grow_to_the_cap_and_start_again() {
        let mut backoff = Backoff::new(Entropy::seeded(1));
        let mut whole = PAUSE_MIN_MS;
        for _ in 0..20 {
            let pause = u64::try_from(backoff.pause().as_millis()).unwrap();
            assert!((whole / 2..=whole).contains(&pause), "{pause} of {whole}");
            whole = (whole * 2).min(PAUSE_MAX_MS);
        }
        backoff.reset();
        assert!(backoff.pause().as_millis() <= u128::from(PAUSE_MIN_MS));
    }
}
