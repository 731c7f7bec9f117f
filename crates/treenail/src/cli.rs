//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::Uri;
use treenail_rpc::telemetry::LogFormat;

/// Runs AWS Glue workflows anywhere.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    /// A TOML file with what flags and variables do not say
    #[arg(long, env = "TREENAIL_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// How servers write their logs
    #[arg(long, env = "TREENAIL_LOG_FORMAT", default_value = "human", global = true)]
    pub(crate) log_format: Format,
    /// What servers log, such as `info` or `warn,treenail_worker=debug`
    #[arg(long, env = "TREENAIL_LOG", default_value = "info", global = true)]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    Human,
    /// One JSON object a line
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Human => LogFormat::Human,
            Format::Json => LogFormat::Json,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all services in one process, with the embedded store
    Serve(Serve),
    /// Run the gateway alone
    Gateway(Gateway),
    /// Run the control-plane alone
    ControlPlane(ControlPlane),
    /// Run the run-scheduler alone
    RunScheduler(RunScheduler),
    /// Run the properties-store alone
    PropertiesStore(PropertiesStore),
    /// Run a worker alone
    Worker(Worker),
    /// Start a server, run an example on it and show what it did
    Demo(Demo),
    /// Make, list and revoke the keys of a file
    Keys {
        #[command(subcommand)]
        step: KeysStep,
        /// The file of keys
        #[arg(long, env = "TREENAIL_CREDENTIALS", global = true)]
        credentials: Option<PathBuf>,
    },
    /// Ask a server's admin port whether it is ready; exits with 0 when it is, else with 1
    Healthcheck {
        /// The admin port
        #[arg(long, env = "TREENAIL_ADMIN_LISTEN", default_value = "127.0.0.1:4579")]
        admin_listen: SocketAddr,
    },
    /// Create or update the jobs, workflows and triggers that a bundle describes
    Apply {
        /// A folder with a treenail.yaml, or such a file
        path: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Start a workflow and follow it until it ends; exits with 0 when all went well, else with 1
    Run {
        /// The workflow
        workflow: String,
        /// A run property
        #[arg(short = 'p', long = "property", value_name = "KEY=VALUE")]
        properties: Vec<String>,
        /// Do not wait for the run to end
        #[arg(long)]
        no_follow: bool,
        #[command(flatten)]
        target: Target,
    },
    /// List what there is
    Ls {
        /// What to list
        #[arg(default_value = "workflows")]
        what: Listing,
        /// The workflow or job whose runs are listed
        name: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Show a workflow's last run, or a given one, as a graph
    Show {
        /// The workflow
        name: String,
        /// The run; the last one when it is not given
        run: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Say why a run, or a node of it, is as it is
    Explain {
        /// The run
        run: String,
        /// A job, crawler or trigger of it
        node: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Print what happened in a run
    History {
        /// The run
        run: String,
        #[command(flatten)]
        target: Target,
    },
    /// Say what differs between two runs
    Diff {
        /// A run
        one: String,
        /// Another run
        other: String,
        #[command(flatten)]
        target: Target,
    },
    /// Print what a job run wrote
    Logs {
        /// The job run
        id: String,
        /// Go on until the job run ends
        #[arg(short, long)]
        follow: bool,
        /// Only standard output
        #[arg(long, conflicts_with = "stderr")]
        stdout: bool,
        /// Only standard error
        #[arg(long)]
        stderr: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Stop a workflow run
    Stop {
        /// The workflow
        workflow: String,
        /// The run
        run: String,
        #[command(flatten)]
        target: Target,
    },
    /// Resume a completed workflow run from some of its nodes
    Resume {
        /// The workflow
        workflow: String,
        /// The run
        run: String,
        /// The jobs to restart, by name or node id
        #[arg(required = true)]
        nodes: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Tell the server's time, or move its clock
    Clock {
        #[command(subcommand)]
        step: Option<ClockStep>,
        #[command(flatten)]
        target: Target,
    },
}

impl Command {
    pub(crate) fn is_server(&self) -> bool {
        matches!(
            self,
            Self::Serve(_)
                | Self::Gateway(_)
                | Self::ControlPlane(_)
                | Self::RunScheduler(_)
                | Self::PropertiesStore(_)
                | Self::Worker(_)
        )
    }
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysStep {
    /// Make a key; its secret is told this once
    Create {
        /// The account that it is for: twelve digits
        #[arg(long, default_value = "000000000000")]
        account: String,
        /// Who holds it
        #[arg(long, default_value = "user")]
        user: String,
        /// What it allows: viewer, operator, author, admin, or a file with a policy in AWS's form
        #[arg(long, default_value = "author")]
        policy: String,
    },
    /// List the keys, without their secrets
    List,
    /// Remove a key: the next request that it signs is refused
    Revoke {
        /// The access key
        access_key: String,
    },
}

/// What to do with the clock.
#[derive(Debug, Subcommand)]
pub(crate) enum ClockStep {
    /// Move a manual clock forward
    Advance {
        /// How far, such as 90s, 15m, 12h or 1d
        step: String,
    },
}

/// What can be listed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Listing {
    /// Workflows
    Workflows,
    /// Jobs
    Jobs,
    /// Triggers
    Triggers,
    /// The runs of a workflow
    Runs,
    /// The runs of a job
    JobRuns,
}

/// Which clock a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClockKind {
    /// The machine's
    System,
    /// One that `treenail clock advance` moves
    Manual,
}

/// Where a client's calls go.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The server's gRPC port
    #[arg(long, env = "TREENAIL_GRPC_ENDPOINT", default_value = "http://127.0.0.1:4571")]
    pub(crate) grpc_endpoint: Uri,
    /// The account: twelve digits
    #[arg(long, env = "TREENAIL_ACCOUNT")]
    pub(crate) account: Option<String>,
    /// The region
    #[arg(long, env = "AWS_REGION")]
    pub(crate) region: Option<String>,
    /// An access key: one of twelve digits is the account
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide = true)]
    pub(crate) access_key: Option<String>,
    /// Its secret; it is sent only with a key that `treenail keys` made
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide = true, hide_env_values = true)]
    pub(crate) secret_key: Option<String>,
}

