//! S3, from folders: so that scripts and data need nothing else installed.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;

use crate::{
    auth::{Auth, S3Gate},
    http::ResponseBody,
};

/// The header that says how a body is signed.
const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// The header that says how long a body is without its chunks.
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
/// The header that names what follows a body.
const TRAILER: &str = "x-amz-trailer";
/// How the headers begin that carry a checksum of the body.
const CHECKSUM: &str = "x-amz-checksum-";
/// The header that names what is copied.
const COPY_SOURCE: &str = "x-amz-copy-source";
/// The parameter that a presigned request carries.
const CREDENTIAL: &str = "X-Amz-Credential=";
/// The largest body that comes in signed chunks, in bytes: it is taken apart in memory.
const CHUNKED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much is read of a body that nobody wants, in bytes.
const DRAINED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The headers that follow a body.
type Trailers = Vec<(HeaderName, HeaderValue)>;

/// Why S3 cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made.
    #[error("cannot make the folder for S3")]
    Folder(#[from] std::io::Error),
    /// The folder cannot be used.
    #[error("cannot use the folder for S3: {0}")]
    FileSystem(String),
}

/// Answers S3 from a folder: its folders are the buckets.
#[derive(Clone)]
pub struct S3 {
    service: S3Service,
    root: Arc<Path>,
    /// Whether signatures are checked; else they are taken off.
    has_keys: bool,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").finish_non_exhaustive()
    }
}

impl S3 {
    /// Answers from a folder, which is made if it is not there; with keys, to their holders only.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or read.
    pub fn open(root: &Path, auth: Option<Auth>) -> Result<Self, Error> {
        std::fs::create_dir_all(root)?;
        let files = FileSystem::new(root).map_err(|error| Error::FileSystem(format!("{error:?}")))?;
        let has_keys = auth.is_some();
        let mut service = S3ServiceBuilder::new(files);
        if let Some(auth) = auth {
            service.set_access(S3Gate {
                auth: auth.clone(),
                root: root.into(),
            });
            service.set_auth(auth);
        }
        Ok(Self {
            service: service.build(),
            root: root.into(),
            has_keys,
        })
    }

    /// Whether a request is for S3: its signature, in a header or in the query, names that service.
    pub(crate) fn is_s3(uri: &Uri, headers: &HeaderMap) -> bool {
        let names_s3 = |scope: &str| scope.contains("/s3/aws4_request") || scope.contains("%2Fs3%2Faws4_request");
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        authorization.is_some_and(names_s3)
            || uri
                .query()
                .is_some_and(|query| query.contains(CREDENTIAL) && names_s3(query))
    }

    /// Answers a request.
    pub(crate) async fn serve(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let source = request.headers().get(COPY_SOURCE).map(|source| source.as_bytes());
        if !stays_inside(request.uri().path().as_bytes()) || !source.is_none_or(is_inside_source) {
            return refuse(
                request,
                StatusCode::BAD_REQUEST,
                ("InvalidArgument", "The key would lead out of its bucket"),
            )
            .await;
        }
        if !self.has_keys && self.lacks_bucket_of(request.uri().path().as_bytes()).await {
            return refuse(
                request,
                StatusCode::NOT_FOUND,
                ("NoSuchBucket", "The specified bucket does not exist"),
            )
            .await;
        }
        let answer = match self.prepared(request).await {
            Ok(request) => self.service.call(request).await.map_err(|error| format!("{error:?}")),
            Err(status) => return empty(status),
        };
        match answer {
            Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
            Err(error) => {
                tracing::error!(error, "S3 could not be answered");
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

impl S3 {
    /// A request as the library takes it.
    async fn prepared(&self, request: Request<Incoming>) -> Result<Request<s3s::Body>, StatusCode> {
        if self.has_keys {
            Ok(request.map(s3s::Body::from))
        } else {
            unsigned(request).await
        }
    }

    /// Whether a path names a key in a bucket that is not there: the library would make the bucket on the way.
    async fn lacks_bucket_of(&self, path: &[u8]) -> bool {
        let decoded = percent_decoded(path);
        let mut parts = decoded.splitn(3, |byte| *byte == b'/').skip(1);
        let (bucket, key) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Ok(bucket) = std::str::from_utf8(bucket) else {
            return true;
        };
        if bucket.is_empty() || key.is_empty() {
            return false;
        }
        !has_bucket(&self.root, bucket).await
    }
}

/// Whether there is a bucket of a name.
pub(crate) async fn has_bucket(root: &Path, bucket: &str) -> bool {
    let folder = tokio::fs::metadata(root.join(bucket)).await;
    folder.is_ok_and(|folder| folder.is_dir())
}

/// A request without its signature: on loopback any credentials are taken, so there is no secret to check it with.
async fn unsigned(request: Request<Incoming>) -> Result<Request<s3s::Body>, StatusCode> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(header::AUTHORIZATION);
    parts.uri = without_signature(&parts.uri);
    let payload = parts.headers.remove(CONTENT_SHA256);
    if !payload.is_some_and(|payload| payload.as_bytes().starts_with(b"STREAMING-")) {
        return Ok(Request::from_parts(parts, s3s::Body::from(body)));
    }
    // The body comes in signed chunks; what is stored is what they carry.
    let chunked = Limited::new(body, CHUNKED_BYTES_MAX)
        .collect()
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let (plain, trailers) = dechunked(&chunked.to_bytes()).ok_or(StatusCode::BAD_REQUEST)?;
    for name in [DECODED_LENGTH, TRAILER, header::CONTENT_ENCODING.as_str()] {
        parts.headers.remove(name);
    }
    // A checksum that follows a body is checked as one that comes before it.
    for (name, value) in trailers
        .into_iter()
        .filter(|(name, _)| name.as_str().starts_with(CHECKSUM))
    {
        parts.headers.insert(name, value);
    }
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(plain.len()));
    Ok(Request::from_parts(parts, s3s::Body::from(Bytes::from(plain))))
}

/// Whether what is copied stays below the folder; its leading slash may be left out.
fn is_inside_source(source: &[u8]) -> bool {
    let path = source.split(|byte| *byte == b'?').next().unwrap_or_default();
    stays_inside(path) || stays_inside(&[b"/", path].concat())
}

/// Whether a path, once decoded, stays below the folder: buckets are folders, and keys are paths in them.
fn stays_inside(path: &[u8]) -> bool {
    let decoded = percent_decoded(path);
    let Some(below) = decoded.strip_prefix(b"/") else {
        return false;
    };
    let parts: Vec<&[u8]> = below.split(|byte| *byte == b'/').collect();
    // An empty part in the middle would make what follows it an absolute path.
    let is_plain = |(index, part): (usize, &&[u8])| {
        !matches!(*part, b"." | b"..") && !part.contains(&0) && (!part.is_empty() || index + 1 == parts.len())
    };
    parts.iter().enumerate().all(is_plain)
}

fn percent_decoded(path: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| first == b'%');
        let byte = digits.and_then(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    decoded
}

/// Refuses a request in S3's shape. A client that is still sending hears it only once it is done, so what is left of a
/// body that is not too large is read; the connection ends in any case.
async fn refuse(
    request: Request<Incoming>,
    status: StatusCode,
    (code, message): (&str, &str),
) -> Response<ResponseBody> {
    // Whether the rest could be read makes no difference to the answer.
    let _drained = Limited::new(request.into_body(), DRAINED_BYTES_MAX).collect().await;
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let body = http_body_util::Full::from(text).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn without_signature(uri: &Uri) -> Uri {
    let Some(query) = uri.query().filter(|query| query.contains(CREDENTIAL)) else {
        return uri.clone();
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|parameter| !parameter.starts_with("X-Amz-"))
        .collect();
    let path = if kept.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), kept.join("&"))
    };
    path.parse().unwrap_or_else(|_| uri.clone())
}

