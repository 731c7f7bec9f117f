//! One bounded GET over plain HTTP/1.1.

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header::HOST, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A request without a body, with an absolute address.
pub(super) type Get = Request<Empty<Bytes>>;

const HTTP_PORT: u16 = 80;

/// What the address answers, at most `bytes_max`. The caller bounds the time. Redirects are not followed.
pub(super) async fn get(mut request: Get, bytes_max: usize) -> Result<Vec<u8>, String> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("http") {
        return Err(format!("the worker speaks plain HTTP only, not to {uri}"));
    }
    let authority = uri.authority().ok_or("the address has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(HTTP_PORT)))
        .await
        .map_err(|error| format!("no connection to {authority}: {error}"))?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|error| error.to_string())?;
    request.headers_mut().insert(HOST, host);
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|error| format!("{error}"))?;

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
