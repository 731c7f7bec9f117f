//! From configuration to a served service.

use std::future::Future;

use treenail_proto::{
    glue::v1::run_properties_service_server::SERVICE_NAME as RUN_PROPERTIES_SERVICE,
    internal::v1::seed_service_server::SERVICE_NAME as SEED_SERVICE,
};
use treenail_rpc::{Listener, serve_grpc, server};

use crate::{config::Config, service::Service, store::Store};

/// The gRPC services that the routes hold.
pub const SERVICES: &[&str] = &[RUN_PROPERTIES_SERVICE, SEED_SERVICE];

/// What the service needs from the process.
#[derive(Debug)]
pub struct Deps<S> {
    /// Where properties are kept.
    pub store: S,
}

/// Builds the service. It has no background work: it is served, in process by its routes or on a socket by [`serve`].
pub fn build<S: Store>(config: Config, deps: Deps<S>) -> Service<S> {
    Service::new(config, deps.store)
}

/// Serves the service on a socket until `shutdown` completes and the calls in flight are done.
///
/// # Errors
/// As [`serve_grpc`].
pub async fn serve<S: Store>(
    service: Service<S>,
    listener: Listener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), server::Error> {
    serve_grpc(listener, service.routes(), SERVICES, shutdown).await
}