/// What chunks of the form `SIZE[;…]\r\nBYTES\r\n` carry, up to the empty one, and the headers after that.
fn dechunked(mut chunked: &[u8]) -> Option<(Vec<u8>, Trailers)> {
    let mut plain = Vec::with_capacity(chunked.len());
    loop {
        let end = chunked.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&chunked[..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some((plain, trailers(&chunked[end + 2..])?));
        }
        let data = chunked.get(end + 2..)?;
        plain.extend_from_slice(data.get(..size)?);
        chunked = data.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn trailers(text: &[u8]) -> Option<Trailers> {
    let lines = std::str::from_utf8(text)
        .ok()?
        .split("\r\n")
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().parse().ok()?, value.trim().parse().ok()?))
        })
        .collect()
}

fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(
        http_body_util::Empty::new()
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_carry_their_bytes_and_nothing_else_is_taken() {
        let rows: [(&[u8], Option<&[u8]>); 8] = [
            (b"0\r\n\r\n", Some(b"")),
            (b"0\r\nno header\r\n\r\n", None),
            (
                b"3;chunk-signature=abc\r\nabc\r\n2\r\nde\r\n0;x\r\nx-amz-checksum-crc32:AA==\r\n\r\n",
                Some(b"abcde"),
            ),
            (b"3\r\nab", None),
            (b"3\r\nabcd\r\n0\r\n", None),
            (b"zz\r\n", None),
            (b"ffffffffffffffff\r\n", None),
            (b"", None),
        ];
        for (chunked, plain) in rows {
            let carried = dechunked(chunked);
            assert_eq!(carried.as_ref().map(|(plain, _)| plain.as_slice()), plain);
        }
    }

    #[test]
    fn only_paths_below_the_folder_are_let_in() {
        let inside = ["/", "/b", "/b/", "/b/k", "/b/k/", "/b/..k", "/b/a%252e", "/b/a.b/c"];
        let outside = [
            "/b/..",
            "/b/../x",
            "/b/a/%2e%2e/x",
            "/../b",
            "/b//etc/passwd",
            "/b/%2Fetc/passwd",
            "/b/./k",
            "/b/k%00",
            "b",
        ];
        assert!(inside.iter().all(|path| stays_inside(path.as_bytes())));
        assert_eq!(outside.iter().find(|path| stays_inside(path.as_bytes())), None);
        assert!(is_inside_source(b"b/k?versionId=1") && is_inside_source(b"/b/k") && !is_inside_source(b"b/../c/k"));
    }

    #[test]
    fn a_presigned_query_loses_its_signature_and_nothing_else() {
        let uri = Uri::from_static(
            "/b/k?versionId=1&X-Amz-Credential=A%2F1%2Fr%2Fs3%2Faws4_request&X-Amz-Signature=x&list-type=2",
        );
        assert!(S3::is_s3(&uri, &HeaderMap::new()));
        assert_eq!(without_signature(&uri), "/b/k?versionId=1&list-type=2");
    }
}
