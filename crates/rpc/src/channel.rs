//! Where a client sends its calls; a server in this process and one far away are the same type.

use std::{convert::Infallible, error::Error as _, io, sync::Arc};

use http::{Request, Response, Uri, header::AUTHORIZATION};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tonic::{
    Code, Status,
    body::Body,
    service::Routes,
    transport::{self, Endpoint},
};
use tower::{ServiceBuilder, service_fn, util::BoxCloneSyncService};

use crate::{
    deadline::DeadlineLayer,
    guard::Token,
    limits::{CONNECT_TIMEOUT, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT},
    telemetry::spans::{AnswerLayer, PropagateLayer},
    tls::ClientTls,
};

/// Where a client sends its calls: a connection to another process, or a server in this one.
///
/// Every generated client is built on it: `WorkflowServiceClient::new(channel)`.
///
/// Whoever uses it without a generated client finds the status of a failed RPC in the headers or trailers of the
/// response, as gRPC has it; the error is a transport that failed. (It is a [`Status`] rather than a boxed error, because
/// the future of a generated client over a boxed error is not `Send` in the eyes of the compiler.)
pub type Channel = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// By what a process proves itself to another one, and whom it believes.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// How `https://` endpoints are spoken to; without it they cannot be.
    pub tls: Option<ClientTls>,
    /// What is said with each call.
    pub token: Option<Token>,
}

/// A channel to another process that asks for no credentials, over a connection that is not encrypted.
///
/// As [`connect_as`].
#[must_use]
pub fn connect(endpoint: Uri) -> Channel {
    connect_as(endpoint, Credentials::default())
}

/// A channel to another process.
///
/// Connects with the first call and again whenever the connection broke, so the other process may start later. Call it
/// within a tokio runtime. An endpoint without scheme or host fails with the first call, as an unreachable one does.
#[must_use]
pub fn connect_as(endpoint: Uri, credentials: Credentials) -> Channel {
    let Credentials { tls, token } = credentials;
    let connection = connection(Endpoint::from(endpoint), tls);
    let token = token.map(|token| token.header());
    ServiceBuilder::new()
        .layer_fn(BoxCloneSyncService::new)
        .layer(PropagateLayer)
        // Also tells the server, which stops working on what nobody waits for.
        .layer(DeadlineLayer::telling_server())
        .map_err(unreached)
        .map_request(move |mut request: Request<Body>| {
            if let Some(token) = &token {
                request.headers_mut().insert(AUTHORIZATION, token.clone());
            }
            request
        })
        .service(connection)
}

/// A connection that is opened when it is first needed.
pub(crate) fn connection(endpoint: Endpoint, tls: Option<ClientTls>) -> transport::Channel {
    let open = service_fn(move |endpoint: Uri| {
        let tls = tls.clone();
        async move {
            // Here rather than as the endpoint's own timeout, whose error would not be known as one of connecting.
            let opened = timeout(CONNECT_TIMEOUT, open(&endpoint, tls.as_ref())).await;
            let late = || {
                io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("{endpoint} opened no connection in time"),
                )
            };
            opened.map_err(|_| late())?.map(TokioIo::new)
        }
    });
    endpoint
        // A peer that vanished without a word is noticed, also while no call is open.
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(open)
}

/// Whether a connection ended under the calls that it was to carry.
fn has_broken(error: &transport::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes
        .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_canceled)
}

/// What a caller is told of a transport that failed. The other side may have refused our certificate after it let us connect,
/// or speak another protocol: whatever it was, nobody answered.
fn unreached(error: transport::Error) -> Status {
    let is_broken = has_broken(&error);
    let status = Status::from_error(error.into());
    match status.code() {
        // A deadline that has passed is Cancelled as well, and stays so.
        Code::Cancelled if !is_broken => status,
        Code::Unknown | Code::Internal | Code::Cancelled => {
            let mut unavailable = Status::unavailable(status.message());
            unavailable.set_source(Arc::new(status));
            unavailable
        }
        _ => status,
    }
}

/// Opens a connection to where an endpoint says.
async fn open(endpoint: &Uri, tls: Option<&ClientTls>) -> io::Result<Either<TcpStream, TlsStream<TcpStream>>> {
    let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{endpoint} {why}"));
    let host = endpoint.host().ok_or_else(|| refuse("names no host"))?;
    let is_encrypted = match endpoint.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(refuse("is neither http:// nor https://")),
    };
    let port = endpoint.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
    let stream = TcpStream::connect((host.trim_start_matches('[').trim_end_matches(']'), port)).await?;
    // Calls are small; they must not wait for one another's acknowledgement.
    stream.set_nodelay(true)?;
    if !is_encrypted {
        return Ok(Either::Left(stream));
    }
    let tls = tls.ok_or_else(|| refuse("takes certificates, and none are configured"))?;
    Ok(Either::Right(tls.connect(host, stream).await?))
}

/// A channel to a server in this process, without a socket: the call is a function call.
///
/// Whatever the caller drops is dropped in the server too, as it would be over a connection.
#[must_use]
pub fn in_process(routes: Routes) -> Channel {
    ServiceBuilder::new()
        .layer_fn(BoxCloneSyncService::new)
        .layer(PropagateLayer)
        .layer(DeadlineLayer::watching())
        .layer(AnswerLayer)
        .map_err(|never: Infallible| match never {})
        .service(routes.prepare())
}
