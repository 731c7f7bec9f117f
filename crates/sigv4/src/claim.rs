//! What a request says of its signature, and whether that is so.

use subtle::ConstantTimeEq as _;

use crate::{
    Error, SecretKey,
    canonical::{Paths, Request},
    sign,
    time::{self, SKEW_SECONDS},
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// How many headers a signature may name.
const SIGNED_HEADERS_MAX: usize = 100;
/// How long the header may be, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 8 * 1024;

/// What a request says of its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'r> {
    /// Who is said to have signed.
    pub access_key: &'r str,
    /// The region that the signature is for.
    pub region: &'r str,
    /// The service that it is for, such as `glue`.
    pub service: &'r str,
    date: &'r str,
    signed_headers: Vec<&'r str>,
    signature: &'r str,
    time: &'r str,
}

impl<'r> Claim<'r> {
    /// Reads the claim of a request's `Authorization` header.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none, [`Error::Incomplete`] when it lacks something.
    pub fn of(request: &Request<'r>) -> Result<Self, Error> {
        if request.values("authorization").next().is_none() {
            return Err(Error::Missing);
        }
        let header = request
            .value("authorization")
            .filter(|header| header.len() <= AUTHORIZATION_BYTES_MAX)
            .ok_or_else(|| incomplete("Authorization header must be there once and of a sensible length."))?;
        let parts = header
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with([' ', '\t']))
            .ok_or_else(|| incomplete("Authorization header requires the algorithm 'AWS4-HMAC-SHA256'."))?;
        let part = |name: &str| {
            let named = parts.split(',').filter_map(|part| part.trim().split_once('='));
            let mut values = named.filter(|(known, _)| *known == name).map(|(_, value)| value);
            let value = values.next().filter(|value| !value.is_empty());
            value
                .filter(|_| values.next().is_none())
                .ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
        };
        let (credential, signed_headers, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        let (access_key, date, region, service) = scope_of(credential).ok_or_else(|| {
            incomplete("Credential must be a key with a scope of date, region, service and 'aws4_request'.")
        })?;
        let time = request.value("x-amz-date").ok_or_else(|| {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        })?;
        if time.get(..8) != Some(date) {
            return Err(incomplete(
                "Date in Credential scope does not match YYYYMMDD from X-Amz-Date.",
            ));
        }
        let signed_headers: Vec<&str> = signed_headers.split(';').collect();
        if signed_headers.len() > SIGNED_HEADERS_MAX || !signed_headers.is_sorted_by(|one, other| one < other) {
            return Err(incomplete("SignedHeaders must be sorted, each once, and not too many."));
        }
        Ok(Self {
            access_key,
            region,
            service,
            date,
            signed_headers,
            signature,
            time,
        })
    }

    /// Checks the signature against a secret; `payload` is the hexadecimal SHA-256 of the body, `now` seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Expired`] or [`Error::NotYetCurrent`] beyond 15 minutes, [`Error::Incomplete`] when what must be signed is
    /// not, [`Error::Mismatch`] when the secret makes another signature.
    pub fn verify(&self, secret: &SecretKey, request: &Request<'_>, payload: &str, now: i64) -> Result<(), Error> {
        self.check_time(now)?;
        self.check_signed(request)?;
        let canonical = request.canonical(&self.signed_headers, payload, Paths::of(self.service));
        let scope = format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service);
        let key = secret.signing_key(self.date, self.region, self.service);
        let expected = sign::signature(&key, self.time, &scope, &canonical);
        if bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            Ok(())
        } else {
            Err(Error::Mismatch)
        }
    }

    fn check_time(&self, now: i64) -> Result<(), Error> {
        let signed =
            time::parse(self.time).ok_or_else(|| incomplete("X-Amz-Date must be in the form of 20261120T101112Z."))?;
        let texts = |limit: i64| (self.time.to_owned(), time::format(limit), time::format(now));
        if signed < now - SKEW_SECONDS {
            let (signed, earliest, now) = texts(now - SKEW_SECONDS);
            return Err(Error::Expired { signed, earliest, now });
        }
        if signed > now + SKEW_SECONDS {
            let (signed, latest, now) = texts(now + SKEW_SECONDS);
            return Err(Error::NotYetCurrent { signed, latest, now });
        }
        Ok(())
    }

    /// The host and every `x-amz-*` header of a request must be signed, or somebody on the way could change them.
    fn check_signed(&self, request: &Request<'_>) -> Result<(), Error> {
        let is_signed = |name: &str| {
            self.signed_headers
                .iter()
                .any(|signed| signed.eq_ignore_ascii_case(name))
        };
        let must_be = |name: &str| name.eq_ignore_ascii_case("host") || starts_with_ignoring_case(name, "x-amz-");
        let unsigned = request
            .headers
            .iter()
            .find(|(name, _)| must_be(name) && !is_signed(name));
        match unsigned {
            Some((name, _)) => Err(incomplete(&format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            ))),
            None if is_signed("host") => Ok(()),
            None => Err(incomplete(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            )),
        }
    }
}

/// Key, date, region and service of `KEY/DATE/REGION/SERVICE/aws4_request`; a key may have slashes.
fn scope_of(credential: &str) -> Option<(&str, &str, &str, &str)> {
    let mut parts = credential.rsplitn(5, '/');
    let terminator = parts.next()?;
    let (service, region, date, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_whole = terminator == TERMINATOR && ![service, region, date, key].contains(&"");
    is_whole.then_some((key, date, region, service))
}

fn starts_with_ignoring_case(name: &str, start: &str) -> bool {
    name.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn incomplete(words: &str) -> Error {
    Error::Incomplete(words.to_owned())
}
