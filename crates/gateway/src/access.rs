//! Who is let in: anybody on loopback, and nobody but holders of keys where keys are configured.

mod record;

use std::net::IpAddr;

use http::{Extensions, request::Parts};
use prost_reflect::DynamicMessage;
use tonic::metadata::MetadataMap;
use treenail_proto::contract::Operation;
use treenail_rpc::{Caller, Fault, Reason, listener::Peer};

use crate::{
    auth::{self, Arrival, Audit, Auth, Principal},
    http::caller,
};

pub(crate) use self::record::{Record, S3Trail};

/// Who is let in, and where it is written down.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The keys; without them anybody is let in.
    pub auth: Option<Auth>,
    /// Where calls are written down, if anywhere.
    pub audit: Option<Audit>,
}

/// Somebody who was let in.
#[derive(Debug)]
pub(crate) struct Visit {
    /// On whose behalf the call is made.
    pub(crate) caller: Caller,
    principal: Option<(Principal, Arrival)>,
}

impl Visit {
    /// Whether the visitor may do an operation to what a request names.
    pub(crate) fn check(&self, operation: &Operation, message: &DynamicMessage) -> Result<(), Fault> {
        match &self.principal {
            Some((principal, arrival)) => principal.check(operation, message, &self.caller.scope, arrival),
            None => Ok(()),
        }
    }
}

/// What is known of a call so far.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    pub(crate) operation: Option<&'static Operation>,
    pub(crate) visit: Option<Visit>,
    pub(crate) resource: Option<String>,
    /// The other end of the call's connection.
    pub(crate) source: Option<IpAddr>,
}

impl Trail {
    /// The trail of a call that has just come.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        Self {
            source: extensions.get::<Peer>().and_then(|peer| peer.address),
            ..Self::default()
        }
    }

    /// Judges a call and notes what it is for.
    pub(crate) fn check(
        &mut self,
        visit: Visit,
        operation: &'static Operation,
        message: &DynamicMessage,
    ) -> Result<Caller, Fault> {
        self.resource = Some(auth::resource_of(operation, message, &visit.caller.scope));
        let caller = visit.caller.clone();
        let verdict = visit.check(operation, message);
        self.visit = Some(visit);
        verdict.map(|()| caller)
    }
}

impl Access {
    /// Lets an HTTP request in whose body is whole.
    pub(crate) fn http(&self, parts: &Parts, body: &[u8]) -> Result<Visit, Fault> {
        let Some(auth) = &self.auth else {
            return Ok(Visit {
                caller: caller::of(&parts.headers)?,
                principal: None,
            });
        };
        let (principal, scope) = auth.authenticate(parts, body)?;
        let invocation = caller::invocation(&parts.headers)?;
        Ok(Visit {
            caller: Caller { scope, invocation },
            principal: Some((principal, auth.arrival(&parts.extensions))),
        })
    }

    /// Lets a gRPC request in.
    pub(crate) fn grpc(&self, metadata: &MetadataMap, extensions: &Extensions) -> Result<Visit, Fault> {
        let mut caller = Caller::from_metadata(metadata)?;
        let Some(auth) = &self.auth else {
            return Ok(Visit {
                caller,
                principal: None,
            });
        };
        let principal = auth.bearer(metadata.as_ref())?;
        let claims_another =
            metadata.contains_key(treenail_rpc::caller::ACCOUNT_KEY) && caller.scope.account != principal.account;
        if claims_another {
            let message = "The key is another account's than the call's metadata says";
            return Err(Fault::new(Reason::AccessDeniedException, message));
        }
        caller.scope.account.clone_from(&principal.account);
        Ok(Visit {
            caller,
            principal: Some((principal, auth.arrival(extensions))),
        })
    }
}
