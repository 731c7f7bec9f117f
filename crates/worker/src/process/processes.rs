//! Attempts as processes of the worker's.

use std::path::PathBuf;

use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::{bounds::Bounds, cgroups::Cgroups, group::Group, pre_exec::Limits, spawner::Spawner};
use crate::{config::Config, job_user::JobUser, outcome::Engine, start::Error, task::Launch};

/// The exit code with which the search for pyspark says that there is none.
const NO_PYSPARK: i32 = 3;

/// Runs attempts as processes with the rights of the worker, or of the user that jobs run as.
#[derive(Debug)]
pub(crate) struct Processes {
    spawner: Spawner,
    python: PathBuf,
    limits: Limits,
    user: Option<JobUser>,
    cgroups: Option<Cgroups>,
}

impl Processes {
    /// Starts the thread that starts processes; call it within a tokio runtime.
    ///
    /// # Errors
    /// When there is no such thread, or no control groups where some are asked for.
    pub(crate) fn start(config: &Config) -> Result<Processes, Error> {
        let cgroups = config.cgroups.as_ref();
        let cgroups = cgroups
            .map(|wanted| Cgroups::open(wanted, &config.worker_id))
            .transpose();
        Ok(Processes {
            cgroups: cgroups.map_err(Error::Cgroups)?,
            spawner: Spawner::start().map_err(Error::Spawner)?,
            python: config.python.clone(),
            limits: config.limits.of_a_process(),
            user: config.job_user,
        })
    }

    /// Starts an attempt's process.
    ///
    /// # Errors
    /// In words when it cannot be started, or `cancel` fires first.
    pub(crate) async fn run(
        &self,
        launch: &Launch<'_>,
        bounds: Bounds,
        cancel: &CancellationToken,
    ) -> Result<Group, String> {
        launch.folder.hand_over().await?;
        if launch.engine == Engine::Spark {
            let search = cancel.run_until_cancelled(self.require_pyspark(launch));
            search.await.ok_or("cancelled while it looked for pyspark")??;
        }
        let mut command = self.interpreter(launch);
        command.args(&launch.arguments);
        let name = format!("{}-{}", launch.task.task_id, launch.task.token);
        let cgroup = self
            .cgroups
            .as_ref()
            .map(|cgroups| cgroups.make(&name, bounds))
            .transpose();
        let cgroup = cgroup.map_err(|error| format!("The job's control group cannot be made: {error}"))?;
        let started = Group::start(command, &self.spawner, self.limits, self.user, cgroup).await;
        started.map_err(|error| format!("The script's process cannot be started: {error}"))
    }

    async fn require_pyspark(&self, launch: &Launch<'_>) -> Result<(), String> {
        let search =
            format!("import importlib.util as u, sys; sys.exit(0 if u.find_spec('pyspark') else {NO_PYSPARK})");
        let mut command = self.interpreter(launch);
        command.arg("-c").arg(search).kill_on_drop(true);
        if let Some(user) = self.user {
            // It may import what the job brings with it.
            command.uid(user.uid).gid(user.gid);
        }
        let answer = command.output().await;
        match answer.map(|answer| answer.status) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) if status.code() == Some(NO_PYSPARK) => Err(format!(
                "Spark jobs need pyspark, which the worker's Python ({}) does not have: pip install pyspark",
                self.python.display()
            )),
            Ok(status) => Err(format!("The worker's Python could not look for pyspark: {status}")),
            Err(error) => Err(format!("The worker's Python could not look for pyspark: {error}")),
        }
    }

    fn interpreter(&self, launch: &Launch<'_>) -> Command {
        let mut command = Command::new(&self.python);
        command
            .current_dir(launch.folder.work())
            .env_clear()
            .envs(&launch.environment);
        command
    }
}
