//! Services are put together: all in one process, or each alone.

mod access;
pub(crate) mod admin;
pub(crate) mod all_in_one;
mod executor;
pub(crate) mod split;
mod trust;

use std::{
    fs, io::ErrorKind, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration,
};

use anyhow::Context as _;
use tokio::net::TcpListener;
use treenail_gateway::{Backends, Ports, S3};
use treenail_rpc::{Clock, Entropy, Listener, tls};
use treenail_sigv4::JobKey;
use treenail_storage::{
    lock::{self, DataDir},
    sqlite::OnFatal,
};

use crate::{
    cli::{ClockKind, Front, Jobs},
    terminal,
};

/// How often a port or a folder that is taken is tried to be had, and the pause between.
const TAKES_MAX: u32 = 10;
const TAKE_PAUSE: Duration = Duration::from_millis(50);

/// The exit code of a server that is configured in a way that it refuses (`sysexits: EX_CONFIG`).
const REFUSED: u8 = 78;

/// A configuration that a server refuses.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// A configuration that is refused, in words.
pub(crate) fn refused(why: String) -> anyhow::Error {
    Refused(why).into()
}

/// The exit code of an error, where it has one of its own.
pub(crate) fn exit_code(error: &anyhow::Error) -> Option<u8> {
    error.downcast_ref::<Refused>().map(|_| REFUSED)
}

/// Takes a port. Beyond loopback nothing listens unless credentials are checked there, or the operator insists.
async fn bind(address: SocketAddr, is_safe: bool) -> anyhow::Result<TcpListener> {
    if !address.ip().is_loopback() && !is_safe {
        let message = format!(
            "{address} is not on loopback, and no credentials are checked: whoever reaches it could run code here. \
             Listen on 127.0.0.1, give a gateway --credentials, a service --peer-cert, the port of workers \
             --worker-token-file, an admin port --admin-token-file, or say --insecure"
        );
        return Err(Refused(message).into());
    }
    let bound = patiently(
        async || TcpListener::bind(address).await,
        |error| error.kind() == ErrorKind::AddrInUse,
    );
    bound.await.with_context(|| format!("cannot listen on {address}"))
}

/// Takes a data directory for this process alone.
async fn lock(path: &Path) -> anyhow::Result<DataDir> {
    let locked = patiently(
        async || DataDir::lock(path),
        |error| matches!(error, lock::Error::InUse { .. }),
    );
    locked
        .await
        .with_context(|| format!("cannot use the data directory {}", path.display()))
}

/// Tries something again for a moment as long as it is taken: a server that was killed may have left a process behind that
/// was just being started, and has all that was the server's for a millisecond more.
async fn patiently<T, E>(take: impl AsyncFn() -> Result<T, E>, is_taken: impl Fn(&E) -> bool) -> Result<T, E> {
    for _ in 0..TAKES_MAX {
        match take().await {
            Err(error) if is_taken(&error) => tokio::time::sleep(TAKE_PAUSE).await,
            taken => return taken,
        }
    }
    take().await
}

impl Front {
    /// Takes the public ports.
    async fn bind(&self) -> anyhow::Result<Ports> {
        let http = bind(self.listen, self.is_safe()).await?;
        let grpc = bind(self.grpc_listen, self.is_safe()).await?;
        if !self.grpc_listen.ip().is_loopback() && self.access.has_keys() && self.tls.tls_cert.is_none() {
            tracing::warn!("keys are said in clear over gRPC beyond loopback: give --tls-cert, or encrypt before it");
        }
        Ok(Ports {
            http: Listener::new(http, self.tls.open(tls::HTTP)?),
            http_of_jobs: None,
            grpc: Listener::new(grpc, self.tls.open(tls::GRPC)?),
        })
    }
}

