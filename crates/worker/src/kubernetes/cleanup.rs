//! Deletes the Jobs of attempts that nobody asks for any more.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::cluster::{Cluster, Error};

/// How many Jobs wait to be deleted; those beyond go when the time after their end is over.
const QUEUE_MAX: usize = 4_096;
/// How long one is tried at a stretch.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_secs(10);

/// Deletes Jobs, one after the other, for as long as that takes.
#[derive(Clone, Debug)]
pub(super) struct Cleanup {
    queue: mpsc::Sender<String>,
}

impl Cleanup {
    /// Starts to wait for names.
    pub(super) fn start(cluster: Cluster, tasks: &mut JoinSet<()>) -> Cleanup {
        let (queue, names) = mpsc::channel(QUEUE_MAX);
        tasks.spawn(work(cluster, names));
        Cleanup { queue }
    }

    /// Deletes a Job at some time.
    pub(super) fn later(&self, name: String) {
        if let Err(error) = self.queue.try_send(name) {
            let name = error.into_inner();
            tracing::warn!(
                name,
                "too many Kubernetes Jobs wait to be deleted; this one stays until its time is over"
            );
        }
    }
}

async fn work(cluster: Cluster, mut names: mpsc::Receiver<String>) {
    while let Some(name) = names.recv().await {
        loop {
            match cluster.delete_job(&name, PATIENCE).await {
                Ok(()) => break,
                Err(error @ Error::Refused(_)) => {
                    tracing::error!(%error, name, "a Kubernetes Job cannot be deleted");
                    break;
                }
                Err(error @ Error::OutOfReach(_)) => {
                    tracing::warn!(%error, name, "a Kubernetes Job is not deleted yet");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}
