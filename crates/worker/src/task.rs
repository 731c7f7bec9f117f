//! One attempt of a job run: prepared, started, followed and told.

mod command_line;
mod environment;
mod folder;
mod modules;
mod noop;
mod staging;

use std::{io, sync::Arc};

use tokio::{
    process::Command,
    sync::{Mutex, Semaphore},
};
use tokio_util::sync::CancellationToken;
use treenail_proto::worker::v1::{JobTask, Outcome, Task, worker_service_client::WorkerServiceClient};
use treenail_rpc::{Caller, Channel, Clock, Scope, limits::GRPC_MESSAGE_BYTES_MAX};

use self::{command_line::engine, folder::AttemptFolder, noop::Noop, staging::Staged};
use crate::{
    config::Config,
    credentials::Credentials,
    fetch::Fetcher,
    logs::{Logs, Upload},
    outcome::{self, Engine},
    process::{Ended, Group, Spawner},
    session::Started,
};

pub(crate) use environment::WORKER_MARK;
pub(crate) use folder::ATTEMPTS;

/// Becomes pyspark's own `spark-submit`, which runs the script with this interpreter on this machine's cores; nothing of it
/// listens beyond loopback.
const SPARK_SUBMIT: &str = "import os, sys, pyspark
os.environ.setdefault('PYSPARK_PYTHON', sys.executable)
os.environ.setdefault('PYSPARK_DRIVER_PYTHON', sys.executable)
os.environ.setdefault('SPARK_LOCAL_IP', '127.0.0.1')
submit = os.path.join(os.path.dirname(pyspark.__file__), 'bin', 'spark-submit')
os.execv(submit, [submit, '--master', 'local[*]', '--conf', 'spark.ui.enabled=false', *sys.argv[1:]])";
/// The exit code with which the search for pyspark says that there is none.
const NO_PYSPARK: i32 = 3;

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
}

impl Execute for Executor {
    async fn execute(&self, task: &Task, cancel: &CancellationToken, started: Started) -> Outcome {
        Executor::execute(self, task, cancel, async || started.say().await).await
    }
}

/// Executes tasks, as many at once as there are slots.
#[derive(Debug)]
pub(crate) struct Executor {
    config: Config,
    clock: Clock,
    spawner: Spawner,
    slots: Arc<Semaphore>,
    /// One `pip install` at a time: two of the same modules would do the work twice.
    installing: Mutex<()>,
    client: WorkerServiceClient<Channel>,
}

impl Executor {
    /// Starts what all tasks share. Call it within a tokio runtime.
    pub(crate) fn start(config: Config, scheduler: Channel) -> io::Result<Executor> {
        let slots = usize::try_from(config.slots)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Ok(Executor {
            config,
            clock: Clock::system(),
            spawner: Spawner::start()?,
            slots: Arc::new(Semaphore::new(slots)),
            installing: Mutex::new(()),
            client: WorkerServiceClient::new(scheduler).max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX),
        })
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
            return match Noop::of(&job.arguments) {
                Ok(noop) if noop.is_instant() => noop.end(),
                Ok(noop) => {
                    started().await;
                    noop.run(cancel).await
                }
                Err(cause) => outcome::not_started(job, &cause),
            };
        }
        let acquired = Arc::clone(&self.slots).acquire_owned();
        let Some(Ok(slot)) = cancel.run_until_cancelled(acquired).await else {
            return outcome::cancelled();
        };
        let folder = match AttemptFolder::create(&self.config.work_dir, &task.task_id, task.token).await {
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
        let prepared = cancel.run_until_cancelled(self.prepare(task, job, folder)).await;
        let (engine, command) = match prepared {
            None => return outcome::cancelled(),
            Some(Err(cause)) => return outcome::not_started(job, &cause),
            Some(Ok(prepared)) => prepared,
        };
        let mut group = match Group::start(command, &self.spawner, self.config.limits.of_a_process()).await {
            Ok(group) => group,
            Err(error) => {
                let cause = format!("The script's process cannot be started: {error}");
                return outcome::not_started(job, &cause);
            }
        };
        started().await;
        let limits = &self.config.limits;
        let logs = Logs::new(self.upload(task), limits.log_head_bytes, limits.log_tail_bytes);
        let outputs = group.outputs();
        let (ended, error_tail) = logs
            .follow(
                outputs,
                group.end(limits.of_a_job(job), cancel),
                limits.log_upload_timeout,
            )
            .await;
        match ended {
            Ok(Ended::Cancelled) => outcome::cancelled(),
            Ok(Ended::Exited(status)) => outcome::exited(engine, status, &error_tail),
            Ok(Ended::Breached(breach)) => outcome::breached(engine, breach, &error_tail),
            Err(error) => outcome::lost(&error),
        }
    }

    /// Everything before the process: the script and what it needs in the folder, the command line, the environment.
    async fn prepare(&self, task: &Task, job: &JobTask, folder: &AttemptFolder) -> Result<(Engine, Command), String> {
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
        let command = self.command(task, job, engine, folder, &staged)?;
        if engine == Engine::Spark {
            self.require_pyspark(task, job, folder, &staged).await?;
        }
        Ok((engine, command))
    }

    fn command(
        &self,
        task: &Task,
        job: &JobTask,
        engine: Engine,
        folder: &AttemptFolder,
        staged: &Staged,
    ) -> Result<Command, String> {
        let mut command = self.interpreter(task, job, folder, staged)?;
        match engine {
            Engine::PythonShell => command.arg("-u"),
            Engine::Spark => command.args(["-u", "-c", SPARK_SUBMIT]),
        };
        command
            .arg(&staged.script)
            .args(command_line::arguments(task, job, engine));
        Ok(command)
    }

    async fn require_pyspark(
        &self,
        task: &Task,
        job: &JobTask,
        folder: &AttemptFolder,
        staged: &Staged,
    ) -> Result<(), String> {
        let search =
            format!("import importlib.util as u, sys; sys.exit(0 if u.find_spec('pyspark') else {NO_PYSPARK})");
        let mut command = self.interpreter(task, job, folder, staged)?;
        command.arg("-c").arg(search).kill_on_drop(true);
        let answer = command.output().await;
        match answer.map(|answer| answer.status) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) if status.code() == Some(NO_PYSPARK) => Err(format!(
                "Spark jobs need pyspark, which the worker's Python ({}) does not have: pip install pyspark",
                self.config.python.display()
            )),
            Ok(status) => Err(format!("The worker's Python could not look for pyspark: {status}")),
            Err(error) => Err(format!("The worker's Python could not look for pyspark: {error}")),
        }
    }

    fn interpreter(
        &self,
        task: &Task,
        job: &JobTask,
        folder: &AttemptFolder,
        staged: &Staged,
    ) -> Result<Command, String> {
        let mut command = Command::new(&self.config.python);
        command.current_dir(folder.work()).env_clear().envs(environment::of(
            &self.config,
            task,
            job,
            folder,
            &staged.python_path,
            &self.credentials(task, job),
        )?);
        Ok(command)
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
        let scope = Scope {
            account: task.account.clone(),
            region: task.region.clone(),
        };
        Upload::new(
            self.client.clone(),
            Caller::new(scope),
            task.task_id.clone(),
            task.token,
        )
    }
}
