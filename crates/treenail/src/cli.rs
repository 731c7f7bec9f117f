//! The command line.

mod arguments;
mod executor;
mod telemetry;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use treenail_rpc::telemetry::LogFormat;

use self::telemetry::Telemetry;
pub(crate) use self::{
    arguments::{
        Access, Admin, ControlPlane, Demo, Front, Gateway, Inner, JobKeyFile, Jobs, Peer, PropertiesStore,
        RunScheduler, Serve, Target, Tls, Worker, WorkerToken,
    },
    executor::{Executor, ExecutorKind, Stage},
};

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
    #[command(flatten)]
    pub(crate) telemetry: Telemetry,
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
    Serve(Box<Serve>),
    /// Run the gateway alone
    Gateway(Box<Gateway>),
    /// Run the control-plane alone
    ControlPlane(Box<ControlPlane>),
    /// Run the run-scheduler alone
    RunScheduler(Box<RunScheduler>),
    /// Run the properties-store alone
    PropertiesStore(Box<PropertiesStore>),
    /// Run a worker alone
    Worker(Box<Worker>),
    /// Bring a job's script and files into its pod
    #[command(hide = true)]
    Stage(Stage),
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
    /// Make what the services of an installation prove themselves with: an authority, certificates, a token for workers,
    /// and the key of jobs
    Trust {
        /// Where it goes: the authority, and a folder a service with all that this service is told.
        ///
        /// What is there is kept; only the certificates are made anew
        folder: PathBuf,
        /// Another host that the certificates are for, beside the service's name, localhost, 127.0.0.1 and ::1
        #[arg(long = "host")]
        hosts: Vec<String>,
        /// For how many days the certificates count
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
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
    /// What a server is called in telemetry; none for what is no server.
    pub(crate) fn service(&self) -> Option<&'static str> {
        match self {
            Self::Serve(_) => Some("treenail"),
            Self::Gateway(_) => Some("treenail-gateway"),
            Self::ControlPlane(_) => Some("treenail-control-plane"),
            Self::RunScheduler(_) => Some("treenail-run-scheduler"),
            Self::PropertiesStore(_) => Some("treenail-properties-store"),
            Self::Worker(_) => Some("treenail-worker"),
            _ => None,
        }
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
