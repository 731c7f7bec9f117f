//! What is old, or belongs to a workflow that is gone, is removed in small steps.

use treenail_proto::internal::v1::{ForgetRunPropertiesRequest, seed_service_client::SeedServiceClient};
use treenail_rpc::{Caller, Channel, Clock, Scope};

use crate::{
    config::Config,
    logs::Logs,
    store::{Error, Store},
};

/// How many runs one step removes.
const RUNS_PER_STEP: usize = 200;

/// Removes what nobody will ask for again.
#[derive(Debug, Clone)]
pub(crate) struct Sweeper<S> {
    pub(crate) config: Config,
    pub(crate) store: S,
    pub(crate) clock: Clock,
    pub(crate) properties: Channel,
    pub(crate) logs: Logs,
}

impl<S: Store> Sweeper<S> {
    /// Removes all that is due. What fails is logged, and tried again by the next sweep.
    pub(crate) async fn sweep(&self) {
        let before = self.clock.now().plus_millis(-self.config.retention_ms());
        if let Err(error) = self.logs.prune(before).await {
            tracing::error!(%error, "what old job runs wrote could not be removed");
        }
        loop {
            match self.step().await {
                Ok(removed) if removed == RUNS_PER_STEP => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "old runs could not be removed");
                    return;
                }
            }
        }
    }

    async fn step(&self) -> Result<usize, Error> {
        let before = self.clock.now().plus_millis(-self.config.retention_ms());
        let removed = self.store.prune(before.as_millis(), RUNS_PER_STEP).await?;
        let count = removed.len();
        let mut runs = removed.into_iter().peekable();
        while let Some((scope, run)) = runs.next() {
            let mut run_ids = vec![run];
            while let Some((_, run)) = runs.next_if(|(other, _)| *other == scope) {
                run_ids.push(run);
            }
            self.forget(scope, run_ids).await;
        }
        Ok(count)
    }

    async fn forget(&self, scope: Scope, run_ids: Vec<String>) {
        let request = Caller::new(scope).request(ForgetRunPropertiesRequest { run_ids });
        if let Err(status) = SeedServiceClient::new(self.properties.clone())
            .forget_run_properties(request)
            .await
        {
            tracing::warn!(%status, "the properties of removed runs stay in the properties-store");
        }
    }
}
