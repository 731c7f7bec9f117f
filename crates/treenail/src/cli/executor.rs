//! What jobs run in.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use treenail_worker::{ContainerSettings, ExecutorKind, Images, JobUser, JobUserError};

/// What jobs run in.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Executor {
    /// What jobs run in
    #[arg(long, env = "TREENAIL_EXECUTOR", default_value = "process")]
    executor: Kind,
    /// The engine of `--executor container`: docker, podman, or a path to one of them; it must be on the same machine
    #[arg(long, env = "TREENAIL_CONTAINER_ENGINE", default_value = "docker")]
    container_engine: PathBuf,
    /// The image of a command's jobs, for a version or for all: pythonshell=python:3.12-slim, glueetl:5.0=…; the most exact
    /// one wins
    #[arg(
        long = "image",
        env = "TREENAIL_IMAGES",
        value_name = "KEY=IMAGE",
        value_delimiter = ','
    )]
    images: Vec<String>,
    /// The engine's network for containers: `host` is the worker's own, where the server's loopback is in reach
    #[arg(long, env = "TREENAIL_CONTAINER_NETWORK", default_value = "host")]
    container_network: String,
    /// The user that jobs run as, a name or a number of /etc/passwd; the server must be root for that
    #[arg(long, env = "TREENAIL_JOB_USER", value_name = "USER")]
    job_user: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Kind {
    /// Processes with the worker's rights
    #[default]
    Process,
    /// Containers of Docker or Podman
    Container,
}

impl Executor {
    /// The user that jobs run as, where that is another one.
    pub(crate) fn job_user(&self) -> Result<Option<JobUser>, JobUserError> {
        self.job_user.as_deref().map(JobUser::find).transpose()
    }

    /// What the worker runs jobs in.
    pub(crate) fn kind(&self) -> anyhow::Result<ExecutorKind> {
        Ok(match self.executor {
            Kind::Process => ExecutorKind::Process,
            Kind::Container => {
                let images = self.images.iter().map(String::as_str);
                let images: Vec<&str> = images.filter(|image| !image.is_empty()).collect();
                anyhow::ensure!(
                    !images.is_empty(),
                    "--executor container needs an --image for the jobs that it is to run"
                );
                ExecutorKind::Container(ContainerSettings {
                    engine: self.container_engine.clone(),
                    images: Images::parse(images)?,
                    network: self.container_network.clone(),
                })
            }
        })
    }
}
