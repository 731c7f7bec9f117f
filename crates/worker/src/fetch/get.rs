//! One bounded GET over HTTP/1.1, plain or encrypted.

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header::HOST, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use treenail_rpc::tls::ClientTls;

use super::tls;

/// A request without a body, with an absolute address.
pub(super) type Get = Request<Empty<Bytes>>;

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// What the address answers, at most `bytes_max`; over an encrypted connection where `own` or else the machine vouches for it. The caller bounds the time. Redirects are not followed.
pub(super) async fn get(mut request: Get, own: Option<&ClientTls>, bytes_max: usize) -> Result<Vec<u8>, String> {
    let uri = request.uri().clone();
    let (is_encrypted, port) = match uri.scheme_str() {
        Some("http") => (false, HTTP_PORT),
        Some("https") => (true, HTTPS_PORT),
        _ => return Err(format!("the worker speaks HTTP only, not to {uri}")),
    };
    let authority = uri.authority().ok_or("the address has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(port)))
        .await
        .map_err(|error| format!("no connection to {authority}: {error}"))?;
    let named = HeaderValue::from_str(authority.as_str()).map_err(|error| error.to_string())?;
    request.headers_mut().insert(HOST, named);
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|error| format!("{error}"))?;
    if is_encrypted {
        exchange(tls::connect(own, host, stream).await?, request, bytes_max).await
    } else {
        exchange(stream, request, bytes_max).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Get,
    bytes_max: usize,
) -> Result<Vec<u8>, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| told(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| told(&error))?;
        refuse_failure(response.status())?;
        let body = Limited::new(response.into_body(), bytes_max).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes().to_vec())
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The connection may end before its last answer has been read.
        _ = connection => answer.await,
    }
}

fn refuse_failure(status: StatusCode) -> Result<(), String> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => Err("it does not exist".to_owned()),
        StatusCode::FORBIDDEN => Err("access is denied".to_owned()),
        status => Err(format!("the server answers {status}")),
    }
}

fn told(error: &hyper::Error) -> String {
    format!("the HTTP connection failed: {error}")
}
