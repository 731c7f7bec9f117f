//! Attempts in containers of Docker or Podman.
//!
//! The engine is driven through its command line, the one interface that both have. What a script is told (its arguments
//! and its environment, with the job's credentials) is never on a command line and never in what the engine tells of a
//! container: it is in a file of the attempt's folder, which a launcher within the container reads.

mod client;
mod creation;
mod launcher;
mod state;

use std::{io, pin::pin, time::Duration};

use rustix::process::{getgid, getuid};
use tokio::{
    process::{Child, ChildStderr, ChildStdout},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::{
    client::{Client, WORKER_LABEL},
    creation::Creation,
    state::State,
};
use crate::{
    config::{Config, ContainerSettings, Limits},
    process::{Bounds, Breach, Ended},
    task::Launch,
};

/// How long an engine may take to finish making a container that is no longer wanted.
const CREATION_GRACE: Duration = Duration::from_secs(5);
/// How long an engine's client may go on once its container is gone.
const DETACH_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs attempts in containers.
#[derive(Debug)]
pub(crate) struct Containers {
    client: Client,
    settings: ContainerSettings,
    worker_id: String,
    limits: Limits,
    user: (u32, u32),
}

impl Containers {
    /// Asks the engine whether it is there, and removes the containers of an earlier process of this worker.
    ///
    /// # Errors
    /// In words when the engine cannot be used, or not for this worker's folders.
    pub(crate) async fn start(config: &Config, settings: &ContainerSettings) -> Result<Containers, String> {
        creation::check_mountable(&config.work_dir)?;
        creation::check_mountable(&config.awsglue_path)?;
        if let Some(authority) = &config.authority {
            creation::check_mountable(&authority.bundle)?;
        }
        let client = Client::new(settings.engine.clone());
        let containers = Containers {
            client,
            settings: settings.clone(),
            worker_id: config.worker_id.clone(),
            limits: config.limits.clone(),
            user: match config.job_user {
                Some(user) => (user.uid, user.gid),
                None => (getuid().as_raw(), getgid().as_raw()),
            },
        };
        let removed = containers.client.remove_all(&containers.mark()).await?;
        if removed > 0 {
            tracing::warn!(
                containers = removed,
                "removed what jobs of an earlier process of this worker left running"
            );
        }
        Ok(containers)
    }

    /// Starts an attempt's container.
    ///
    /// # Errors
    /// In words when no image is configured for it, the engine refuses it, or `cancel` fires first.
    pub(crate) async fn run(
        &self,
        launch: &Launch<'_>,
        bounds: Bounds,
        cancel: &CancellationToken,
    ) -> Result<Container, String> {
        let image = self.settings.images.of(launch.job)?;
        let told = launcher::write(launch).await?;
        launch.folder.hand_over().await?;
        let creation = Creation {
            launch,
            image,
            told: &told,
            network: &self.settings.network,
            worker_mark: &self.mark(),
            user: self.user,
            keeps_user: self.client.is_rootless_podman().await,
            limits: &self.limits,
            bounds,
        };
        // Made first: whatever happens from here on, there is something that removes it.
        let mut container = Container {
            client: self.client.clone(),
            name: creation.name(),
            attached: None,
        };
        let arguments = creation.arguments();
        if let Err(cause) = created(self.client.create(&arguments), cancel).await {
            container.remove().await;
            return Err(format!("The job's container cannot be made: {cause}"));
        }
        match self.client.start(&container.name) {
            Ok(attached) => {
                container.attached = Some(attached);
                Ok(container)
            }
            Err(error) => {
                container.remove().await;
                Err(format!("The job's container cannot be started: {error}"))
            }
        }
    }

    /// Ends the containers of all attempts.
    pub(crate) async fn end_all(&self) {
        if let Err(cause) = self.client.remove_all(&self.mark()).await {
            tracing::error!(cause, "containers may be left running until this worker starts again");
        }
    }

    /// The label by which this worker's containers are found.
    fn mark(&self) -> String {
        format!("{WORKER_LABEL}={}", self.worker_id)
    }
}

/// Waits until a container is made. Once `cancel` fires, an engine that is just about to make it may finish, lest the
/// container come after its removal; one that gets an image first is not waited for.
async fn created(creating: impl Future<Output = Result<(), String>>, cancel: &CancellationToken) -> Result<(), String> {
    let mut creating = pin!(creating);
    let cancelled = || "cancelled while the engine made it".to_owned();
    match cancel.run_until_cancelled(&mut creating).await {
        Some(created) => created,
        None => timeout(CREATION_GRACE, creating).await.map_err(|_| cancelled())?,
    }
}

/// An attempt's container.
#[derive(Debug)]
pub(crate) struct Container {
    client: Client,
    name: String,
    /// The engine's client, whose outputs are the container's.
    attached: Option<Child>,
}

impl Container {
    /// The container's outputs, once.
    pub(crate) fn outputs(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        let attached = self.attached.as_mut()?;
        Some((attached.stdout.take()?, attached.stderr.take()?))
    }

    /// Waits until the container ends, or ends it when `cancel` fires; then it is removed.
    pub(crate) async fn end(&mut self, bounds: Bounds, cancel: &CancellationToken) -> io::Result<Ended> {
        let ended = cancel.run_until_cancelled(self.ended(bounds)).await;
        self.remove().await;
        self.detach().await;
        ended.unwrap_or(Ok(Ended::Cancelled))
    }

    async fn ended(&mut self, bounds: Bounds) -> io::Result<Ended> {
        if let Some(attached) = &mut self.attached {
            // How the client ended says nothing sure: its own failures look like exit codes of the script.
            attached.wait().await?;
        }
        let mut state = self.state().await?;
        if state.is_running {
            tracing::warn!(container = self.name, "the output of a container is lost from here on");
            self.client.wait(&self.name).await.map_err(io::Error::other)?;
            state = self.state().await?;
        }
        Ok(match state {
            State { cause: Some(cause), .. } => Ended::NotStarted(cause),
            State { ran: false, .. } => Ended::NotStarted(String::new()),
            state if state.is_out_of_memory && !state.status().success() => {
                Ended::Breached(Breach::Memory(bounds.memory))
            }
            state => Ended::Exited(state.status()),
        })
    }

    async fn state(&self) -> io::Result<State> {
        let told = self
            .client
            .inspect(&self.name, state::FORMAT)
            .await
            .map_err(io::Error::other)?;
        state::read(&told).ok_or_else(|| io::Error::other("the container engine tells a state that makes no sense"))
    }

    /// Ends and removes the container. What cannot be removed is removed when the worker starts again.
    async fn remove(&self) {
        if let Err(cause) = self.client.remove(&self.name).await {
            tracing::error!(cause, container = self.name, "a container is left behind");
        }
    }

    async fn detach(&mut self) {
        if let Some(mut attached) = self.attached.take()
            && timeout(DETACH_TIMEOUT, attached.wait()).await.is_err()
            && let Err(error) = attached.kill().await
        {
            tracing::warn!(%error, "a client of the container engine could not be ended");
        }
    }
}
