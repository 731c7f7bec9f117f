//! The credentials of jobs: each attempt has its own, and nobody has to keep them.
//!
//! The access key tells the account, the job run and when it ends to count; its secret is an HMAC of it. Who does not know
//! the server's key cannot make the secret of any other access key, so nothing else has to be signed or stored.

use std::fmt;

use zeroize::Zeroizing;

use crate::{SecretKey, secret::hmac, sign::hex};

/// How the access keys of jobs begin.
const PREFIX: &str = "TNJOB";

/// The key that the secrets of jobs follow from. Servers and workers of one installation share it.
#[derive(Clone)]
pub struct JobKey(Zeroizing<Vec<u8>>);

/// Whom an access key of a job stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobIdentity<'k> {
    /// The account.
    pub account: &'k str,
    /// The job run.
    pub job_run: &'k str,
    /// Until when the key counts, in seconds since 1970.
    pub expires_at: i64,
}

impl JobKey {
    /// Takes a key, which has at least 32 bytes.
    #[must_use]
    pub fn new(key: Vec<u8>) -> Option<Self> {
        (key.len() >= 32).then(|| Self(Zeroizing::new(key)))
    }

    /// The access key and the secret of a job run.
    #[must_use]
    pub fn issue(&self, identity: &JobIdentity<'_>) -> (String, SecretKey) {
        let JobIdentity {
            account,
            job_run,
            expires_at,
        } = identity;
        let access_key = format!("{PREFIX}.{account}.{job_run}.{expires_at}");
        let secret = self.secret_of(&access_key);
        (access_key, secret)
    }

    /// Whom an access key claims to stand for, and the secret that proves it; `None` for any other kind of key.
    #[must_use]
    pub fn read<'k>(&self, access_key: &'k str) -> Option<(JobIdentity<'k>, SecretKey)> {
        let mut parts = access_key.split('.');
        let (prefix, account, job_run, expires_at) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if prefix != PREFIX || parts.next().is_some() {
            return None;
        }
        let identity = JobIdentity {
            account,
            job_run,
            expires_at: expires_at.parse().ok()?,
        };
        Some((identity, self.secret_of(access_key)))
    }

    fn secret_of(&self, access_key: &str) -> SecretKey {
        SecretKey::new(hex(&hmac(&self.0, access_key.as_bytes())[..]))
    }
}

impl fmt::Debug for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JobKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_what_it_was_made_for_and_nothing_else() {
        assert!(JobKey::new(vec![1; 31]).is_none());
        let key = JobKey::new(vec![7; 32]).unwrap();
        let identity = JobIdentity {
            account: "123456789012",
            job_run: "jr_0",
            expires_at: 99,
        };
        let (access_key, secret) = key.issue(&identity);
        assert_eq!(access_key, "TNJOB.123456789012.jr_0.99");
        let (read, again) = key.read(&access_key).unwrap();
        assert_eq!((read, again.expose()), (identity, secret.expose()));
        let (_, of_another) = key.read("TNJOB.123456789012.jr_0.100").unwrap();
        assert!(!of_another.is(secret.expose()));
        let other = JobKey::new(vec![8; 32]).unwrap();
        assert!(!other.read(&access_key).unwrap().1.is(secret.expose()));
        for text in ["", "TNJOB", "TNJOB.1.2", "TNJOB.1.2.x", "TNJOB.1.2.3.4", "AKIA.1.2.3"] {
            assert!(key.read(text).is_none(), "{text}");
        }
    }
}
