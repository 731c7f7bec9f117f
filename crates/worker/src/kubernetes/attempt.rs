//! One attempt whose Job there is: waited for, read, and followed to its end.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    cluster::Cluster,
    manifest::MODULES,
    output,
    progress::{Exit, JobEnd, Progress},
    sight::Sight,
};
use crate::{logs::Sink, session::Started, task::modules};

/// How long reading why an attempt was not prepared may take.
const CAUSE_PATIENCE: Duration = Duration::from_secs(20);
/// How long news of a pod may take after those of its Job.
const NEWS_PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a script's output may take to be read.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(30);

/// How an attempt came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// The script ended by itself.
    Exited(Exit),
    /// The script never ran, in words.
    NotStarted(String),
    /// The cluster ended it, in words.
    Lost(String),
    /// Somebody asked for it.
    Cancelled,
}

/// One attempt whose Job there is.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) sight: watch::Receiver<Sight>,
    pub(super) name: &'a str,
    pub(super) start_timeout: Duration,
}

impl Attempt<'_> {
    /// Follows the Job to its end; what its script writes goes to the sink.
    pub(super) async fn follow(&self, started: Started, sink: &Sink) -> End {
        let pod = match self.started().await {
            Ok(pod) => pod,
            Err(end) => return end,
        };
        started.say().await;
        let ended = CancellationToken::new();
        let reading = output::follow(self.cluster, &pod, &ended, sink);
        let ending = async {
            let end = self.ended().await;
            ended.cancel();
            end
        };
        tokio::pin!(reading, ending);
        let end = tokio::select! {
            end = &mut ending => end,
            // There is no more to read once the pod is gone.
            () = &mut reading => return ending.await,
        };
        if timeout(OUTPUT_PATIENCE, reading).await.is_err() {
            tracing::warn!(pod, "the end of a script's output could not be read in time");
        }
        end
    }

    /// Waits until the script runs, or has run; gives the pod.
    async fn started(&self) -> Result<String, End> {
        let gives_up_at = Instant::now() + self.start_timeout;
        let too_late = |why: Option<String>| {
            let seconds = self.start_timeout.as_secs();
            let why = why.unwrap_or_else(|| "nothing is known of it".to_owned());
            End::NotStarted(format!("The script did not start within {seconds} seconds: {why}"))
        };
        // News of the Job may come later than the answer to its creation.
        let mut sight = self.sight.clone();
        let appearing = async { sight.wait_for(|sight| sight.has_job(self.name)).await.map(drop) };
        if timeout_at(gives_up_at, appearing).await.is_err() {
            return Err(too_late(None));
        }
        let is_there = |progress: &Progress| !matches!(progress, Progress::Waiting(_));
        let Ok(progress) = timeout_at(gives_up_at, self.until(is_there)).await else {
            return Err(match self.sight.borrow().progress(self.name) {
                Progress::Waiting(why) => too_late(why),
                _ => too_late(None),
            });
        };
        match progress {
            Progress::Running { pod } | Progress::Ended { pod, .. } => Ok(pod),
            other => Err(self.end_of(other).await),
        }
    }

    /// Waits until the script has ended.
    async fn ended(&self) -> End {
        let is_over = |progress: &Progress| !matches!(progress, Progress::Waiting(_) | Progress::Running { .. });
        let progress = self.until(is_over).await;
        self.end_of(progress).await
    }

    async fn end_of(&self, progress: Progress) -> End {
        match progress {
            Progress::Ended { exit, .. } => End::Exited(exit),
            Progress::NotPrepared { pod, container, cause } => {
                End::NotStarted(self.cause(&pod, container, cause).await)
            }
            Progress::Lost(why) | Progress::Vanished(JobEnd::Failed(why)) => End::Lost(why),
            Progress::Vanished(JobEnd::Complete) => End::Exited(Exit {
                code: 0,
                is_out_of_memory: false,
            }),
            Progress::Waiting(_) | Progress::Running { .. } => End::Lost("it is not told how it ended".to_owned()),
        }
    }

    /// Why a script could not be prepared: what the container says that was to do it.
    async fn cause(&self, pod: &str, container: &str, cause: Option<String>) -> String {
        if let Some(cause) = cause {
            return format!("The script could not be prepared: {cause}");
        }
        match self.cluster.written(pod, container, CAUSE_PATIENCE).await {
            Ok(written) if container == MODULES => modules::not_installed(&written),
            Ok(written) if !written.trim().is_empty() => written.trim().to_owned(),
            Ok(_) => "The script could not be prepared, and nothing says why".to_owned(),
            Err(error) => format!("The script could not be prepared, and why cannot be read: {error}"),
        }
    }

    /// Waits until the attempt is as far as is asked for. When its Job has ended without news of its pod, those may be on
    /// the way.
    async fn until(&self, is_asked_for: impl Fn(&Progress) -> bool) -> Progress {
        let progress = self.next(&is_asked_for).await;
        if !matches!(progress, Progress::Vanished(_)) {
            return progress;
        }
        let is_better = |progress: &Progress| !matches!(progress, Progress::Vanished(_)) && is_asked_for(progress);
        timeout(NEWS_PATIENCE, self.next(is_better)).await.unwrap_or(progress)
    }

    async fn next(&self, is_asked_for: impl Fn(&Progress) -> bool) -> Progress {
        let mut sight = self.sight.clone();
        let found = sight.wait_for(|sight| is_asked_for(&sight.progress(self.name))).await;
        match found {
            Ok(sight) => sight.progress(self.name),
            Err(_) => Progress::Lost("the worker does not watch the cluster any more".to_owned()),
        }
    }
}
