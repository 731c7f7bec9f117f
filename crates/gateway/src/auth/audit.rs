//! The audit log: who asked for what, and what came of it; a JSON object a line, with the names that CloudTrail has.
//!
//! It has no values: neither properties nor arguments, and of a key its id alone.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;
use treenail_rpc::Clock;

const OWNER_ONLY: u32 = 0o600;

/// Where calls are written down.
#[derive(Debug, Clone)]
pub struct Audit {
    file: Arc<Mutex<File>>,
    clock: Clock,
}

/// A call that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'c> {
    /// The request's id.
    pub(crate) request_id: &'c str,
    /// Where the call came from.
    pub(crate) source: Option<IpAddr>,
    /// What was called.
    pub(crate) action: &'c str,
    /// Who called, as far as it is known.
    pub(crate) arn: Option<&'c str>,
    /// The key that the caller holds.
    pub(crate) access_key: Option<&'c str>,
    /// The account and region.
    pub(crate) scope: Option<(&'c str, &'c str)>,
    /// What it was done to.
    pub(crate) resource: Option<&'c str>,
    /// How it was refused or failed; nothing when it was done.
    pub(crate) error: Option<&'c str>,
}

impl Audit {
    /// Writes to the end of a file, which is its owner's alone.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, clock: Clock) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(OWNER_ONLY)
            .open(path)?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
            clock,
        })
    }

    /// Writes a call down.
    pub(crate) fn write(&self, call: &Call<'_>) {
        let line = json!({
            "eventTime": self.clock.now().to_string(),
            "requestID": call.request_id,
            "sourceIPAddress": call.source,
            "eventName": call.action,
            "userIdentity": {"arn": call.arn, "accessKeyId": call.access_key, "accountId": call.scope.map(|scope| scope.0)},
            "awsRegion": call.scope.map(|scope| scope.1).filter(|region| !region.is_empty()),
            "resource": call.resource,
            "errorCode": call.error,
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One call of the system for one line, so that lines of several processes do not mix.
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::error!(%error, "a call could not be written to the audit log");
        }
    }
}
