//! What a worker is told when it starts.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use tokio::sync::watch;
use treenail_proto::worker::v1::JobTask;
use treenail_rpc::{
    Channel, Entropy,
    tls::{self, ClientTls},
};
use treenail_sigv4::JobKey;

use crate::{
    images::Images,
    job_user::JobUser,
    kubernetes::Kubernetes,
    process::{self, Bounds, CgroupFolder},
};

/// What a worker is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The worker's id, a UUID that should stay the same over restarts; made up when empty.
    pub worker_id: String,
    /// How many tasks run at once, 1 to 10,000; whatever lies outside is brought inside.
    pub slots: u32,
    /// The folder of this worker alone: attempts have their folders in it, and installed Python modules are kept there.
    ///
    /// What an earlier process of this worker left of its attempts is removed at start.
    pub work_dir: PathBuf,
    /// The Python interpreter that runs the scripts: a path, or a name to be found on `PATH`.
    pub python: PathBuf,
    /// The folder in which `import awsglue` finds the package.
    pub awsglue_path: PathBuf,
    /// Where the scripts' AWS clients go: the gateway's address.
    pub aws_endpoint_url: String,
    /// Where S3 is, for scripts and for fetching them; `None` when it is at `aws_endpoint_url`.
    pub s3_endpoint_url: Option<String>,
    /// Who vouches for the gateway and for S3, where they are spoken to over `https://` and it is nobody that the machine
    /// trusts by itself.
    pub authority: Option<Authority>,
    /// What the credentials of jobs follow from, where the gateway checks them; it has the same.
    pub job_key: Option<JobKey>,
    /// Whether scripts and files may be fetched from `http://` and `https://` addresses.
    pub allow_http: bool,
    /// The environment of `pip install`, beyond what scripts get: a proxy, an index (`PIP_INDEX_URL`), certificates.
    pub installer_environment: BTreeMap<String, String>,
    /// Variables that every script gets beyond those that the worker sets itself, which win: `JAVA_HOME` for Spark.
    pub script_environment: BTreeMap<String, String>,
    /// What attempts run in.
    pub executor: ExecutorKind,
    /// The user that attempts run as; `None` for the worker's own.
    pub job_user: Option<JobUser>,
    /// Where each attempt that is a process of the worker's gets a control group of its own; `None` for nowhere.
    pub cgroups: Option<CgroupFolder>,
    /// How much and how long anything may be.
    pub limits: Limits,
}

/// Who vouches for servers.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The file of its certificates, in PEM: scripts get it as `AWS_CA_BUNDLE`.
    pub bundle: PathBuf,
    /// How the worker itself speaks to servers that it vouches for.
    pub tls: ClientTls,
}

impl Authority {
    /// The authority whose certificates a file holds.
    ///
    /// # Errors
    /// When the file cannot be read or holds none.
    pub fn open(bundle: PathBuf) -> Result<Self, tls::Error> {
        let tls = ClientTls::open(None, Some(bundle.clone()), tls::HTTP1)?;
        Ok(Self { bundle, tls })
    }
}

/// What attempts run in.
#[derive(Clone, Debug, Default)]
pub enum ExecutorKind {
    /// Processes of the worker's, with its rights.
    #[default]
    Process,
    /// Containers of an engine on this machine.
    Container(ContainerSettings),
    /// Jobs of a Kubernetes cluster.
    Kubernetes(Kubernetes),
}

/// How attempts run in containers.
#[derive(Clone, Debug)]
pub struct ContainerSettings {
    /// The engine's command, Docker's or Podman's: a path, or a name to be found on `PATH`.
    pub engine: PathBuf,
    /// Which image runs which jobs.
    pub images: Images,
    /// The engine's network that containers are in: `host` for the worker's own.
    pub network: String,
}

/// Eight slots, `python3`, nothing from the network but S3, and the gateway on loopback.
impl Default for Config {
    fn default() -> Self {
        Config {
            worker_id: String::new(),
            slots: 8,
            work_dir: PathBuf::from("work"),
            python: PathBuf::from("python3"),
            awsglue_path: PathBuf::from("python"),
            aws_endpoint_url: "http://127.0.0.1:4566".to_owned(),
            s3_endpoint_url: None,
            authority: None,
            job_key: None,
            allow_http: false,
            installer_environment: BTreeMap::new(),
            script_environment: BTreeMap::new(),
            executor: ExecutorKind::Process,
            job_user: None,
            cgroups: None,
            limits: Limits::default(),
        }
    }
}

