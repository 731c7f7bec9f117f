//! The port for operators, where one was asked for.

use std::future::Future;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use treenail_gateway::Backends;
use treenail_rpc::admin::{self, Metrics};

use crate::cli;

/// The port, and what is gathered for it.
#[derive(Debug)]
pub(crate) struct Admin(Option<(TcpListener, Metrics)>);

impl Admin {
    /// Takes the port. What happens before is not in its metrics.
    pub(super) async fn bind(arguments: &cli::Admin, insecure: bool) -> anyhow::Result<Self> {
        let Some(address) = arguments.admin_listen else {
            return Ok(Self(None));
        };
        let tokens = arguments.tokens()?;
        let listener = super::bind(address, insecure || tokens.is_some()).await?;
        Ok(Self(Some((listener, Metrics::install(tokens)?))))
    }

    /// Serves until `stop` is cancelled; ready while the services behind a gateway are.
    pub(super) async fn serve_over(self, backends: Backends, stop: CancellationToken) {
        let is_ready = move || {
            let backends = backends.clone();
            async move { backends.are_ready().await }
        };
        self.serve(is_ready, stop).await;
    }

    /// Serves until `stop` is cancelled.
    pub(super) async fn serve<R>(self, is_ready: impl Fn() -> R + Send + Sync + 'static, stop: CancellationToken)
    where
        R: Future<Output = bool> + Send + 'static,
    {
        match self.0 {
            Some((listener, metrics)) => admin::serve(listener, metrics, is_ready, stop.cancelled_owned()).await,
            None => stop.cancelled().await,
        }
    }
}
