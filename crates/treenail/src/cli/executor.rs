//! Where jobs run, as arguments of the servers that have a worker.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where jobs run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExecutorKind {
    /// As processes of this machine
    #[default]
    Process,
    /// In containers of Docker or Podman
    Container,
    /// As Jobs of a Kubernetes cluster
    Kubernetes,
}

/// Where jobs run, and as what.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Executor {
    /// Where jobs run
    #[arg(long, env = "TREENAIL_EXECUTOR", default_value = "process")]
    pub(crate) executor: ExecutorKind,
    /// The image that runs a command: pythonshell=IMAGE, or with the version pythonshell:3.9=IMAGE or glueetl:5.0=IMAGE
    #[arg(
        long = "image",
        env = "TREENAIL_IMAGES",
        value_name = "COMMAND=IMAGE",
        value_delimiter = ','
    )]
    pub(crate) images: Vec<String>,
    #[command(flatten)]
    pub(crate) container: Container,
    /// The user that jobs run as, a name or a number of /etc/passwd; the server must be root for that
    #[arg(long, env = "TREENAIL_JOB_USER", value_name = "USER")]
    pub(crate) job_user: Option<String>,
    /// Where each job that is a process gets a control group, so that the kernel bounds its memory and its processes:
    /// `own`, in the group that the worker is in, or a folder of the unified hierarchy
    #[arg(long, env = "TREENAIL_JOB_CGROUPS", value_name = "own|FOLDER")]
    pub(crate) job_cgroups: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kubernetes: Kubernetes,
}

/// The engine whose containers run jobs.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Container {
    /// The container engine: docker, podman, or a path to one of them; it must be on the same machine
    #[arg(long, env = "TREENAIL_CONTAINER_ENGINE", default_value = "docker")]
    pub(crate) container_engine: PathBuf,
    /// The engine's network for containers: `host` is the worker's own, where the server's loopback is in reach
    #[arg(long, env = "TREENAIL_CONTAINER_NETWORK", default_value = "host")]
    pub(crate) container_network: String,
}

/// The cluster that runs jobs.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Kubernetes {
    /// The namespace of the Kubernetes Jobs
    #[arg(long, env = "TREENAIL_KUBERNETES_NAMESPACE", default_value = "treenail-jobs")]
    pub(crate) kubernetes_namespace: String,
    /// The image that has this binary, which prepares the pods of jobs
    #[arg(long, env = "TREENAIL_KUBERNETES_IMAGE", default_value = "treenail")]
    pub(crate) kubernetes_image: String,
    /// How much of what AWS gives a job its pod gets, 0.01 to 10
    #[arg(long, env = "TREENAIL_KUBERNETES_RESOURCE_FACTOR", default_value_t = 1.0)]
    pub(crate) kubernetes_resource_factor: f64,
    /// How many seconds a job may wait for a place on a node, and for its images
    #[arg(long, env = "TREENAIL_KUBERNETES_START_TIMEOUT_SECONDS", default_value_t = 600)]
    pub(crate) kubernetes_start_timeout_seconds: u64,
    /// The user and the group that pods run as: a number, not 0
    #[arg(
        long,
        env = "TREENAIL_KUBERNETES_RUN_AS",
        default_value_t = 65532,
        value_parser = clap::value_parser!(i64).range(1..)
    )]
    pub(crate) kubernetes_run_as: i64,
}

/// `treenail stage`: where things are in the pod of a job.
#[derive(Debug, Clone, Args)]
pub(crate) struct Stage {
    /// Where the task is
    #[arg(long)]
    pub(crate) order: PathBuf,
    /// Where the script and its files go
    #[arg(long)]
    pub(crate) attempt: PathBuf,
    /// Where it is written down how the script is started
    #[arg(long)]
    pub(crate) launch: PathBuf,
}