/// How much and how long anything may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest script, in bytes.
    pub script_bytes: usize,
    /// The largest file of `--extra-py-files` and `--extra-files`, in bytes.
    pub extra_file_bytes: usize,
    /// How many files one such argument may name.
    pub extra_files: usize,
    /// How long fetching one script or file may take.
    pub fetch_timeout: Duration,
    /// How long `pip install` may take.
    pub install_timeout: Duration,
    /// How much of a task's output is kept from its beginning, in bytes.
    pub log_head_bytes: usize,
    /// How much of a task's output is kept from its end when it is more than `log_head_bytes`, in bytes.
    pub log_tail_bytes: usize,
    /// How long the last of a task's output may take to be kept; its outcome is said after that in any case.
    pub log_upload_timeout: Duration,
    /// How many files a script's process may have open.
    pub open_files: u64,
    /// How large a file may be that a script writes, in bytes.
    pub file_bytes: u64,
    /// How much memory the processes of one job may have together, in bytes, whatever the job's capacity allows; `None`
    /// for half of the machine's.
    pub job_memory_bytes: Option<u64>,
    /// How many processes one job may have at once.
    pub job_processes: usize,
    /// How often an outcome is said again that nobody acknowledged.
    pub outcome_again: Duration,
    /// How long the tasks of a worker that is told to stop may go on, before they are ended; none are taken meanwhile.
    pub drain_timeout: Duration,
    /// How long a stopping worker takes to end its tasks and say so.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        const GIB: u64 = 1024 * 1024 * 1024;
        Limits {
            script_bytes: 16 * MIB,
            extra_file_bytes: 64 * MIB,
            extra_files: 64,
            fetch_timeout: Duration::from_secs(30),
            install_timeout: Duration::from_secs(600),
            log_head_bytes: 16 * MIB,
            log_tail_bytes: MIB,
            log_upload_timeout: Duration::from_secs(10),
            open_files: 4_096,
            file_bytes: 14 * GIB,
            job_memory_bytes: None,
            job_processes: 512,
            outcome_again: Duration::from_secs(5),
            drain_timeout: Duration::ZERO,
            stop_timeout: Duration::from_secs(8),
        }
    }
}

/// What a worker works with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where the run-scheduler's `WorkerService` is.
    pub scheduler: Channel,
    /// Where jitter and a made-up worker id come from.
    pub entropy: Entropy,
    /// Told whether the worker is in touch with the run-scheduler.
    pub in_touch: watch::Sender<bool>,
}

impl Limits {
    /// What one process of a job may have.
    pub(crate) fn of_a_process(&self) -> process::Limits {
        process::Limits {
            open_files: self.open_files,
            file_bytes: self.file_bytes,
        }
    }

    /// What all processes of a job may have together: what its capacity gives on AWS, as far as this worker has it.
    pub(crate) fn of_a_job(&self, job: &JobTask) -> Bounds {
        let of_machine = || machine_memory_bytes().map_or(u64::MAX, |bytes| bytes / 2);
        Bounds {
            memory: memory_of(job).min(self.job_memory_bytes.unwrap_or_else(of_machine)),
            processes: self.job_processes,
        }
    }
}

/// How much memory a job's capacity gives: 16 GiB for a data processing unit, and 1 GiB for a sixteenth of one
/// (`AWS Glue developer guide: Python shell jobs`).
fn memory_of(job: &JobTask) -> u64 {
    const GIB: u64 = 1024 * 1024 * 1024;
    let is_python_shell = job
        .command
        .as_ref()
        .is_some_and(|command| command.name() == "pythonshell");
    match job.max_capacity {
        capacity if capacity > 0.0 && capacity < 1.0 => GIB,
        _ if is_python_shell => 16 * GIB,
        // Spark's workers are processes of this machine, which share what it has.
        _ => u64::MAX,
    }
}

/// How much memory the machine has; `None` where it does not tell.
fn machine_memory_bytes() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
