//! Where attempts run on this machine: as processes, or in containers.

use std::{io, sync::Arc};

use tokio::process::{ChildStderr, ChildStdout};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, ExecutorKind},
    container::{Container, Containers},
    process::{Bounds, Ended, Group, Processes},
    start::Error,
    task::Launch,
};

/// Runs attempts.
#[derive(Debug)]
pub(crate) enum Runner {
    /// As processes of the worker's.
    Process(Processes),
    /// In containers of an engine.
    Container(Box<Containers>),
}

impl Runner {
    /// Starts what all attempts share, and ends what an earlier process of this worker left running. Call it within a tokio
    /// runtime.
    ///
    /// # Errors
    /// When attempts cannot run: there is no thread for it, or no container engine.
    pub(crate) async fn start(config: &Config) -> Result<Arc<Runner>, Error> {
        let runner = match &config.executor {
            ExecutorKind::Process => Runner::Process(Processes::start(config)?),
            ExecutorKind::Kubernetes(_) => return Err(Error::Kubernetes("it runs no jobs of this machine".to_owned())),
            ExecutorKind::Container(settings) => {
                let containers = Containers::start(config, settings).await;
                Runner::Container(Box::new(containers.map_err(Error::ContainerEngine)?))
            }
        };
        Ok(Arc::new(runner))
    }

    /// Starts an attempt.
    ///
    /// # Errors
    /// In words, for the user, when it cannot be started, or when `cancel` fires first.
    pub(crate) async fn run(
        &self,
        launch: &Launch<'_>,
        bounds: Bounds,
        cancel: &CancellationToken,
    ) -> Result<Running, String> {
        match self {
            Runner::Process(processes) => processes.run(launch, bounds, cancel).await.map(Running::Process),
            Runner::Container(containers) => containers.run(launch, bounds, cancel).await.map(Running::Container),
        }
    }

    /// Ends what still runs, for a worker that ends: processes end with it, containers do not.
    pub(crate) async fn end_all(&self) {
        match self {
            Runner::Process(_) => {}
            Runner::Container(containers) => containers.end_all().await,
        }
    }
}

/// An attempt that runs.
#[derive(Debug)]
pub(crate) enum Running {
    /// As a process with its descendants.
    Process(Group),
    /// In a container.
    Container(Container),
}

impl Running {
    /// The outputs, once.
    pub(crate) fn outputs(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        match self {
            Running::Process(group) => group.outputs(),
            Running::Container(container) => container.outputs(),
        }
    }

    /// Waits until the attempt ends, or ends it: when `cancel` fires, and when it has more than `bounds`. Nothing of it runs
    /// afterwards.
    ///
    /// # Errors
    /// When nobody can tell how it ended.
    pub(crate) async fn end(&mut self, bounds: Bounds, cancel: &CancellationToken) -> io::Result<Ended> {
        match self {
            Running::Process(group) => group.end(bounds, cancel).await,
            Running::Container(container) => container.end(bounds, cancel).await,
        }
    }
}
