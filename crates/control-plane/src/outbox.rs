//! Publishes plans to the run-scheduler: in the order of their commits, until they are acknowledged, also after a crash.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prost::Message as _;
use tokio::sync::{Notify, watch};
use treenail_planted::failpoint::{Step, pass};
use treenail_rpc::Fault;

use crate::{
    scheduler::Scheduler,
    store::{self, Publication, Store},
};

/// The most plans in one call (`PlanService.PublishPlans`).
const PUBLISHED_PLANS_MAX: usize = 1_000;
/// The most bytes of plans in one call, below the limit of a message.
const PUBLISHED_BYTES_MAX: usize = 2 << 20;
/// How long the publisher pauses after a failure, and after each further one twice as long, up to the longest pause.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How far publication is; shared by the calls that make plans and the publisher that takes them away.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The largest sequence that was committed by this process.
    committed: AtomicU64,
    progress: watch::Sender<Progress>,
    waiting: Notify,
    patience: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The largest sequence that this process has published.
    published: u64,
    /// Whether all that an earlier process left has been published.
    is_caught_up: bool,
}

/// Takes plans out of the store and brings them to the run-scheduler.
#[derive(Debug)]
pub(crate) struct Publisher<S> {
    pub(crate) store: Arc<S>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) scheduler: Scheduler,
}

/// Why plans could not be published; they stay in the outbox.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    #[error("the run-scheduler answered {0}")]
    Scheduler(#[from] Fault),
}

impl Outbox {
    pub(crate) fn new(patience: Duration) -> Outbox {
        Outbox {
            committed: AtomicU64::new(0),
            progress: watch::Sender::new(Progress::default()),
            waiting: Notify::new(),
            patience,
        }
    }

    /// Says that plans may wait, up to a sequence if that is known: 0 after a commit whose outcome is not.
    pub(crate) fn committed(&self, sequence: u64) {
        self.committed.fetch_max(sequence, Ordering::AcqRel);
        self.waiting.notify_one();
    }

    /// Waits until a plan is published, for a while only: the plan is durable, and a caller who is told "done" too early
    /// is better off than one who is told "failed" of something that will happen.
    pub(crate) async fn wait_for(&self, sequence: u64) {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.is_caught_up && progress.published >= sequence);
        if tokio::time::timeout(self.patience, reached).await.is_err() {
            tracing::warn!(
                sequence,
                "the run-scheduler does not know of a change yet; it is published later"
            );
        }
    }

    /// Waits, for a while only, until everything that was committed before the call is published.
    pub(crate) async fn wait_for_all(&self) {
        self.wait_for(self.committed.load(Ordering::Acquire)).await;
    }
}

impl<S: Store> Publisher<S> {
    /// Publishes whatever waits, at first what an earlier process left, until it is told to stop.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut pause = PAUSE_MIN;
        loop {
            let published = tokio::select! {
                () = &mut shutdown => return,
                published = self.publish_all() => published,
            };
            let next = async {
                match published {
                    Ok(()) => {
                        pause = PAUSE_MIN;
                        self.outbox.waiting.notified().await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, ?pause, "plans could not be published; trying again");
                        tokio::time::sleep(pause).await;
                        pause = PAUSE_MAX.min(pause * 2);
                    }
                }
            };
            tokio::select! {
                () = &mut shutdown => return,
                () = next => {}
            }
        }
    }

    /// Publishes until nothing waits.
    async fn publish_all(&self) -> Result<(), Error> {
        loop {
            let waiting = self.store.outbox(PUBLISHED_PLANS_MAX).await?;
            if waiting.is_empty() {
                self.outbox
                    .progress
                    .send_modify(|progress| progress.is_caught_up = true);
                return Ok(());
            }
            for part in in_parts(waiting) {
                self.publish(part).await?;
            }
        }
    }

    async fn publish(&self, part: Vec<Publication>) -> Result<(), Error> {
        let sequences: Vec<u64> = part.iter().map(|publication| publication.sequence).collect();
        let last = sequences.last().copied().unwrap_or_default();
        pass(Step::PlanStored);
        self.scheduler
            .publish(part.into_iter().map(|publication| publication.plan).collect())
            .await?;
        pass(Step::PlanPublished);
        // The scheduler knows them now; if forgetting them fails, they are published again, which changes nothing.
        self.outbox
            .progress
            .send_modify(|progress| progress.published = progress.published.max(last));
        Ok(self.store.published(sequences).await?)
    }
}

/// Cuts plans into calls that are not too large.
fn in_parts(waiting: Vec<Publication>) -> Vec<Vec<Publication>> {
    let mut parts: Vec<Vec<Publication>> = Vec::new();
    let mut room = 0;
    for publication in waiting {
        let bytes = publication.plan.encoded_len();
        match parts.last_mut() {
            Some(part) if bytes <= room => {
                room -= bytes;
                part.push(publication);
            }
            Some(_) | None => {
                room = PUBLISHED_BYTES_MAX.saturating_sub(bytes);
                parts.push(vec![publication]);
            }
        }
    }
    parts
}