/// What operators ask a process.
#[derive(Debug, Clone, Args)]
pub(crate) struct Admin {
    /// Where /healthz, /readyz and /metrics are answered; nowhere when it is not given
    #[arg(long, env = "TREENAIL_ADMIN_LISTEN")]
    pub(crate) admin_listen: Option<SocketAddr>,
}

/// Where a server listens.
#[derive(Debug, Clone, Args)]
pub(crate) struct Front {
    /// Where AWS JSON and S3 are answered
    #[arg(long, env = "TREENAIL_LISTEN", default_value = "127.0.0.1:4570")]
    pub(crate) listen: SocketAddr,
    /// Where gRPC is answered
    #[arg(long, env = "TREENAIL_GRPC_LISTEN", default_value = "127.0.0.1:4571")]
    pub(crate) grpc_listen: SocketAddr,
    /// Listen beyond loopback although no credentials are checked
    #[arg(long, env = "TREENAIL_INSECURE")]
    pub(crate) insecure: bool,
    /// Another S3 endpoint: Treenail then answers none
    #[arg(long, env = "TREENAIL_S3_ENDPOINT")]
    pub(crate) s3_endpoint: Option<String>,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// Who is let in.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Access {
    /// A file of keys (`treenail keys`): nothing is answered but to their holders
    #[arg(long, env = "TREENAIL_CREDENTIALS")]
    pub(crate) credentials: Option<PathBuf>,
    /// Where calls are written down, a JSON object a line
    #[arg(long, env = "TREENAIL_AUDIT_LOG")]
    pub(crate) audit_log: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) job_key: JobKeyFile,
}

/// What the keys of jobs follow from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct JobKeyFile {
    /// A file of 32 random bytes or more, the same for gateways and workers: the keys of jobs follow from it
    #[arg(long, env = "TREENAIL_JOB_KEY_FILE")]
    pub(crate) job_key_file: Option<PathBuf>,
}

/// How jobs are run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Jobs {
    /// How many jobs run at once; with 0 a server has no worker of its own
    #[arg(long, env = "TREENAIL_SLOTS", default_value_t = 8)]
    pub(crate) slots: u32,
    /// The Python that runs the jobs
    #[arg(long, env = "TREENAIL_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// How many MiB of memory one job may have at the most; half of the machine's when it is not given
    #[arg(long, env = "TREENAIL_JOB_MEMORY_MIB_MAX")]
    pub(crate) job_memory_mib_max: Option<u64>,
    /// How many processes one job may have at once
    #[arg(long, env = "TREENAIL_JOB_PROCESSES_MAX", default_value_t = 512)]
    pub(crate) job_processes_max: usize,
    /// Let jobs' scripts come from http:// and https:// addresses
    #[arg(long, env = "TREENAIL_ALLOW_HTTP")]
    pub(crate) allow_http: bool,
}

