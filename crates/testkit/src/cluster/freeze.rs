//! A process that is stopped in the middle of whatever it does, and goes on later as if no time had passed.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// Freezes and thaws a process; clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Freezer {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_frozen: bool,
    waker: Option<Waker>,
}

impl Freezer {
    /// Lets nothing of the process happen from now on.
    pub(super) fn freeze(&self) {
        self.state().is_frozen = true;
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        let mut state = self.state();
        state.is_frozen = false;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// A process that freezes.
    pub(super) fn freezing<T, P: Future<Output = T> + Send>(
        &self,
        process: P,
    ) -> impl Future<Output = T> + Send + use<T, P> {
        let freezer = self.clone();
        async move {
            let mut process = pin!(process);
            poll_fn(|context| {
                {
                    let mut state = freezer.state();
                    if state.is_frozen {
                        state.waker = Some(context.waker().clone());
                        return Poll::Pending;
                    }
                }
                process.as_mut().poll(context)
            })
            .await
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
