//! Calls are written down however they end.

use treenail_rpc::listener::Peer;

use super::{Access, Trail};
use crate::auth::{self, S3Note, S3Notes};

/// How a call ended whose caller went away before the answer. What it asked for may be done all the same.
const CALLER_GONE: &str = "CallerGone";

/// A call that is under way. However it ends it is written down: whoever hangs up before the answer leaves a line, too.
#[derive(Debug)]
pub(crate) struct Record<'a, T: Told> {
    access: &'a Access,
    request_id: &'a str,
    /// What is known of the call so far.
    pub(crate) trail: T,
    is_written: bool,
}

/// What can be written down of a call.
pub(crate) trait Told {
    /// What the log says of it.
    fn told<'c>(&'c self, request_id: &'c str, error: Option<&'c str>, write: impl FnOnce(&auth::Call<'_>));
}

/// What is known of a call of S3 so far.
#[derive(Debug)]
pub(crate) struct S3Trail {
    /// What is known before a signature is read; without keys none is.
    pub(crate) bare: S3Note,
    /// What the library's gate notes.
    pub(crate) notes: S3Notes,
    /// The other end of the call's connection.
    pub(crate) peer: Option<Peer>,
}

impl<'a, T: Told> Record<'a, T> {
    /// Begins to follow a call.
    pub(crate) fn of(access: &'a Access, request_id: &'a str, trail: T) -> Self {
        Self {
            access,
            request_id,
            trail,
            is_written: false,
        }
    }

    /// Writes down that the call was answered, or refused with an error.
    pub(crate) fn ended(mut self, error: Option<&str>) {
        self.write(error);
    }

    fn write(&mut self, error: Option<&str>) {
        self.is_written = true;
        if let Some(audit) = &self.access.audit {
            self.trail.told(self.request_id, error, |call| audit.write(call));
        }
    }
}

impl<T: Told> Drop for Record<'_, T> {
    fn drop(&mut self) {
        if !self.is_written {
            self.write(Some(CALLER_GONE));
        }
    }
}

impl Told for Trail {
    fn told<'c>(&'c self, request_id: &'c str, error: Option<&'c str>, write: impl FnOnce(&auth::Call<'_>)) {
        let action = self.operation.map(auth::action);
        let principal = self.visit.as_ref().and_then(|visit| visit.principal.as_ref());
        let principal = principal.map(|(principal, _)| principal);
        let scope = self.visit.as_ref().map(|visit| &visit.caller.scope);
        write(&auth::Call {
            request_id,
            source: self.source,
            action: action.as_deref().unwrap_or("unknown"),
            arn: principal.map(|principal| principal.arn.as_str()),
            access_key: principal.map(|principal| principal.access_key.as_str()),
            scope: scope.map(|scope| (scope.account.as_str(), scope.region.as_str())),
            resource: self.resource.as_deref(),
            error,
        });
    }
}

impl Told for S3Trail {
    fn told<'c>(&'c self, request_id: &'c str, error: Option<&'c str>, write: impl FnOnce(&auth::Call<'_>)) {
        let note = self.notes.get().unwrap_or(&self.bare);
        write(&auth::Call {
            request_id,
            source: self.peer.and_then(|peer| peer.address),
            action: &note.action,
            arn: note.arn.as_deref(),
            access_key: note.access_key.as_deref(),
            scope: note.account.as_deref().map(|account| (account, "")),
            resource: Some(&note.resource),
            error,
        });
    }
}
