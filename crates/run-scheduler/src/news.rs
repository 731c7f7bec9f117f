//! Which workflow runs have changed: told once a change is durable, to whoever listens.

use tokio::sync::broadcast;

/// How much news a listener may lag behind before it is told only that it has missed some.
const NEWS_MAX: usize = 1_024;

/// Tells of workflow runs that have changed.
#[derive(Debug, Clone)]
pub(crate) struct News(broadcast::Sender<String>);

impl News {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(NEWS_MAX))
    }

    /// Whether anybody listens.
    pub(crate) fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells that a run has changed.
    pub(crate) fn tell(&self, run_id: String) {
        // Whoever listened may have gone.
        let _gone = self.0.send(run_id);
    }

    /// Listens from now on.
    pub(crate) fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// Hears of runs that change.
#[derive(Debug)]
pub(crate) struct Listener(broadcast::Receiver<String>);

impl Listener {
    /// Waits until a run has changed, or may have; false when there will be no more news.
    pub(crate) async fn hears_of(&mut self, run_id: &str) -> bool {
        loop {
            match self.0.recv().await {
                Ok(changed) if changed == run_id => return true,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return true,
                Err(broadcast::error::RecvError::Closed) => return false,
            }
        }
    }
}
