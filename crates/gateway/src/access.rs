//! Who is let in: anybody on loopback, and nobody but holders of keys where keys are configured.

use std::net::IpAddr;

use http::{Extensions, StatusCode, request::Parts};
use prost_reflect::DynamicMessage;
use tonic::metadata::MetadataMap;
use treenail_proto::contract::Operation;
use treenail_rpc::{Caller, Fault, Reason, listener::Peer};

use crate::{
    auth::{self, Arrival, Audit, Auth, Principal, S3Note},
    http::caller,
};

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

    /// Writes down how a call ended.
    pub(crate) fn record(&self, request_id: &str, trail: &Trail, refused: Option<Reason>) {
        let Some(audit) = &self.audit else { return };
        let action = trail.operation.map(auth::action);
        let principal = trail.visit.as_ref().and_then(|visit| visit.principal.as_ref());
        let principal = principal.map(|(principal, _)| principal);
        let scope = trail.visit.as_ref().map(|visit| &visit.caller.scope);
        audit.write(&auth::Call {
            request_id,
            source: trail.source,
            action: action.as_deref().unwrap_or("unknown"),
            arn: principal.map(|principal| principal.arn.as_str()),
            access_key: principal.map(|principal| principal.access_key.as_str()),
            scope: scope.map(|scope| (scope.account.as_str(), scope.region.as_str())),
            resource: trail.resource.as_deref(),
            error: refused.map(Reason::as_str),
        });
    }

    /// Writes down how a call of S3 ended.
    pub(crate) fn record_s3(&self, request_id: &str, source: Option<IpAddr>, note: &S3Note, status: StatusCode) {
        let Some(audit) = &self.audit else { return };
        audit.write(&auth::Call {
            request_id,
            source,
            action: &note.action,
            arn: note.arn.as_deref(),
            access_key: note.access_key.as_deref(),
            scope: note.account.as_deref().map(|account| (account, "")),
            resource: Some(&note.resource),
            error: (!status.is_success()).then(|| status.as_str()),
        });
    }
}
