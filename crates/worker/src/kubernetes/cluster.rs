//! The cluster's API, asked until it answers.

use std::time::Duration;

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Pod, Secret},
};
use kube::{
    Api, Client,
    api::{DeleteParams, LogParams, PostParams},
};
use tokio::time::{Instant, sleep, timeout};

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The first pause after a call that failed; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How much is read of why an attempt could not be prepared, in bytes.
const CAUSE_BYTES_MAX: i64 = 8 * 1024;

/// The objects of one namespace.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) jobs: Api<Job>,
    pub(super) pods: Api<Pod>,
    secrets: Api<Secret>,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API server said no, and would say so again.
    #[error("the Kubernetes API refuses it: {0}")]
    Refused(String),
    /// The API server could not be asked, or was not able to answer.
    #[error("the Kubernetes API is out of reach: {0}")]
    OutOfReach(String),
}

impl Cluster {
    /// The objects of a namespace.
    pub(super) fn of(client: &Client, namespace: &str) -> Cluster {
        Cluster {
            jobs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client.clone(), namespace),
        }
    }

    /// Creates a Job; one that is there by that name already is it, because a name is one hand-out's.
    pub(super) async fn create_job(&self, job: &Job, patience: Duration) -> Result<Job, Error> {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let jobs = &self.jobs;
        patiently(patience, move || async move {
            match jobs.create(&PostParams::default(), job).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => jobs.get(name).await,
                answer => answer,
            }
        })
        .await
    }

    /// Creates a Secret; one that is there by that name already is it.
    pub(super) async fn create_secret(&self, secret: &Secret, patience: Duration) -> Result<(), Error> {
        let secrets = &self.secrets;
        patiently(patience, move || async move {
            match secrets.create(&PostParams::default(), secret).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
                answer => answer.map(drop),
            }
        })
        .await
    }

    /// Reads a Secret, if it is there.
    pub(super) async fn secret(&self, name: &str, patience: Duration) -> Result<Option<Secret>, Error> {
        let secrets = &self.secrets;
        patiently(patience, move || secrets.get_opt(name)).await
    }

    /// Deletes a Job with its pods and its Secret: it is gone when they are. One that is gone already is.
    pub(super) async fn delete_job(&self, name: &str, patience: Duration) -> Result<(), Error> {
        let jobs = &self.jobs;
        patiently(patience, move || async move {
            match jobs.delete(name, &DeleteParams::foreground()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                answer => answer.map(drop),
            }
        })
        .await
    }

    /// What a container wrote that has ended.
    pub(super) async fn written(&self, pod: &str, container: &str, patience: Duration) -> Result<String, Error> {
        let parameters = LogParams {
            container: Some(container.to_owned()),
            limit_bytes: Some(CAUSE_BYTES_MAX),
            ..LogParams::default()
        };
        let (pods, parameters) = (&self.pods, &parameters);
        patiently(patience, move || pods.logs(pod, parameters)).await
    }
}

/// Calls again, after pauses that grow, until there is an answer or patience ends.
async fn patiently<T, F: Future<Output = kube::Result<T>>>(
    patience: Duration,
    call: impl Fn() -> F,
) -> Result<T, Error> {
    let gives_up_at = Instant::now() + patience;
    let mut pause = PAUSE_MIN;
    loop {
        let why = match timeout(CALL_TIMEOUT, call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if is_final(&error) => return Err(Error::Refused(in_words(&error))),
            Ok(Err(error)) => in_words(&error),
            Err(_elapsed) => format!("no answer within {} seconds", CALL_TIMEOUT.as_secs()),
        };
        tracing::warn!(error = why, "the Kubernetes API is called again");
        if Instant::now() + pause > gives_up_at {
            return Err(Error::OutOfReach(why));
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Whether the API server would say the same again. A token may be renewed, so one that is refused is not final.
fn is_final(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => (400..500).contains(&status.code) && !matches!(status.code, 401 | 408 | 409 | 429),
        _ => false,
    }
}

/// What went wrong, without what was sent.
pub(super) fn in_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("status {} {}", status.code, status.reason),
        other => {
            let mut words = other.to_string();
            let mut cause = std::error::Error::source(other);
            while let Some(deeper) = cause {
                let told = deeper.to_string();
                if !words.contains(&told) {
                    words = format!("{words}: {told}");
                }
                cause = deeper.source();
            }
            words
        }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}
