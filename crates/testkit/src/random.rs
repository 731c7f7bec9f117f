//! The decisions of a simulation, all drawn from its seed.

use std::time::Duration;

use treenail_rpc::Entropy;

/// Draws decisions; clones draw from the same sequence.
#[derive(Debug, Clone)]
pub struct Random {
    entropy: Entropy,
}

impl Random {
    /// The decisions of a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Random {
        Random {
            entropy: Entropy::seeded(seed),
        }
    }

    /// A number below `bound`, which is not zero.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        u64::from_be_bytes(self.entropy.bytes()) % bound
    }

    /// Whether something happens that happens so many times in a thousand.
    #[must_use]
    pub fn happens(&self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A time up to so many milliseconds.
    #[must_use]
    pub fn up_to_ms(&self, most: u64) -> Duration {
        Duration::from_millis(self.below(most + 1))
    }

    /// One of several.
    #[must_use]
    pub fn one_of<'t, T>(&self, choices: &'t [T]) -> Option<&'t T> {
        let count = u64::try_from(choices.len()).ok().filter(|count| *count > 0)?;
        usize::try_from(self.below(count))
            .ok()
            .and_then(|index| choices.get(index))
    }

    /// A source of ids that follows from the seed as well.
    #[must_use]
    pub fn entropy(&self) -> Entropy {
        Entropy::seeded(self.below(u64::MAX))
    }
}
