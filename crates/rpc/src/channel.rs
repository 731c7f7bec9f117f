//! Where a client sends its calls; a server in this process and one far away are the same type.

use std::convert::Infallible;

use http::{Request, Response, Uri};
use tonic::{
    Status,
    body::Body,
    service::Routes,
    transport::{self, Endpoint},
};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

use crate::{
    deadline::DeadlineLayer,
    limits::{CONNECT_TIMEOUT, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT},
};

/// Where a client sends its calls: a connection to another process, or a server in this one.
///
/// Every generated client is built on it: `WorkflowServiceClient::new(channel)`.
///
/// Whoever uses it without a generated client finds the status of a failed RPC in the headers or trailers of the
/// response, as gRPC has it; the error is a transport that failed. (It is a [`Status`] rather than a boxed error, because
/// the future of a generated client over a boxed error is not `Send` in the eyes of the compiler.)
pub type Channel = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// A channel to another process.
///
/// Connects with the first call and again whenever the connection broke, so the other process may start later. Call it
/// within a tokio runtime. An endpoint without scheme or host fails with the first call, as an unreachable one does.
#[must_use]
pub fn connect(endpoint: Uri) -> Channel {
    let connection = Endpoint::from(endpoint)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        // A peer that vanished without a word is noticed, also while no call is open.
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_lazy();
    ServiceBuilder::new()
        .layer_fn(BoxCloneSyncService::new)
        // Also tells the server, which stops working on what nobody waits for.
        .layer(DeadlineLayer::telling_server())
        .map_err(|error: transport::Error| Status::from_error(error.into()))
        .service(connection)
}

/// A channel to a server in this process, without a socket: the call is a function call.
///
/// Whatever the caller drops is dropped in the server too, as it would be over a connection.
#[must_use]
pub fn in_process(routes: Routes) -> Channel {
    ServiceBuilder::new()
        .layer_fn(BoxCloneSyncService::new)
        .layer(DeadlineLayer::watching())
        .map_err(|never: Infallible| match never {})
        .service(routes.prepare())
}
