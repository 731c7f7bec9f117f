//! The engine's command line.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    sync::OnceCell,
    time::{sleep, timeout},
};

/// The label of all containers of a worker, with its id.
pub(super) const WORKER_LABEL: &str = "treenail.worker";

/// How long the engine may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the engine may take to make a container: it may have to get the image first.
const CREATE_TIMEOUT: Duration = Duration::from_secs(600);
/// How often a container is tried to be removed, and the pause between.
const REMOVALS_MAX: u32 = 5;
const REMOVAL_PAUSE: Duration = Duration::from_secs(1);
/// How many of the engine's last characters are told.
const TOLD_CHARACTERS_MAX: usize = 1_000;

/// Runs the engine's client, in the worker's own environment: it says where the engine is.
#[derive(Clone, Debug)]
pub(super) struct Client {
    engine: PathBuf,
    is_rootless_podman: Arc<OnceCell<bool>>,
}

impl Client {
    /// A client of the engine: a path, or a name to be found on `PATH`.
    pub(super) fn new(engine: PathBuf) -> Client {
        Client {
            engine,
            is_rootless_podman: Arc::default(),
        }
    }

    /// Makes a container.
    pub(super) async fn create(&self, arguments: &[OsString]) -> Result<(), String> {
        self.call(arguments, Some(CREATE_TIMEOUT)).await.map(drop)
    }

    /// Starts a container; the process that this gives has the container's outputs, and ends after it.
    pub(super) fn start(&self, name: &str) -> io::Result<Child> {
        let mut command = self.command(["start", "--attach", name]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    /// Tells what the engine knows of a container.
    pub(super) async fn inspect(&self, name: &str, format: &str) -> Result<String, String> {
        let arguments = ["container", "inspect", "--format", format, name];
        self.call(arguments, Some(CALL_TIMEOUT)).await
    }

    /// Waits until a container ends.
    pub(super) async fn wait(&self, name: &str) -> Result<(), String> {
        self.call(["wait", name], None).await.map(drop)
    }

    /// Ends and removes a container, if it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<(), String> {
        let mut failures = 0;
        loop {
            let removed = self
                .call(["rm", "--force", "--volumes", name], Some(CALL_TIMEOUT))
                .await;
            match removed {
                Err(cause) if cause.to_lowercase().contains("no such container") => return Ok(()),
                Err(cause) if failures == REMOVALS_MAX => return Err(cause),
                Err(_) => failures += 1,
                Ok(_) => return Ok(()),
            }
            sleep(REMOVAL_PAUSE).await;
        }
    }

    /// Ends and removes all containers with a label; says how many these were.
    pub(super) async fn remove_all(&self, label: &str) -> Result<usize, String> {
        let filter = format!("label={label}");
        let arguments = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter];
        let found = self.call(arguments, Some(CALL_TIMEOUT)).await?;
        let found: Vec<&str> = found.split_whitespace().collect();
        for id in &found {
            self.remove(id).await?;
        }
        Ok(found.len())
    }

    /// Whether this is Podman of a user's: there the worker's user within a container is another one, unless it is kept.
    pub(super) async fn is_rootless_podman(&self) -> bool {
        let ask = async || {
            let version = self.call(["--version"], Some(CALL_TIMEOUT)).await;
            let is_podman = version.is_ok_and(|version| version.to_lowercase().starts_with("podman"));
            is_podman && !rustix::process::geteuid().is_root()
        };
        *self.is_rootless_podman.get_or_init(ask).await
    }

    async fn call<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        limit: Option<Duration>,
    ) -> Result<String, String> {
        let mut command = self.command(arguments);
        let answer = match limit {
            Some(limit) => timeout(limit, command.output()).await,
            None => Ok(command.output().await),
        };
        match answer {
            Ok(Ok(answer)) if answer.status.success() => Ok(String::from_utf8_lossy(&answer.stdout).into_owned()),
            Ok(Ok(answer)) => Err(last_characters(&String::from_utf8_lossy(&answer.stderr))),
            Ok(Err(error)) => Err(format!("{} cannot be run: {error}", self.engine.display())),
            Err(_elapsed) => Err(format!("{} does not answer", self.engine.display())),
        }
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.engine);
        command
            .args(arguments)
            .stdin(Stdio::null())
            // A terminal's signals are for the worker: a client would hand them on to the script.
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

fn last_characters(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(TOLD_CHARACTERS_MAX);
    text.chars().skip(skipped).collect()
}
