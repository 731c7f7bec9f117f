//! The server of every process: limits, deadline, health, reflection and a bounded drain around a service's routes.

mod connections;
mod reflection;

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::{
    BoxError, ServiceBuilder, filter::FilterLayer, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer,
};

use crate::{
    deadline::DeadlineLayer,
    guard::Guard,
    limits,
    listener::{Listener, Peer},
    telemetry::spans::AnswerLayer,
};

/// Why a server ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener or a connection failed in a way that ends the server.
    #[error("the gRPC server failed")]
    Transport(#[from] transport::Error),
    /// The contract's descriptors do not hold together.
    #[error("gRPC reflection cannot be set up")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves routes on a listener until `shutdown` completes and the calls in flight are done.
///
/// `services` are the full names of the gRPC services in `routes` (`treenail.glue.v1.WorkflowService`): they are listed
/// by gRPC reflection (v1 and v1alpha) and reported as serving by `grpc.health.v1`, and as not serving from shutdown on.
/// Calls in flight at shutdown have [`limits::DRAIN`] to end.
///
/// # Errors
/// When the server cannot go on.
pub async fn serve_grpc(
    listener: impl Into<Listener>,
    routes: Routes,
    services: &[&str],
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let listener = listener.into();
    let guard = listener.guard().clone();
    let (health, health_service) = tonic_health::server::health_reporter();
    report(&health, services, ServingStatus::Serving).await;
    let routes = reflection::add(routes, services)?.add_service(health_service);

    let draining = CancellationToken::new();
    let serving = with_limits(transport::Server::builder())
        .layer(
            ServiceBuilder::new()
                // More than we can work on is refused at once rather than queued.
                .layer(LoadShedLayer::new())
                .layer(GlobalConcurrencyLimitLayer::new(limits::CALLS_IN_FLIGHT_MAX))
                .layer(FilterLayer::new(move |request| admit(&guard, request)))
                // A caller that is gone, or patient beyond reason, does not hold a call open.
                .layer(DeadlineLayer::watching())
                // Continues the trace that a call belongs to.
                .layer(AnswerLayer)
                .into_inner(),
        )
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections::of(listener), draining.clone().cancelled_owned());
    let stopping = async {
        shutdown.await;
        report(&health, services, ServingStatus::NotServing).await;
        draining.cancel();
        tokio::time::sleep(limits::DRAIN).await;
    };
    tokio::select! {
        ended = serving => Ok(ended?),
        () = stopping => {
            tracing::warn!(drain_seconds = limits::DRAIN.as_secs(), "calls outlived the drain and are cut");
            Ok(())
        }
    }
}

/// Lets a request in or turns it away, as the port's guard says.
fn admit<B>(guard: &Guard, request: http::Request<B>) -> Result<http::Request<B>, BoxError> {
    let is_proven = request.extensions().get::<Peer>().is_some_and(|peer| peer.is_proven);
    guard.admit(request.uri().path(), request.headers(), is_proven)?;
    Ok(request)
}

async fn report(health: &HealthReporter, services: &[&str], status: ServingStatus) {
    // The empty name stands for the whole server.
    for service in services.iter().copied().chain([""]) {
        health.set_service_status(service, status).await;
    }
}

fn with_limits(server: transport::Server) -> transport::Server {
    server
        .max_concurrent_streams(limits::HTTP2_STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(limits::HTTP2_HEADER_LIST_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(limits::HTTP2_PENDING_RESET_STREAMS_MAX))
        .http2_max_local_error_reset_streams(Some(limits::HTTP2_LOCAL_ERROR_RESET_STREAMS_MAX))
        .http2_keepalive_interval(Some(limits::KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEP_ALIVE_TIMEOUT))
}
