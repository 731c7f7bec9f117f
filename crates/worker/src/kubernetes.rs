//! Runs each attempt as a Job of a Kubernetes cluster.
//!
//! Start reading at [`Executor::execute`]. `manifest` says what is created, `sight` and `progress` what becomes of it,
//! `output` how what it writes is read. A pod prepares itself by `crate::stage`, which does what the process executor does.
//!
//! A Job outlives the worker: whoever starts again under the same id lists its Jobs and goes on with them. A Job is deleted
//! once its outcome is acknowledged, so that until then it can be told again.

mod attempt;
mod cleanup;
mod cluster;
mod manifest;
mod names;
mod output;
mod progress;
mod resources;
mod settings;
mod sight;

use std::{
    collections::BTreeSet,
    io,
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::Client;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use treenail_proto::worker::v1::{JobTask, Outcome, Task, worker_service_client::WorkerServiceClient};
use treenail_rpc::{Channel, Clock, limits::GRPC_MESSAGE_BYTES_MAX};

pub use settings::Kubernetes;

use self::{
    attempt::{Attempt, End},
    cleanup::Cleanup,
    cluster::{Cluster, Error},
    progress::Exit,
    resources::Share,
    sight::Sight,
};
use crate::{
    config::Config,
    credentials::Credentials,
    logs::{Logs, Upload},
    outcome::{self, Engine},
    process::Breach,
    session::Started,
    stage::Settings,
    task::{Execute, command_line, noop},
};

/// How long a connection to the API server may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(310);
/// How long creating an attempt's objects may take while the API server is out of reach.
const CREATE_PATIENCE: Duration = Duration::from_secs(120);
/// How long deleting a Job is tried before that is left to others, and then how long its pod may take to be gone.
const DELETE_PATIENCE: Duration = Duration::from_secs(60);
/// What stands in the output of a job that was adopted.
const ADOPTED: &str = "\n[treenail: the worker was started again; what follows may stand above already]\n";
/// How long reading why an attempt was not prepared may take.
const READ_PATIENCE: Duration = Duration::from_secs(20);

/// Executes tasks as Jobs.
#[derive(Debug)]
pub(crate) struct Executor {
    config: Config,
    kubernetes: Kubernetes,
    clock: Clock,
    client: WorkerServiceClient<Channel>,
    cluster: Cluster,
    sight: watch::Receiver<Sight>,
    cleanup: Cleanup,
    /// The attempts that have a Job, as far as this process knows: it made it, or found it.
    known: Mutex<BTreeSet<String>>,
    _tasks: JoinSet<()>,
}

impl Executor {
    /// Connects to the cluster; it need not answer yet.
    ///
    /// # Errors
    /// In words when nothing says where the cluster is, or what is said makes no sense.
    pub(crate) async fn start(config: Config, mut kubernetes: Kubernetes, scheduler: Channel) -> Result<Self, String> {
        const FACTORS: (f64, f64) = (0.01, 10.0);
        let mut of_cluster = kube::Config::infer().await.map_err(|error| error.to_string())?;
        // Watches end and begin again more often than that; what is silent for longer has been lost on the way.
        of_cluster.read_timeout = Some(SILENCE_MAX);
        let client = Client::try_from(of_cluster).map_err(|error| error.to_string())?;
        let cluster = Cluster::of(&client, &kubernetes.namespace);
        kubernetes.resource_factor = kubernetes.resource_factor.clamp(FACTORS.0, FACTORS.1);
        let mut tasks = JoinSet::new();
        Ok(Executor {
            sight: sight::watch(&cluster, &names::worker(&config.worker_id), &mut tasks),
            cleanup: Cleanup::start(cluster.clone(), &mut tasks),
            config,
            kubernetes,
            clock: Clock::system(),
            client: WorkerServiceClient::new(scheduler).max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX),
            cluster,
            known: Mutex::default(),
            _tasks: tasks,
        })
    }

    async fn run(&self, task: &Task, job: &JobTask, cancel: &CancellationToken, started: Started) -> Outcome {
        let engine = match command_line::engine(job) {
            Ok(engine) => engine,
            Err(cause) => return outcome::not_started(job, &cause),
        };
        let name = self.name(task);
        let is_adopted = self.is_known(&name);
        if !is_adopted {
            match cancel.run_until_cancelled(self.create(task, job, &name)).await {
                Some(Ok(())) => {}
                Some(Err(cause)) => return outcome::not_started(job, &cause),
                None => {
                    self.delete(&name).await;
                    return outcome::cancelled();
                }
            }
        }
        let limits = &self.config.limits;
        let upload = Upload::of(task, self.client.clone());
        let logs = Logs::new(upload, limits.log_head_bytes, limits.log_tail_bytes);
        let sink = logs.sink();
        if is_adopted {
            sink.push_either(ADOPTED.as_bytes());
        }
        let attempt = Attempt {
            cluster: &self.cluster,
            sight: self.sight.clone(),
            name: &name,
            start_timeout: self.kubernetes.start_timeout,
        };
        let running = async {
            let followed = cancel.run_until_cancelled(attempt.follow(started, &sink)).await;
            match followed {
                Some(end @ End::Exited(_)) => end,
                // Nothing of it must come up after all.
                Some(end @ (End::NotStarted(_) | End::Lost(_) | End::Cancelled)) => {
                    self.delete(&name).await;
                    end
                }
                None => {
                    self.delete(&name).await;
                    End::Cancelled
                }
            }
        };
        let (end, error_tail) = Box::pin(logs.upload_during(running, limits.log_upload_timeout)).await;
        match end {
            End::Exited(exit) => self.exited(engine, job, &exit, &error_tail),
            End::NotStarted(cause) => outcome::not_started(job, &cause),
            End::Lost(why) => outcome::lost(&io::Error::other(why)),
            End::Cancelled => outcome::cancelled(),
        }
    }

    /// Creates a Job and its Secret. The Job comes first, because it owns the Secret; its pod waits for that.
    async fn create(&self, task: &Task, job: &JobTask, name: &str) -> Result<(), String> {
        let image = self.kubernetes.images.of(job)?;
        let worker = &self.config.worker_id;
        let told = |error: Error| format!("The Kubernetes Job cannot be created: {error}");
        let key = self.config.job_key.as_ref();
        let credentials = Credentials::of(key, &task.account, &job.job_run_id, &self.clock);
        let settings = Settings::of(&self.config, &credentials).await?;
        let manifest = manifest::job(task, job, image, worker, &self.kubernetes);
        // From here on there may be one, whatever becomes of the call.
        self.known().insert(name.to_owned());
        let created = self.cluster.create_job(&manifest, CREATE_PATIENCE).await;
        let created = created.map_err(told)?;
        let secret = manifest::secret(task, &settings, &created);
        let created = self.cluster.create_secret(&secret, CREATE_PATIENCE).await;
        created.map_err(told)
    }

    /// The script's own end, in the words that all executors use.
    fn exited(&self, engine: Engine, job: &JobTask, exit: &Exit, error_tail: &str) -> Outcome {
        if exit.is_out_of_memory {
            let memory = Share::of(job, self.kubernetes.resource_factor).memory;
            return outcome::breached(engine, Breach::Memory(memory), error_tail);
        }
        outcome::exited(engine, status_of(exit.code), error_tail)
    }

    /// Deletes a Job and waits until nothing of it is there; what takes too long goes on by itself.
    async fn delete(&self, name: &str) {
        if let Err(error) = self.cluster.delete_job(name, DELETE_PATIENCE).await {
            tracing::error!(%error, name, "a Kubernetes Job could not be deleted in time, and may run on");
            self.cleanup.later(name.to_owned());
            return;
        }
        let mut sight = self.sight.clone();
        let gone = sight.wait_for(|sight| sight.is_gone(name));
        if timeout(DELETE_PATIENCE, gone).await.is_err() {
            tracing::error!(
                name,
                "the pod of a Kubernetes Job that was deleted is still there, and may run on"
            );
        }
        self.known().remove(name);
    }

    /// The task of a Job that an earlier process of this worker left.
    async fn adopted(&self, name: &str) -> Option<Task> {
        let secret = loop {
            match self.cluster.secret(name, READ_PATIENCE).await {
                Ok(secret) => break secret,
                // To say that it is not held would have it run twice.
                Err(error @ Error::OutOfReach(_)) => tracing::warn!(%error, name, "a task cannot be read yet"),
                Err(error @ Error::Refused(_)) => {
                    tracing::error!(%error, name, "a task cannot be read");
                    break None;
                }
            }
        };
        let task = secret.as_ref().and_then(manifest::task_of);
        task.filter(|task| self.name(task) == name)
    }

    fn name(&self, task: &Task) -> String {
        names::attempt(&self.config.worker_id, &task.task_id, task.token)
    }

    fn is_known(&self, name: &str) -> bool {
        self.known().contains(name)
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A set of names is one whatever panicked beside it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Execute for Executor {
    async fn execute(&self, task: &Task, cancel: &CancellationToken, started: Started) -> Outcome {
        let Some(job) = &task.job else {
            return outcome::without_job();
        };
        if noop::is_noop(job) {
            return noop::execute(job, cancel, async || started.say().await).await;
        }
        Box::pin(self.run(task, job, cancel, started)).await
    }

    async fn left(&self) -> Vec<Task> {
        let mut sight = self.sight.clone();
        let names: Vec<String> = match sight.wait_for(Sight::is_complete).await {
            Ok(sight) => sight
                .jobs()
                .filter(|(_, job)| !job.is_deleted)
                .map(|(name, _)| name.clone())
                .collect(),
            Err(_) => return Vec::new(),
        };
        let mut tasks = Vec::new();
        for name in names {
            match self.adopted(&name).await {
                Some(task) => {
                    self.known().insert(name);
                    tasks.push(task);
                }
                None => {
                    tracing::warn!(name, "a Kubernetes Job without its task is deleted");
                    self.cleanup.later(name);
                }
            }
        }
        tracing::info!(
            tasks = tasks.len(),
            "the cluster answers; this worker goes on with what it left there"
        );
        tasks
    }

    fn outlives_the_worker(&self) -> bool {
        true
    }

    fn forget(&self, task_id: &str, token: u64) {
        let name = names::attempt(&self.config.worker_id, task_id, token);
        if self.known().remove(&name) {
            self.cleanup.later(name);
        }
    }
}

/// How a process ended, by the exit code that Kubernetes tells: one that a signal ended has 128 more than the signal.
fn status_of(code: i32) -> ExitStatus {
    const SIGNALS: [i32; 4] = [6, 9, 11, 15];
    match code - 128 {
        signal if SIGNALS.contains(&signal) => ExitStatus::from_raw(signal),
        _ => ExitStatus::from_raw((code & 0xff) << 8),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::status_of;

    #[test]
    fn an_exit_code_beyond_128_may_be_a_signal() {
        let rows = [
            (0, Some(0), None),
            (3, Some(3), None),
            (130, Some(130), None),
            (137, None, Some(9)),
        ];
        for (code, exit, signal) in rows {
            let status = status_of(code);
            assert_eq!((status.code(), status.signal()), (exit, signal), "{code}");
        }
    }
}
