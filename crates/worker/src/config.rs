//! What a worker is told when it starts.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use treenail_rpc::{Channel, Entropy};

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
    /// Whether scripts and files may be fetched from `http://` addresses.
    pub allow_http: bool,
    /// The environment of `pip install`, beyond what scripts get: a proxy, an index (`PIP_INDEX_URL`), certificates.
    pub installer_environment: BTreeMap<String, String>,
    /// Variables that every script gets beyond those that the worker sets itself, which win: `JAVA_HOME` for Spark.
    pub script_environment: BTreeMap<String, String>,
    /// How much and how long anything may be.
    pub limits: Limits,
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
            allow_http: false,
            installer_environment: BTreeMap::new(),
            script_environment: BTreeMap::new(),
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
    /// How often an outcome is said again that nobody acknowledged.
    pub outcome_again: Duration,
    /// How long a stopping worker takes to end its tasks and say so.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
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
            outcome_again: Duration::from_secs(5),
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
}
