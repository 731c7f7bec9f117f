//! One attempt of a job run: prepared, started, followed and told.

pub(crate) mod command_line;
pub(crate) mod environment;
mod folder;
mod launch;
pub(crate) mod modules;
pub(crate) mod noop;
pub(crate) mod staging;

use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use treenail_proto::worker::v1::{JobTask, Outcome, Task, worker_service_client::WorkerServiceClient};
use treenail_rpc::{Channel, Clock, limits::GRPC_MESSAGE_BYTES_MAX};

use self::command_line::engine;
use crate::{
    config::Config,
    credentials::Credentials,
    fetch::Fetcher,
    logs::{Logs, Upload},
    outcome,
    process::Ended,
    runner::Runner,
    session::Started,
};

pub(crate) use environment::WORKER_MARK;
pub(crate) use folder::{ATTEMPTS, AttemptFolder};
pub(crate) use launch::Launch;
pub(crate) use modules::MODULES;

/// Executes tasks.
pub trait Execute: Send + Sync + 'static {
    /// Executes a task to its end; says so when what it asks for runs.
    ///
    /// Whenever `cancel` fires, it ends soon.
    fn execute(
        &self,
        task: &Task,
        cancel: &CancellationToken,
        started: Started,
    ) -> impl Future<Output = Outcome> + Send;

    /// What an earlier process of this worker left running, to be executed on; asked once, before anything is executed.
    fn left(&self) -> impl Future<Output = Vec<Task>> + Send {
        std::future::ready(Vec::new())
    }

    /// Whether what is executed goes on without the worker: then a stopping worker leaves it to the next one.
    fn outlives_the_worker(&self) -> bool {
        false
    }

    /// Nobody will ask for this hand-out of a task any more: its outcome is known, or is not wanted.
    fn forget(&self, _task_id: &str, _token: u64) {}
}

impl Execute for Executor {
    async fn execute(&self, task: &Task, cancel: &CancellationToken, started: Started) -> Outcome {
        Box::pin(Executor::execute(self, task, cancel, async || started.say().await)).await
    }
}

/// Executes tasks, as many at once as there are slots.
#[derive(Debug)]
pub(crate) struct Executor {
    config: Config,
    clock: Clock,
    runner: Arc<Runner>,
    slots: Arc<Semaphore>,
    /// One `pip install` at a time: two of the same modules would do the work twice.
    installing: Mutex<()>,
    client: WorkerServiceClient<Channel>,
}

impl Executor {
    /// An executor of tasks that runs their attempts with `runner`.
    pub(crate) fn new(config: Config, scheduler: Channel, runner: Arc<Runner>) -> Executor {
        let slots = usize::try_from(config.slots)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Executor {
            config,
            clock: Clock::system(),
            runner,
            slots: Arc::new(Semaphore::new(slots)),
            installing: Mutex::new(()),
            client: WorkerServiceClient::new(scheduler).max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX),
        }
    }

    /// Executes a task to its end; `started` is called once its process runs.
    ///
    /// Whenever `cancel` fires, the process and all that it started is killed.
    pub(crate) async fn execute(
        &self,
        task: &Task,
        cancel: &CancellationToken,
        started: impl AsyncFnOnce(),
    ) -> Outcome {
        let Some(job) = &task.job else {
            return outcome::without_job();
        };
        if noop::is_noop(job) {
            return noop::execute(job, cancel, started).await;
        }
        let acquired = Arc::clone(&self.slots).acquire_owned();
        let Some(Ok(slot)) = cancel.run_until_cancelled(acquired).await else {
            return outcome::cancelled();
        };
        let folder = match AttemptFolder::create(&self.config, &task.task_id, task.token).await {
            Ok(folder) => folder,
            Err(cause) => return outcome::not_started(job, &cause),
        };
        let outcome = self.attempt(task, job, &folder, cancel, started).await;
        folder.remove(slot);
        outcome
    }

    async fn attempt(
        &self,
        task: &Task,
        job: &JobTask,
        folder: &AttemptFolder,
        cancel: &CancellationToken,
        started: impl AsyncFnOnce(),
    ) -> Outcome {
        let limits = &self.config.limits;
        let bounds = limits.of_a_job(job);
        let launch = match cancel.run_until_cancelled(self.prepare(task, job, folder)).await {
            None => return outcome::cancelled(),
            Some(Err(cause)) => return outcome::not_started(job, &cause),
            Some(Ok(launch)) => launch,
        };
        let engine = launch.engine;
        let mut running = match self.runner.run(&launch, bounds, cancel).await {
            Err(_) if cancel.is_cancelled() => return outcome::cancelled(),
            Err(cause) => return outcome::not_started(job, &cause),
            Ok(running) => running,
        };
        started().await;
        let logs = Logs::new(self.upload(task), limits.log_head_bytes, limits.log_tail_bytes);
        let outputs = running.outputs();
        let (ended, error_tail) = logs
            .follow(
                outputs,
                Box::pin(running.end(bounds, cancel)),
                limits.log_upload_timeout,
            )
            .await;
        match ended {
            Ok(Ended::Cancelled) => outcome::cancelled(),
            Ok(Ended::Exited(status)) => outcome::exited(engine, status, &error_tail),
            Ok(Ended::Breached(breach)) => outcome::breached(engine, breach, &error_tail),
            Ok(Ended::NotStarted(cause)) if cause.is_empty() => outcome::not_started(job, error_tail.trim()),
            Ok(Ended::NotStarted(cause)) => outcome::not_started(job, &cause),
            Err(error) => outcome::lost(&error),
        }
    }

    /// Everything before the process: the script and what it needs in the folder, the command line, the environment.
    async fn prepare<'a>(
        &'a self,
        task: &'a Task,
        job: &'a JobTask,
        folder: &'a AttemptFolder,
    ) -> Result<Launch<'a>, String> {
        let engine = engine(job)?;
        let credentials = self.credentials(task, job);
        let fetcher = Fetcher {
            config: &self.config,
            clock: &self.clock,
            credentials: &credentials,
            region: &task.region,
        };
        let mut staged = staging::stage(&fetcher, job, engine, folder).await?;
        if let Some(installed) = modules::install(&fetcher, job, folder, &self.installing).await? {
            staged.python_path.push(installed);
        }
        staged.python_path.push(self.config.awsglue_path.clone());
        let arguments = command_line::of(task, job, engine, &staged.script);
        let environment = environment::of(&self.config, task, job, folder, &staged.python_path, &credentials)?;
        Ok(Launch {
            task,
            job,
            engine,
            folder,
            arguments,
            environment,
            python_path: staged.python_path,
            authority: self
                .config
                .authority
                .as_ref()
                .map(|authority| authority.bundle.as_path()),
        })
    }

    fn credentials(&self, task: &Task, job: &JobTask) -> Credentials {
        Credentials::of(
            self.config.job_key.as_ref(),
            &task.account,
            &job.job_run_id,
            &self.clock,
        )
    }

    fn upload(&self, task: &Task) -> Upload {
        Upload::of(task, self.client.clone())
    }
}
