//! What the cluster says of a worker's attempts: watched once for all of them.

use std::{collections::BTreeMap, time::Duration};

use futures::{Stream, StreamExt as _, pin_mut};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Resource, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    cluster::Cluster,
    names,
    progress::{self, JobSeen, PodSeen, Progress},
};

/// The pause before everything is listed again.
const LIST_AGAIN_PAUSE: Duration = Duration::from_secs(1);

/// What was seen of all attempts of a worker.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// By attempt; `None` until all have been listed once.
    jobs: Option<BTreeMap<String, JobSeen>>,
    /// By attempt and pod; `None` until all have been listed once.
    pods: Option<BTreeMap<(String, String), PodSeen>>,
}

impl Sight {
    /// Whether all that there was has been seen.
    pub(super) fn is_complete(&self) -> bool {
        self.jobs.is_some() && self.pods.is_some()
    }

    /// The attempts that have a Job, and those Jobs.
    pub(super) fn jobs(&self) -> impl Iterator<Item = (&String, &JobSeen)> {
        self.jobs.iter().flatten()
    }

    /// Whether nothing of an attempt is there.
    pub(super) fn is_gone(&self, attempt: &str) -> bool {
        !self.has_job(attempt) && self.pod(attempt).is_none()
    }

    /// Whether an attempt has a Job.
    pub(super) fn has_job(&self, attempt: &str) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.contains_key(attempt))
    }

    /// How far an attempt is.
    pub(super) fn progress(&self, attempt: &str) -> Progress {
        let job = self.jobs.as_ref().and_then(|jobs| jobs.get(attempt));
        progress::of(job, self.pod(attempt))
    }

    /// The attempt's pod. Kubernetes may start more than one in rare cases; the first counts.
    fn pod(&self, attempt: &str) -> Option<&PodSeen> {
        let mine = self.pods.iter().flatten().filter(|((of, _), _)| of == attempt);
        mine.map(|(_, pod)| pod).min_by_key(|pod| &pod.created)
    }
}

/// Watches a worker's Jobs and pods for as long as the tasks live. An API server that is out of reach is asked again.
pub(super) fn watch(cluster: &Cluster, worker: &str, tasks: &mut JoinSet<()>) -> watch::Receiver<Sight> {
    let (sender, sight) = watch::channel(Sight::default());
    let config = watcher::Config::default().labels(&format!("{}={worker}", names::WORKER));
    let of_jobs = sender.clone();
    let (jobs, pods) = (cluster.jobs.clone(), cluster.pods.clone());
    let config_of_jobs = config.clone();
    let jobs = move || watcher(jobs.clone(), config_of_jobs.clone());
    let pods = move || watcher(pods.clone(), config.clone());
    tasks.spawn(async move {
        follow(
            jobs,
            |job: &Job| attempt_of(job),
            JobSeen::of,
            |seen| {
                of_jobs.send_modify(|sight| seen.apply(&mut sight.jobs));
            },
        )
        .await;
    });
    tasks.spawn(async move {
        let key = |pod: &Pod| Some((attempt_of(pod)?, pod.name_any()));
        follow(pods, key, PodSeen::of, |seen| {
            sender.send_modify(|sight| seen.apply(&mut sight.pods));
        })
        .await;
    });
    sight
}

/// A change of what is seen.
enum Change<I, S> {
    /// This is all that there is.
    All(BTreeMap<I, S>),
    Is(I, S),
    IsGone(I),
}

impl<I: Ord, S> Change<I, S> {
    fn apply(self, seen: &mut Option<BTreeMap<I, S>>) {
        match self {
            Change::All(all) => *seen = Some(all),
            Change::Is(id, state) => {
                seen.get_or_insert_default().insert(id, state);
            }
            Change::IsGone(id) => {
                seen.get_or_insert_default().remove(&id);
            }
        }
    }
}

async fn follow<K: Clone, I: Ord, S, E: Stream<Item = watcher::Result<Event<K>>> + Send>(
    events: impl Fn() -> E,
    id: impl Fn(&K) -> Option<I>,
    state: impl Fn(&K) -> S,
    tell: impl Fn(Change<I, S>),
) {
    let mut listed = BTreeMap::new();
    loop {
        let events = events().default_backoff();
        pin_mut!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => listed.extend(id(&object).map(|id| (id, state(&object)))),
                Ok(Event::InitDone) => tell(Change::All(std::mem::take(&mut listed))),
                Ok(Event::Apply(object)) => {
                    if let Some(id) = id(&object) {
                        tell(Change::Is(id, state(&object)));
                    }
                }
                Ok(Event::Delete(object)) => {
                    if let Some(id) = id(&object) {
                        tell(Change::IsGone(id));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the Kubernetes API cannot be watched, and is asked again");
                    if is_forgotten(&error) {
                        break;
                    }
                }
            }
        }
        sleep(LIST_AGAIN_PAUSE).await;
    }
}

/// Whether a watch can only go on after a new list. The library sees to that where the answer comes within a stream, and
/// would ask the same for ever where it comes instead of one.
fn is_forgotten(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

fn attempt_of(object: &impl Resource) -> Option<String> {
    object.labels().get(names::ATTEMPT).cloned()
}
