//! Who is let in, by flags and files.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;
use treenail_gateway::{
    Access,
    auth::{Audit, Auth},
};
use treenail_rpc::{Clock, Entropy};
use treenail_sigv4::JobKey;

use super::Refused;
use crate::cli;

impl cli::Access {
    /// Reads the keys, where there are any.
    pub(super) fn open(&self, job_key: Option<JobKey>) -> anyhow::Result<Access> {
        let auth = match &self.credentials {
            Some(path) => Some(Auth::open(path, job_key, Clock::system())?),
            None => None,
        };
        let audit = match &self.audit_log {
            Some(path) => {
                let audit = Audit::open(path, Clock::system());
                Some(audit.with_context(|| format!("cannot open the audit log {}", path.display()))?)
            }
            None => None,
        };
        Ok(Access { auth, audit })
    }

    /// Whether only holders of keys are let in.
    pub(super) fn has_keys(&self) -> bool {
        self.credentials.is_some()
    }

    /// The key of jobs for a process that has the worker as well: without a file it is made up, and ends with the process.
    pub(super) fn own_job_key(&self) -> anyhow::Result<Option<JobKey>> {
        match self.job_key.read()? {
            None if self.has_keys() => Ok(JobKey::new(Entropy::os().bytes::<32>().to_vec())),
            key => Ok(key),
        }
    }
}

impl cli::Front {
    /// Whether it may listen beyond loopback.
    pub(super) fn is_safe(&self) -> bool {
        self.insecure || self.access.has_keys()
    }
}

impl cli::JobKeyFile {
    /// Reads the key, where a file is named.
    pub(super) fn read(&self) -> anyhow::Result<Option<JobKey>> {
        let Some(path) = &self.job_key_file else {
            return Ok(None);
        };
        let key = read_secret(path).with_context(|| format!("cannot use the key of jobs {}", path.display()))?;
        let key = JobKey::new(key).with_context(|| format!("{} has less than 32 bytes", path.display()))?;
        Ok(Some(key))
    }
}

/// Reads a file that not everybody may read.
pub(super) fn read_secret(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(Refused("it is a secret and may be read by everybody: chmod 640".to_owned()).into());
    }
    Ok(fs::read(path)?)
}
