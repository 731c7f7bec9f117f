//! The services behind the gateway.

use treenail_proto::aws::v1::Backend;
use treenail_rpc::Channel;

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

    pub(crate) fn all(&self) -> [Channel; 3] {
        [
            self.control_plane.clone(),
            self.run_scheduler.clone(),
            self.properties_store.clone(),
        ]
    }
}
