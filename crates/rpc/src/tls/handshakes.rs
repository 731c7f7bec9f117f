//! The connections that agree on keys: a bounded number, in which whoever stalls gives way to whoever comes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::limits::HANDSHAKES_MAX;

/// The handshakes of a port that are under way. Strangers that begin some and go no further cannot keep others out, nor have
/// the server hold more than so much of theirs: a new one takes the place of the oldest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshakes(Arc<Mutex<Places>>);

#[derive(Debug, Default)]
struct Places {
    next: u64,
    taken: BTreeMap<u64, CancellationToken>,
}

/// A handshake's place; it is free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    handshakes: Handshakes,
    number: u64,
    is_lost: CancellationToken,
}

impl Handshakes {
    /// A place for one more, which may be the oldest one's.
    pub(crate) fn begin(&self) -> Place {
        let is_lost = CancellationToken::new();
        let mut places = self.lock();
        let number = places.next;
        places.next += 1;
        places.taken.insert(number, is_lost.clone());
        if places.taken.len() > HANDSHAKES_MAX
            && let Some((_, oldest)) = places.taken.pop_first()
        {
            oldest.cancel();
        }
        Place {
            handshakes: self.clone(),
            number,
            is_lost,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // Nothing in here is ever half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Completes when another one has taken this place.
    pub(crate) async fn lost(&self) {
        self.is_lost.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.handshakes.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_and_whoever_is_done_frees_a_place() {
        let handshakes = Handshakes::default();
        let mut places: Vec<Place> = (0..HANDSHAKES_MAX).map(|_| handshakes.begin()).collect();
        let lost = |places: &[Place]| places.iter().filter(|place| place.is_lost.is_cancelled()).count();
        assert_eq!(lost(&places), 0);
        places.push(handshakes.begin());
        assert!(places[0].is_lost.is_cancelled());
        assert_eq!(lost(&places), 1);
        // One that is done makes room; one that has lost its place has none to make.
        places.pop();
        places.push(handshakes.begin());
        places.remove(0);
        assert_eq!(lost(&places), 0);
        places.push(handshakes.begin());
        assert!(places[0].is_lost.is_cancelled());
        assert_eq!(handshakes.lock().taken.len(), HANDSHAKES_MAX);
    }
}