/// `treenail serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// Where everything is kept
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) front: Front,
    /// Where workers in other processes find the run-scheduler; nowhere when it is not given
    #[arg(long, env = "TREENAIL_SCHEDULER_LISTEN")]
    pub(crate) scheduler_listen: Option<SocketAddr>,
    /// Which clock the server has
    #[arg(long, env = "TREENAIL_CLOCK", default_value = "system")]
    pub(crate) clock: ClockKind,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
}

/// `treenail gateway`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Gateway {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// Where S3's folders are
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) front: Front,
    /// The control-plane
    #[arg(long, env = "TREENAIL_CONTROL_PLANE", default_value = "http://127.0.0.1:4572")]
    pub(crate) control_plane: Uri,
    /// The run-scheduler
    #[arg(long, env = "TREENAIL_RUN_SCHEDULER", default_value = "http://127.0.0.1:4573")]
    pub(crate) run_scheduler: Uri,
    /// The properties-store
    #[arg(long, env = "TREENAIL_PROPERTIES_STORE", default_value = "http://127.0.0.1:4574")]
    pub(crate) properties_store: Uri,
}

/// `treenail control-plane`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ControlPlane {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// Where definitions are kept
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data/control-plane")]
    pub(crate) data_dir: PathBuf,
    /// Where gRPC is answered
    #[arg(long, env = "TREENAIL_LISTEN", default_value = "127.0.0.1:4572")]
    pub(crate) listen: SocketAddr,
    /// Listen beyond loopback although no credentials are checked
    #[arg(long, env = "TREENAIL_INSECURE")]
    pub(crate) insecure: bool,
    /// The run-scheduler
    #[arg(long, env = "TREENAIL_RUN_SCHEDULER", default_value = "http://127.0.0.1:4573")]
    pub(crate) run_scheduler: Uri,
    /// Which clock the server has
    #[arg(long, env = "TREENAIL_CLOCK", default_value = "system")]
    pub(crate) clock: ClockKind,
}

/// `treenail run-scheduler`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunScheduler {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// Where executions are kept
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data/run-scheduler")]
    pub(crate) data_dir: PathBuf,
    /// Where gRPC is answered
    #[arg(long, env = "TREENAIL_LISTEN", default_value = "127.0.0.1:4573")]
    pub(crate) listen: SocketAddr,
    /// Listen beyond loopback although no credentials are checked
    #[arg(long, env = "TREENAIL_INSECURE")]
    pub(crate) insecure: bool,
    /// The properties-store
    #[arg(long, env = "TREENAIL_PROPERTIES_STORE", default_value = "http://127.0.0.1:4574")]
    pub(crate) properties_store: Uri,
    /// Which clock the server has
    #[arg(long, env = "TREENAIL_CLOCK", default_value = "system")]
    pub(crate) clock: ClockKind,
}

/// `treenail properties-store`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PropertiesStore {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// Where run properties are kept
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data/properties-store")]
    pub(crate) data_dir: PathBuf,
    /// Where gRPC is answered
    #[arg(long, env = "TREENAIL_LISTEN", default_value = "127.0.0.1:4574")]
    pub(crate) listen: SocketAddr,
    /// Listen beyond loopback although no credentials are checked
    #[arg(long, env = "TREENAIL_INSECURE")]
    pub(crate) insecure: bool,
    /// Which clock the server has; this service looks at none
    #[arg(long, env = "TREENAIL_CLOCK", default_value = "system")]
    pub(crate) clock: ClockKind,
}

/// `treenail worker`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// Let the admin port listen beyond loopback
    #[arg(long, env = "TREENAIL_INSECURE")]
    pub(crate) insecure: bool,
    /// Where attempts have their folders
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data/worker")]
    pub(crate) data_dir: PathBuf,
    /// The run-scheduler
    #[arg(long, env = "TREENAIL_RUN_SCHEDULER", default_value = "http://127.0.0.1:4573")]
    pub(crate) run_scheduler: Uri,
    /// The gateway's address for the AWS calls of jobs
    #[arg(long, env = "TREENAIL_ENDPOINT_URL", default_value = "http://127.0.0.1:4570")]
    pub(crate) endpoint_url: String,
    /// Another S3 endpoint
    #[arg(long, env = "TREENAIL_S3_ENDPOINT")]
    pub(crate) s3_endpoint: Option<String>,
    #[command(flatten)]
    pub(crate) job_key: JobKeyFile,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
}

/// `treenail demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Demo {
    /// The bundle to run
    #[arg(default_value = "examples/sales-etl")]
    pub(crate) bundle: PathBuf,
    /// Where everything is kept; a temporary folder when it is not given
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The Python that runs the jobs
    #[arg(long, env = "TREENAIL_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,
}