/// What a gateway is told, and works with; its S3 is below the folder.
fn gateway(
    front: &Front,
    folder: &Path,
    backends: Backends,
    job_key: Option<JobKey>,
) -> anyhow::Result<(treenail_gateway::Config, treenail_gateway::Deps)> {
    let access = front.access.open(job_key)?;
    let s3 = match &front.s3_endpoint {
        None => Some(S3::open(&folder.join("s3"), access.auth.clone())?),
        Some(_) => None,
    };
    let config = treenail_gateway::Config {
        any_host: front.is_safe(),
        hosts: Vec::new(),
    };
    let deps = treenail_gateway::Deps {
        backends,
        entropy: Entropy::os(),
        s3,
        access,
    };
    Ok((config, deps))
}

/// What happens when a store fails: nothing is known of what is durable, so the process ends at once and the next one
/// reads what is.
fn on_fatal() -> OnFatal {
    Arc::new(|why: &str| {
        terminal::complain(&format!("the store failed, and nothing must go on from here: {why}"));
        std::process::abort();
    })
}

fn clock(kind: ClockKind) -> Clock {
    match kind {
        ClockKind::System => Clock::system(),
        ClockKind::Manual => Clock::manual(Clock::system().now()),
    }
}

/// A worker's settings. Its id stays the same over restarts, so that what it held before is known to be lost at once.
fn worker_config(
    data_dir: &Path,
    jobs: &Jobs,
    endpoint_url: String,
    s3_endpoint: Option<String>,
    job_key: Option<JobKey>,
) -> anyhow::Result<treenail_worker::Config> {
    let awsglue_path = data_dir.join("python");
    write_awsglue(&awsglue_path)?;
    let id_file = data_dir.join("worker-id");
    let worker_id = match fs::read_to_string(&id_file) {
        Ok(id) => id,
        Err(_) => {
            let id = Entropy::os().uuid().to_string();
            fs::write(&id_file, &id).with_context(|| format!("cannot write {}", id_file.display()))?;
            id
        }
    };
    let job_user = executor::job_user(jobs)?;
    if job_user.is_some() {
        admit_job_user(data_dir, &awsglue_path)?;
    }
    Ok(treenail_worker::Config {
        worker_id,
        slots: jobs.slots,
        work_dir: data_dir.join("work"),
        python: jobs.python.clone(),
        awsglue_path,
        aws_endpoint_url: endpoint_url,
        s3_endpoint_url: s3_endpoint,
        job_key,
        allow_http: jobs.allow_http,
        executor: executor::kind(jobs)?,
        job_user,
        cgroups: executor::cgroups(jobs),
        limits: treenail_worker::Limits {
            job_memory_bytes: jobs.job_memory_mib_max.map(|mib| mib.saturating_mul(1 << 20)),
            job_processes: jobs.job_processes_max,
            ..treenail_worker::Limits::default()
        },
        ..treenail_worker::Config::default()
    })
}

/// Lets another user pass the data directory on the way to what is for jobs, and closes all else in it.
fn admit_job_user(data_dir: &Path, awsglue_path: &Path) -> anyhow::Result<()> {
    const PASSABLE: u32 = 0o711;
    const READABLE: u32 = 0o755;
    const OWN: u32 = 0o700;
    let set = |path: &Path, mode: u32| {
        let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
        set.with_context(|| format!("cannot change who may use {}", path.display()))
    };
    for entry in fs::read_dir(data_dir)? {
        let (path, found) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        if path != awsglue_path && !found.is_symlink() {
            set(&path, found.permissions().mode() & OWN)?;
        }
    }
    for (name, _) in AWSGLUE {
        let file = awsglue_path.join("awsglue").join(name);
        // The folders from the file up to that of the package.
        for path in file.ancestors().take_while(|path| path.starts_with(awsglue_path)) {
            set(path, READABLE)?;
        }
    }
    set(data_dir, PASSABLE)
}

/// The `awsglue` package, as this binary carries it.
const AWSGLUE: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/awsglue.rs"));

/// Writes the `awsglue` package where jobs find it.
pub(crate) fn write_awsglue(folder: &Path) -> anyhow::Result<()> {
    for (name, text) in AWSGLUE {
        let path = folder.join("awsglue").join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
