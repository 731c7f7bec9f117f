//! Who calls, and what they may do: where keys are configured, nothing is answered to anybody else.
//!
//! A key proves itself by a signature over the whole request (AWS JSON, S3, events) or as a bearer token (gRPC). What its
//! holder may do is what its policy says; each call is judged by the operation and the entity that it names.

mod audit;
mod condition;
mod keys;
mod policy;
mod resource;
mod s3;
mod written;

use std::{path::Path, sync::Arc};

use http::{Extensions, HeaderMap, header, request::Parts};
use prost_reflect::DynamicMessage;
use treenail_proto::contract::Operation;
use treenail_rpc::{Clock, Fault, Reason, Scope, guard::BEARER, listener::Peer};
use treenail_sigv4::{Claim, Error as Unsigned, JobKey, Request, SecretKey, hex_sha256};

pub use audit::Audit;
pub(crate) use audit::Call;
pub use condition::Circumstances;
pub use keys::{Error as KeysError, KeyFile, Listed, NewKey};
pub use policy::{Error as PolicyError, Policy};
pub(crate) use resource::{action, of as resource_of};
pub(crate) use s3::{S3Gate, S3Note, S3Notes};

/// The keys and what they allow.
#[derive(Debug, Clone)]
pub struct Auth {
    keys: Arc<KeyFile>,
    job_key: Option<JobKey>,
    clock: Clock,
}

/// How a call came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// The other end of its connection.
    pub(crate) peer: Option<Peer>,
    /// When, in seconds since 1970.
    at: i64,
}

/// Whoever has proved to hold a key.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The access key.
    pub access_key: String,
    /// The account.
    pub account: String,
    /// The name, as AWS writes it: `arn:aws:iam::123456789012:user/name`.
    pub arn: String,
    policy: Arc<Policy>,
}

impl Auth {
    /// Reads the keys of a file, which is read again whenever it changes; `job_key` is what the keys of jobs follow from.
    ///
    /// # Errors
    /// When the file cannot be read, others may read it, or it holds something else.
    pub fn open(keys: &Path, job_key: Option<JobKey>, clock: Clock) -> Result<Self, KeysError> {
        Ok(Self {
            keys: Arc::new(KeyFile::open(keys)?),
            job_key,
            clock,
        })
    }

    /// Who sent a request, and for which region; the request has all its headers, and its body is whole.
    pub(crate) fn authenticate(&self, parts: &Parts, body: &[u8]) -> Result<(Principal, Scope), Fault> {
        let headers = parts.headers.iter();
        let headers: Option<Vec<_>> = headers
            .map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let mut headers =
            headers.ok_or_else(|| to_fault(&Unsigned::Incomplete("Headers must be visible ASCII.".into())))?;
        // HTTP/2 names the host in the request's target, and clients sign it as the header that it stands for.
        if let Some(authority) = parts
            .uri
            .authority()
            .filter(|_| !parts.headers.contains_key(header::HOST))
        {
            headers.push(("host", authority.as_str()));
        }
        let request = Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers,
        };
        let claim = Claim::of(&request).map_err(|error| to_fault(&error))?;
        let (principal, secret) = self.holder(claim.access_key)?;
        let now = self.clock.now().as_millis() / 1_000;
        claim
            .verify(&secret, &request, &hex_sha256(body), now)
            .map_err(|error| to_fault(&error))?;
        let scope = Scope::parse(&principal.account, claim.region).map_err(|error| {
            Fault::new(
                Reason::InvalidSignatureException,
                format!("The credential's scope: {error}"),
            )
        })?;
        Ok((principal, scope))
    }

    /// How a call came that comes now.
    pub(crate) fn arrival(&self, extensions: &Extensions) -> Arrival {
        Arrival {
            peer: extensions.get().copied(),
            at: self.clock.now().as_millis() / 1_000,
        }
    }

    /// Who sent a gRPC request, by its token: `Bearer ACCESS_KEY:SECRET`.
    pub(crate) fn bearer(&self, headers: &HeaderMap) -> Result<Principal, Fault> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(to_fault(&Unsigned::Missing));
        };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix(BEARER));
        let (access_key, given) = token.and_then(|token| token.split_once(':')).ok_or_else(|| {
            to_fault(&Unsigned::Incomplete(
                "The token must be 'Bearer ACCESS_KEY:SECRET'.".into(),
            ))
        })?;
        let (principal, secret) = self.holder(access_key)?;
        if secret.is(given) {
            Ok(principal)
        } else {
            Err(unknown_key())
        }
    }

    /// Whom an access key stands for, and the secret that proves it.
    fn holder(&self, access_key: &str) -> Result<(Principal, SecretKey), Fault> {
        if let Some(found) = self.keys.find(access_key) {
            return Ok(found);
        }
        let (identity, secret) = self
            .job_key
            .as_ref()
            .and_then(|key| key.read(access_key))
            .ok_or_else(unknown_key)?;
        if identity.expires_at <= self.clock.now().as_millis() / 1_000 {
            let message = "The security token included in the request is expired";
            return Err(Fault::new(Reason::ExpiredTokenException, message));
        }
        let principal = Principal {
            access_key: access_key.to_owned(),
            account: identity.account.to_owned(),
            arn: format!(
                "arn:aws:sts::{}:assumed-role/job/{}",
                identity.account, identity.job_run
            ),
            policy: Policy::of_jobs(),
        };
        Ok((principal, secret))
    }
}

impl Principal {
    /// Whether it may do an operation to what a request names.
    pub(crate) fn check(
        &self,
        operation: &Operation,
        message: &DynamicMessage,
        scope: &Scope,
        arrival: &Arrival,
    ) -> Result<(), Fault> {
        let action = action(operation);
        let resource = resource_of(operation, message, scope);
        self.may(&action, &resource, Some(&scope.region), arrival)
    }

    /// Whether it may do something (`glue:StartWorkflowRun`) to something in a region.
    fn may(&self, action: &str, resource: &str, region: Option<&str>, arrival: &Arrival) -> Result<(), Fault> {
        let call = Circumstances {
            source: arrival.peer.and_then(|peer| peer.address),
            is_encrypted: arrival.peer.is_some_and(|peer| peer.is_encrypted),
            now: arrival.at,
            region,
            account: &self.account,
            arn: &self.arn,
        };
        if self.policy.allows(action, resource, &call) {
            return Ok(());
        }
        let message = format!(
            "User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action",
            self.arn
        );
        Err(Fault::new(Reason::AccessDeniedException, message))
    }
}

fn unknown_key() -> Fault {
    let message = "The security token included in the request is invalid.";
    Fault::new(Reason::UnrecognizedClientException, message)
}

fn to_fault(error: &Unsigned) -> Fault {
    let reason = match error {
        Unsigned::Missing => Reason::MissingAuthenticationTokenException,
        Unsigned::Incomplete(_) => Reason::IncompleteSignatureException,
        Unsigned::Mismatch | Unsigned::Expired { .. } | Unsigned::NotYetCurrent { .. } => {
            Reason::InvalidSignatureException
        }
    };
    Fault::new(reason, error.to_string())
}
