//! The services behind the gateway.

use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use treenail_proto::aws::v1::Backend;
use treenail_rpc::Channel;

use crate::limits::READY_DEADLINE;

/// Where the services behind the gateway are.
#[derive(Clone, Debug)]
pub struct Backends {
    /// Definitions.
    pub control_plane: Channel,
    /// Executions.
    pub run_scheduler: Channel,
    /// Run properties.
    pub properties_store: Channel,
}

impl Backends {
    /// The service that a proto service belongs to; none for an internal one.
    pub(crate) fn get(&self, backend: Backend) -> Option<Channel> {
        match backend {
            Backend::ControlPlane => Some(self.control_plane.clone()),
            Backend::RunScheduler => Some(self.run_scheduler.clone()),
            Backend::PropertiesStore => Some(self.properties_store.clone()),
            Backend::Unspecified => None,
        }
    }

    /// Whether all of them answer.
    pub async fn are_ready(&self) -> bool {
        for channel in self.all() {
            let mut health = HealthClient::new(channel);
            let check = health.check(HealthCheckRequest { service: String::new() });
            let is_ready = match tokio::time::timeout(READY_DEADLINE, check).await {
                // In one process there is no health service: that the call came back says it all.
                Ok(Ok(_)) => true,
                Ok(Err(status)) => status.code() == Code::Unimplemented,
                Err(_) => false,
            };
            if !is_ready {
                return false;
            }
        }
        true
    }

    fn all(&self) -> [Channel; 3] {
        [
            self.control_plane.clone(),
            self.run_scheduler.clone(),
            self.properties_store.clone(),
        ]
    }
}
