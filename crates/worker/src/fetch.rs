//! Fetches scripts and files from where jobs say they are.

mod get;
mod tls;

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use http::{Request, Uri};
use http_body_util::Empty;
use tokio::task::spawn_blocking;
use treenail_rpc::Clock;
use treenail_sigv4::Signer;

use crate::{config::Config, credentials::Credentials};

/// Fetches on behalf of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetcher<'a> {
    /// Where S3 is, and whether HTTP is allowed.
    pub(crate) config: &'a Config,
    /// When S3 requests are signed.
    pub(crate) clock: &'a Clock,
    /// What S3 requests are signed with.
    pub(crate) credentials: &'a Credentials,
    /// The region that S3 requests are signed for.
    pub(crate) region: &'a str,
}

impl Fetcher<'_> {
    /// What lies at a location, at most `bytes_max`.
    ///
    /// # Errors
    /// Says in words, for the job run's error message, why there is nothing.
    pub(crate) async fn fetch(&self, location: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
        let timeout = self.config.limits.fetch_timeout;
        match tokio::time::timeout(timeout, self.fetch_unbounded(location, bytes_max)).await {
            Ok(Ok(content)) => Ok(content),
            Ok(Err(cause)) => Err(format!("{location} cannot be read: {cause}")),
            Err(_elapsed) => Err(format!("{location} cannot be read within {}", seconds(timeout))),
        }
    }

    async fn fetch_unbounded(&self, location: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
        if let Some(rest) = location.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() || key.is_empty() {
                return Err("an S3 location is s3://bucket/key".to_owned());
            }
            let own = self.config.authority.as_ref().map(|authority| &authority.tls);
            return get::get(self.s3_request(bucket, key)?, own, bytes_max).await;
        }
        if location.starts_with("http://") || location.starts_with("https://") {
            return self.fetch_http(location, bytes_max).await;
        }
        if let Some(rest) = location.strip_prefix("file://") {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            return read_file(&percent_decoded(path)?, bytes_max).await;
        }
        if location.starts_with('/') {
            return read_file(location, bytes_max).await;
        }
        Err(
            "a location is an absolute path or begins with s3://, file:// or, where allowed, http:// or https://"
                .to_owned(),
        )
    }

    async fn fetch_http(&self, location: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
        if !self.config.allow_http {
            return Err("this worker is not allowed to fetch over HTTP".to_owned());
        }
        let uri: Uri = location.parse().map_err(|error| format!("{error}"))?;
        let request = Request::get(uri)
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        get::get(request, None, bytes_max).await
    }

    fn s3_request(&self, bucket: &str, key: &str) -> Result<get::Get, String> {
        let config = self.config;
        let endpoint = config.s3_endpoint_url.as_ref().unwrap_or(&config.aws_endpoint_url);
        let path = format!("/{}/{}", percent_encoded(bucket), percent_encoded(key));
        let uri: Uri = format!("{}{path}", endpoint.trim_end_matches('/'))
            .parse()
            .map_err(|error| format!("{error}"))?;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let signer = Signer {
            access_key: &self.credentials.access_key,
            secret: &self.credentials.secret,
            region: self.region,
            service: "s3",
        };
        let plain = treenail_sigv4::Request {
            method: "GET",
            path: uri.path(),
            query: "",
            headers: vec![("host", host)],
        };
        let signed = signer.sign(&plain, b"", self.clock.now().as_millis() / 1_000);
        let request = Request::get(&uri)
            .header("authorization", signed.authorization)
            .header("x-amz-content-sha256", signed.content_sha256)
            .header("x-amz-date", signed.date);
        request.body(Empty::new()).map_err(|error| error.to_string())
    }
}

/// Reads a file in one step of the pool of blocking calls: each step costs as much as the call itself.
async fn read_file(path: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
    let path = PathBuf::from(path);
    let read = spawn_blocking(move || read_file_now(&path, bytes_max)).await;
    read.map_err(|error| error.to_string())?
}

fn read_file_now(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let told = |error: io::Error| error.to_string();
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err("this is not a file".to_owned());
    }
    let mut content = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let file = fs::File::open(path).map_err(told)?;
    file.take(limit).read_to_end(&mut content).map_err(told)?;
    if content.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(content)
}

/// Says that something is larger than it may be.
fn too_large(bytes_max: usize) -> String {
    format!("it is larger than {bytes_max} bytes")
}

fn seconds(time: Duration) -> String {
    format!("{} seconds", time.as_secs())
}

/// The text without its percent encoding.
///
/// # Errors
/// In words when it is not well encoded, or is not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Result<String, String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(value.ok_or("a percent sign is followed by two hexadecimal digits")?);
        rest = &after[2..];
    }
    String::from_utf8(decoded).map_err(|_| "the path is not UTF-8".to_owned())
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;

    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::{percent_decoded, percent_encoded};

    #[test]
    fn a_path_survives_percent_encoding() {
        for path in ["/a/b.py", "/a b/ä%25.py", ""] {
            assert_eq!(percent_decoded(&percent_encoded(path)).as_deref(), Ok(path));
        }
        for broken in ["%", "%4", "%zz", "%é", "%ff"] {
            assert!(percent_decoded(broken).is_err(), "{broken}");
        }
    }
}
