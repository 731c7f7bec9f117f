//! Making signatures.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::{
    SecretKey,
    canonical::{Paths, Request},
    secret::hmac,
    time,
};

/// Who signs, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'s> {
    /// The access key.
    pub access_key: &'s str,
    /// Its secret.
    pub secret: &'s SecretKey,
    /// The region.
    pub region: &'s str,
    /// The service, such as `s3`.
    pub service: &'s str,
}

/// The headers that a signature adds to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `Authorization`.
    pub authorization: String,
    /// `X-Amz-Date`.
    pub date: String,
    /// `X-Amz-Content-Sha256`.
    pub content_sha256: String,
}

impl Signer<'_> {
    /// Signs a request with all headers that it has, its date and its body's hash; `now` is seconds since 1970.
    #[must_use]
    pub fn sign(&self, request: &Request<'_>, body: &[u8], now: i64) -> Signed {
        let (date, content_sha256) = (time::format(now), hex_sha256(body));
        let mut request = request.clone();
        request.headers.push(("x-amz-content-sha256", &content_sha256));
        request.headers.push(("x-amz-date", &date));
        let mut names: Vec<String> = request
            .headers
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let canonical = request.canonical(&names, &content_sha256, Paths::of(self.service));
        let day = &date[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let key = self.secret.signing_key(day, self.region, self.service);
        let signature = signature(&key, &date, &scope, &canonical);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key,
            names.join(";")
        );
        Signed {
            authorization,
            date,
            content_sha256,
        }
    }
}

/// The signature of a canonical request (`Signature Version 4: create a string to sign, calculate the signature`).
pub(crate) fn signature(key: &[u8; 32], time: &str, scope: &str, canonical: &str) -> String {
    let hash = hex_sha256(canonical.as_bytes());
    hex(&hmac(key, format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}").as_bytes())[..])
}

/// The SHA-256 of bytes, in hexadecimal, as `X-Amz-Content-Sha256` has it.
#[must_use]
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
    }
    text
}
