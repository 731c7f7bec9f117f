//! A process of the simulation: it runs, crashes, and comes back as another incarnation over the same disk.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use treenail_rpc::Channel;

/// One process; clones are the same one.
#[derive(Debug, Clone)]
pub struct Node {
    name: &'static str,
    incarnation: Arc<Mutex<Option<Running>>>,
    has_panicked: Arc<AtomicBool>,
}

/// What a running process is to those who call it.
#[derive(Debug, Clone)]
pub struct Incarnation {
    /// Where its services are.
    pub channel: Channel,
    /// Fires when the process crashes.
    pub crashed: CancellationToken,
}

#[derive(Debug)]
struct Running {
    incarnation: Incarnation,
    work: Option<JoinHandle<()>>,
}

impl Node {
    /// A process that does not run yet.
    #[must_use]
    pub fn new(name: &'static str) -> Node {
        Node {
            name,
            incarnation: Arc::default(),
            has_panicked: Arc::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it: its services, and its work in the background, whose end is its crash.
    pub fn start(&self, channel: Channel, work: Option<impl Future<Output = ()> + Send + 'static>) {
        let incarnation = Incarnation {
            channel,
            crashed: CancellationToken::new(),
        };
        let crashed = incarnation.crashed.clone();
        let has_panicked = Arc::clone(&self.has_panicked);
        let work = work.map(|work| {
            tokio::spawn(async move {
                let work = AssertUnwindSafe(crashed.run_until_cancelled(work));
                if work.catch_unwind().await.is_err() {
                    has_panicked.store(true, Ordering::Relaxed);
                }
                crashed.cancel();
            })
        });
        *self.lock() = Some(Running { incarnation, work });
    }

    /// Ends it at once, in the middle of whatever it does.
    pub fn crash(&self) {
        if let Some(running) = self.lock().take() {
            running.incarnation.crashed.cancel();
            if let Some(work) = running.work {
                work.abort();
            }
        }
    }

    /// Whether it ever panicked: no fault is an excuse for that.
    #[must_use]
    pub fn has_panicked(&self) -> bool {
        self.has_panicked.load(Ordering::Relaxed)
    }

    /// What runs now.
    #[must_use]
    pub fn current(&self) -> Option<Incarnation> {
        let running = self.lock();
        running
            .as_ref()
            .map(|running| running.incarnation.clone())
            .filter(|incarnation| !incarnation.crashed.is_cancelled())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.incarnation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
