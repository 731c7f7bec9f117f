//! Both ports are served.

use std::{future::Future, io, sync::Arc};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use treenail_aws_json::{Schema, SchemaError};
use treenail_rpc::{
    Entropy, Listener,
    listener::{Peer, Stream},
    serve_grpc,
};

use crate::{
    access::Access,
    backends::Backends,
    grpc,
    http::Edge,
    limits::{CONNECTIONS_MAX, DRAIN, FIRST_REQUEST, HEADER_BYTES_MAX, HEADER_READ, HEADERS_MAX, HTTP2_STREAMS_MAX},
    origin::Guard,
    s3::S3,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The gateway's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Whether requests for any host are let in; only where the operator said `--insecure`.
    pub any_host: bool,
    /// The names that the server is known by, beside those of loopback.
    pub hosts: Vec<String>,
}

/// What the gateway works with.
#[derive(Debug)]
pub struct Deps {
    /// The services behind it.
    pub backends: Backends,
    /// Where request ids come from.
    pub entropy: Entropy,
    /// What answers S3; none when S3 is elsewhere.
    pub s3: Option<S3>,
    /// Who is let in.
    pub access: Access,
}

/// The ports of a gateway.
#[derive(Debug)]
pub struct Ports {
    /// Where AWS JSON and S3 are answered.
    pub http: Listener,
    /// Another such port, for the jobs of a worker in this process.
    pub http_of_jobs: Option<Listener>,
    /// Where gRPC is answered.
    pub grpc: Listener,
}

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contract cannot be spelled in AWS JSON.
    #[error("the contract is ambiguous")]
    Schema(#[from] SchemaError),
    /// The gRPC port failed.
    #[error(transparent)]
    Grpc(#[from] treenail_rpc::server::Error),
}

/// Serves its ports until `shutdown` completes and the requests in flight are answered.
///
/// # Errors
///
/// When the contract is ambiguous or the gRPC port fails.
pub async fn serve(
    config: Config,
    deps: Deps,
    ports: Ports,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let guard = Guard {
        is_open: config.any_host,
        hosts: config.hosts,
    };
    let schema = Arc::new(Schema::new(treenail_proto::descriptors())?);
    let routes = grpc::routes(&deps.backends, &guard, &deps.access);
    let edge = Edge {
        backends: deps.backends,
        schema,
        entropy: deps.entropy,
        guard,
        s3: deps.s3,
        access: deps.access,
    };
    let stop = CancellationToken::new();
    let services = grpc::services();
    let grpc = serve_grpc(ports.grpc, routes, &services, stop.clone().cancelled_owned());
    let http_of_jobs = async {
        if let Some(listener) = ports.http_of_jobs {
            serve_http(edge.clone(), listener, stop.clone()).await;
        }
    };
    let http = serve_http(edge.clone(), ports.http, stop.clone());
    let stopping = async {
        shutdown.await;
        stop.cancel();
    };
    let (grpc, (), (), ()) = tokio::join!(grpc, http, http_of_jobs, stopping);
    Ok(grpc?)
}

async fn serve_http(edge: Edge, listener: Listener, stop: CancellationToken) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&free).acquire_owned() => permit,
        };
        let opened = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(opened) => opened,
                Err(error) => {
                    cannot_accept(&error).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let (edge, watcher, stop) = (edge.clone(), graceful.watcher(), stop.clone());
        connections.spawn(async move {
            let stream = tokio::select! {
                // Nothing was asked for yet.
                () = stop.cancelled() => return,
                ready = opened.ready() => ready,
            };
            let ended = match stream {
                Ok(stream) => converse(edge, stream, watcher).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
            drop(permit);
        });
    }
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests outlived the drain and are cut");
    }
}

/// Answers what comes over one connection.
async fn converse(edge: Edge, stream: Stream, watcher: Watcher) -> Result<(), BoxError> {
    let peer = Peer::of(&stream);
    let asked = Arc::new(Notify::new());
    let heard = Arc::clone(&asked);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let edge = edge.clone();
        heard.notify_one();
        request.extensions_mut().insert(peer);
        async move { Ok::<_, std::convert::Infallible>(edge.answer(request).await) }
    });
    let connection = builder().serve_connection(TokioIo::new(stream), service).into_owned();
    let mut conversation = std::pin::pin!(watcher.watch(connection));
    // Neither telling the versions of HTTP apart nor HTTP/2 has a time limit of its own.
    tokio::select! {
        ended = &mut conversation => return ended,
        () = asked.notified() => {}
        () = tokio::time::sleep(FIRST_REQUEST) => return Err("no request came".into()),
    }
    conversation.await
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(treenail_rpc::limits::KEEP_ALIVE_INTERVAL);
    builder
}

async fn cannot_accept(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    // Out of file descriptors, mostly: open connections must end first.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}
