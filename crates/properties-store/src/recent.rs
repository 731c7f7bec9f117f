//! The calls that were done last: an SDK repeats a call of which it heard nothing, and the first one may arrive late.

use sha2::{Digest as _, Sha256};
use treenail_planted::{Bug, is_planted};

/// How many calls of a run are remembered.
const REMEMBERED_MAX: usize = 64;
/// How many bytes a fingerprint has.
const BYTES: usize = 8;

/// Tells a call from others: the same for all repetitions of one SDK call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// The fingerprint of an `amz-sdk-invocation-id`.
    #[must_use]
    pub fn of(invocation: &str) -> Fingerprint {
        let digest = Sha256::digest(invocation.as_bytes());
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&digest[..BYTES]);
        Fingerprint(bytes)
    }
}

/// The calls that were done last, oldest first, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recent(Vec<u8>);

impl Recent {
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Recent {
        Recent(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn contains(&self, call: Fingerprint) -> bool {
        !is_planted(Bug::LateRepetition) && self.0.chunks_exact(BYTES).any(|known| known == call.0)
    }

    pub(crate) fn remember(&mut self, call: Fingerprint) {
        let most = (REMEMBERED_MAX - 1) * BYTES;
        if self.0.len() > most {
            self.0.drain(..self.0.len() - most);
        }
        self.0.extend_from_slice(&call.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_calls_are_known_and_older_ones_forgotten() {
        let mut recent = Recent::default();
        for number in 0..100 {
            recent.remember(Fingerprint::of(&number.to_string()));
        }
        for number in 0..100 {
            let is_known = recent.contains(Fingerprint::of(&number.to_string()));
            assert_eq!(is_known, number >= 100 - REMEMBERED_MAX, "call {number}");
        }
        assert_eq!(recent.as_bytes().len(), REMEMBERED_MAX * BYTES);
    }
}
