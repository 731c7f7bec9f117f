//! The only source of randomness: the operating system's, or a seed's.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const BLOCK_BYTES: usize = 32;

/// Makes ids and jitter; clones share one sequence.
///
/// The sequence is SHA-256 over the seed and a counter: who knows the ids cannot tell the seed or the next id, and who
/// knows the seed gets every id again.
#[derive(Clone)]
pub struct Entropy {
    sequence: Arc<Sequence>,
}

struct Sequence {
    seed: [u8; BLOCK_BYTES],
    next_block: AtomicU64,
}

impl Entropy {
    /// Randomness that nobody can foresee.
    ///
    /// # Errors
    /// [`EntropyUnavailable`] when the operating system has none, which happens in broken sandboxes only.
    pub fn try_os() -> Result<Entropy, EntropyUnavailable> {
        let mut seed = [0; BLOCK_BYTES];
        getrandom::fill(&mut seed).map_err(EntropyUnavailable)?;
        Ok(Entropy::from_seed(seed))
    }

    /// Randomness that nobody can foresee.
    ///
    /// # Panics
    /// When the operating system has none: without it no id would be unique, so nothing may start.
    #[must_use]
    pub fn os() -> Entropy {
        Entropy::try_os().expect("every operating system that we run on has randomness")
    }

    /// The sequence of a seed, the same in every process: for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Entropy {
        Entropy::from_seed(Sha256::digest(seed.to_be_bytes()).into())
    }

    /// The next bytes of the sequence.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let blocks = u64::try_from(N.div_ceil(BLOCK_BYTES)).expect("an array has fewer than 2^64 blocks");
        let first = self.sequence.next_block.fetch_add(blocks, Ordering::Relaxed);
        let mut bytes = [0; N];
        for (block, chunk) in (first..).zip(bytes.chunks_mut(BLOCK_BYTES)) {
            chunk.copy_from_slice(&self.sequence.block(block)[..chunk.len()]);
        }
        bytes
    }

    /// The next UUID of the sequence, in the form of version 4.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    fn from_seed(seed: [u8; BLOCK_BYTES]) -> Entropy {
        Entropy {
            sequence: Arc::new(Sequence {
                seed,
                next_block: AtomicU64::new(0),
            }),
        }
    }
}

impl Sequence {
    fn block(&self, number: u64) -> [u8; BLOCK_BYTES] {
        Sha256::new()
            .chain_update(self.seed)
            .chain_update(number.to_be_bytes())
            .finalize()
            .into()
    }
}

/// Hides the seed, from which all ids follow.
impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct EntropyUnavailable(getrandom::Error);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Entropy;

    #[test]
    fn one_seed_gives_one_sequence() {
        let (one, same, other) = (Entropy::seeded(7), Entropy::seeded(7), Entropy::seeded(8));
        for _ in 0..10 {
            let bytes = one.bytes::<32>();
            assert_eq!(bytes, same.bytes());
            assert_ne!(bytes, other.bytes());
        }
    }

    #[test]
    fn the_first_id_of_seed_seven_never_changes() {
        assert_eq!(
            Entropy::seeded(7).uuid().to_string(),
            "8d8d3d73-a348-4e79-a68a-6d79efc59027"
        );
    }

    #[test]
    fn clones_share_one_sequence() {
        let entropy = Entropy::seeded(1);
        let clone = entropy.clone();
        let ids: BTreeSet<_> = (0..1_000)
            .map(|turn| if turn % 2 == 0 { entropy.uuid() } else { clone.uuid() })
            .collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn long_and_odd_lengths_are_filled() {
        let bytes = Entropy::seeded(1).bytes::<70>();
        assert!(bytes.windows(6).all(|window| window != [0; 6]));
        assert_eq!(Entropy::seeded(1).bytes::<0>(), [0; 0]);
    }

    #[test]
    fn a_uuid_has_the_form_of_version_4() {
        assert_eq!(Entropy::os().uuid().get_version_num(), 4);
    }

    #[test]
    fn the_seed_is_not_printed() {
        assert_eq!(format!("{:?}", Entropy::seeded(1)), "Entropy { .. }");
    }
}
