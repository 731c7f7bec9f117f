//! What servers are told, and clients.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use http::Uri;

use super::{ClockKind, Executor};

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
    /// Who vouches for a server at https://, in PEM, when the machine does not trust it by itself
    #[arg(long, env = "TREENAIL_CA")]
    pub(crate) ca: Option<PathBuf>,
}

/// What operators ask a process.
#[derive(Debug, Clone, Args)]
pub(crate) struct Admin {
    /// Where /healthz, /readyz and /metrics are answered; nowhere when it is not given
    #[arg(long, env = "TREENAIL_ADMIN_LISTEN")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// A file of tokens, one a line: /metrics is answered to their holders only, and the port may be beyond loopback
    #[arg(long, env = "TREENAIL_ADMIN_TOKEN_FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
}

/// How the public ports are encrypted.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Tls {
    /// The certificate of the public ports with those that lead to its authority, in PEM: they are then spoken to over
    /// https://, and it is read again when it changes
    #[arg(long, env = "TREENAIL_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, env = "TREENAIL_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// How services prove themselves to each other.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Peer {
    /// The certificate that this service shows the others, in PEM; it is read again when it changes
    #[arg(long, env = "TREENAIL_PEER_CERT", requires_all = ["peer_key", "peer_ca"])]
    pub(crate) peer_cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, env = "TREENAIL_PEER_KEY", requires = "peer_cert")]
    pub(crate) peer_key: Option<PathBuf>,
    /// The authority that vouches for the others: without its certificate nobody calls this service
    #[arg(long, env = "TREENAIL_PEER_CA")]
    pub(crate) peer_ca: Option<PathBuf>,
}

/// What workers register with.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WorkerToken {
    /// A file of tokens for workers, one a line: a run-scheduler takes any of them, a worker says the first
    #[arg(long, env = "TREENAIL_WORKER_TOKEN_FILE")]
    pub(crate) worker_token_file: Option<PathBuf>,
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
    pub(crate) tls: Tls,
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
    #[command(flatten)]
    pub(crate) executor: Executor,
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
    #[command(flatten)]
    pub(crate) worker_token: WorkerToken,
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
    #[command(flatten)]
    pub(crate) peer: Peer,
}

/// What the services that only others call are told alike.
#[derive(Debug, Clone, Args)]
pub(crate) struct Inner {
    #[command(flatten)]
    pub(crate) admin: Admin,
    #[command(flatten)]
    pub(crate) peer: Peer,
    /// Listen beyond loopback although no credentials are checked
    #[arg(long, env = "TREENAIL_INSECURE")]
    pub(crate) insecure: bool,
    /// Which clock the server has; the properties-store looks at none
    #[arg(long, env = "TREENAIL_CLOCK", default_value = "system")]
    pub(crate) clock: ClockKind,
}

/// `treenail control-plane`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ControlPlane {
    #[command(flatten)]
    pub(crate) inner: Inner,
    /// Where definitions are kept
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data/control-plane")]
    pub(crate) data_dir: PathBuf,
    /// Where gRPC is answered
    #[arg(long, env = "TREENAIL_LISTEN", default_value = "127.0.0.1:4572")]
    pub(crate) listen: SocketAddr,
    /// The run-scheduler
    #[arg(long, env = "TREENAIL_RUN_SCHEDULER", default_value = "http://127.0.0.1:4573")]
    pub(crate) run_scheduler: Uri,
}

/// `treenail run-scheduler`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunScheduler {
    #[command(flatten)]
    pub(crate) inner: Inner,
    /// Where executions are kept
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data/run-scheduler")]
    pub(crate) data_dir: PathBuf,
    /// Where gRPC is answered
    #[arg(long, env = "TREENAIL_LISTEN", default_value = "127.0.0.1:4573")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) worker_token: WorkerToken,
    /// The properties-store
    #[arg(long, env = "TREENAIL_PROPERTIES_STORE", default_value = "http://127.0.0.1:4574")]
    pub(crate) properties_store: Uri,
}

/// `treenail properties-store`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PropertiesStore {
    #[command(flatten)]
    pub(crate) inner: Inner,
    /// Where run properties are kept
    #[arg(long, env = "TREENAIL_DATA_DIR", default_value = "./treenail-data/properties-store")]
    pub(crate) data_dir: PathBuf,
    /// Where gRPC is answered
    #[arg(long, env = "TREENAIL_LISTEN", default_value = "127.0.0.1:4574")]
    pub(crate) listen: SocketAddr,
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
    /// Who vouches for these endpoints when they are https:// and nobody the machine trusts does, in PEM; jobs get it as
    /// AWS_CA_BUNDLE
    #[arg(long, env = "TREENAIL_CA")]
    pub(crate) ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) peer: Peer,
    #[command(flatten)]
    pub(crate) worker_token: WorkerToken,
    /// How long jobs may go on once the worker is told to stop, in seconds: it takes no more of them, and ends those that
    /// still run then; 0 ends them at once
    #[arg(long, env = "TREENAIL_DRAIN_SECONDS", default_value_t = 20)]
    pub(crate) drain_seconds: u32,
    #[command(flatten)]
    pub(crate) job_key: JobKeyFile,
    /// The worker's id, where it is to stay the same without a data directory that does; another worker's must differ
    #[arg(long, env = "TREENAIL_WORKER_ID")]
    pub(crate) worker_id: Option<String>,
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
