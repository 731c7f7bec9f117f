//! How a worker starts: its folders, its interpreter, and the session that it keeps until it is told to stop.

use std::{io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use rustix::fs::Mode;
use tokio::{fs, process::Command};

use crate::{
    config::{Config, Deps, ExecutorKind},
    job_user::{JobUserError, make_passable},
    kubernetes,
    process::{keep_inherited, kill_leftovers},
    runner::Runner,
    session::Session,
    task::{ATTEMPTS, Execute, Executor, MODULES, WORKER_MARK},
};

/// The most slots that a `Hello` may name.
const SLOTS_MAX: u32 = 10_000;

/// How long the interpreter may take to say where it is.
const INTERPRETER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder of the worker cannot be made or emptied.
    #[error("the worker's folder {} cannot be used: {source}", path.display())]
    WorkDir {
        /// The folder.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// Control groups are asked for and cannot be made.
    #[error("{0}")]
    Cgroups(String),
    /// The thread that starts processes cannot be started.
    #[error("the thread that starts processes cannot be started: {0}")]
    Spawner(io::Error),
    /// Nothing says where the Kubernetes cluster is, or what is said makes no sense.
    #[error("the Kubernetes cluster cannot be used: {0}")]
    Kubernetes(String),
    /// Jobs cannot run as the user that they are to run as.
    #[error(transparent)]
    JobUser(#[from] JobUserError),
    /// There is no container engine that could be used.
    #[error("the container engine cannot be used: {0}")]
    ContainerEngine(String),
}

/// Takes tasks and executes them until `shutdown` completes and what was in flight is ended and reported.
///
/// At shutdown no more tasks are taken, and those in flight may go on for [`crate::Limits::drain_timeout`]; after that they
/// are killed and reported as cancelled, within [`crate::Limits::stop_timeout`]; those that a cluster runs
/// are left to it at once, for the worker that starts next under the same id.
/// The run-scheduler need not be there yet: the worker connects when it can.
///
/// # Errors
/// When the worker's folders cannot be used, or attempts cannot run: no thread starts processes, or no engine containers.
pub async fn run(mut config: Config, deps: Deps, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    if config.worker_id.is_empty() {
        config.worker_id = deps.entropy.uuid().to_string();
    }
    match config.executor.clone() {
        ExecutorKind::Kubernetes(cluster) => {
            let scheduler = deps.scheduler.clone();
            let executor = kubernetes::Executor::start(config.clone(), cluster, scheduler).await;
            run_with(config, deps, executor.map_err(Error::Kubernetes)?, shutdown).await;
            Ok(())
        }
        ExecutorKind::Process | ExecutorKind::Container(_) => run_here(config, deps, shutdown).await,
    }
}

/// Runs jobs on this machine.
async fn run_here(mut config: Config, deps: Deps, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    keep_inherited();
    let left = kill_leftovers(&format!("{WORKER_MARK}={}", config.worker_id));
    if left > 0 {
        tracing::warn!(
            processes = left,
            "killed what jobs of an earlier process of this worker left behind"
        );
    }
    if config.job_user.is_some() {
        // Whatever this process makes from here on is its own, unless it is given to jobs.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
    prepare_folders(&mut config).await?;
    admit_job_user(&config)?;
    if matches!(config.executor, ExecutorKind::Process) {
        config.python = interpreter(config.python).await;
        // A link's target is what is run.
        if let (Some(user), Ok(python)) = (config.job_user, config.python.canonicalize()) {
            user.check_reaches(&python)?;
        }
    }
    let runner = Runner::start(&config).await?;
    let executor = Executor::new(config.clone(), deps.scheduler.clone(), Arc::clone(&runner));
    run_with(config, deps, executor, shutdown).await;
    runner.end_all().await;
    Ok(())
}

/// As [`run`], with an executor of the caller's: for simulations.
pub async fn run_with<E: Execute>(mut config: Config, deps: Deps, executor: E, shutdown: impl Future<Output = ()>) {
    config.slots = config.slots.clamp(1, SLOTS_MAX);
    Session::new(config, deps, Arc::new(executor)).run(shutdown).await;
}

async fn prepare_folders(config: &mut Config) -> Result<(), Error> {
    let failed = |path: &PathBuf| {
        let path = path.clone();
        |source| Error::WorkDir { path, source }
    };
    fs::create_dir_all(&config.work_dir)
        .await
        .map_err(failed(&config.work_dir))?;
    // Processes run elsewhere, so relative paths would mislead them.
    for path in [&mut config.work_dir, &mut config.awsglue_path] {
        *path = std::path::absolute(&*path).map_err(failed(path))?;
    }
    let attempts = config.work_dir.join(ATTEMPTS);
    match fs::remove_dir_all(&attempts).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&attempts)(error)),
        _ => fs::create_dir_all(&attempts).await.map_err(failed(&attempts)),
    }
}

/// Lets the user that jobs run as reach the folders of attempts, if there is one.
fn admit_job_user(config: &Config) -> Result<(), Error> {
    let Some(user) = config.job_user else { return Ok(()) };
    let modules = config.work_dir.join(MODULES);
    for folder in [&config.work_dir, &config.work_dir.join(ATTEMPTS), &modules] {
        let made = std::fs::create_dir_all(folder).and_then(|()| make_passable(folder));
        made.map_err(|source| Error::WorkDir {
            path: folder.clone(),
            source,
        })?;
    }
    // What is in them is checked as well: each is an ancestor of what jobs must reach.
    user.check_reaches(&modules.join("any"))?;
    user.check_reaches(&config.awsglue_path.join("awsglue").join("any"))?;
    Ok(())
}

/// The interpreter itself, where `python` is a launcher that needs an environment which scripts do not get.
async fn interpreter(python: PathBuf) -> PathBuf {
    let asked = Command::new(&python)
        .args(["-c", "import sys; sys.stdout.write(sys.executable)"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let path = match tokio::time::timeout(INTERPRETER_TIMEOUT, asked).await {
        Ok(Ok(answer)) if answer.status.success() => String::from_utf8(answer.stdout).ok(),
        _ => None,
    };
    match path.filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => {
            tracing::warn!(python = %python.display(), "the interpreter does not answer; job runs will fail");
            python
        }
    }
}
