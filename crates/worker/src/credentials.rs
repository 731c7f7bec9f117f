//! The credentials of a job: its own where keys are configured, and what any server on loopback takes elsewhere.

use treenail_rpc::Clock;
use treenail_sigv4::{JobIdentity, JobKey, SecretKey};

/// The secret where none is checked: the gateway knows accounts by their access keys.
const UNCHECKED: &str = "treenail";
/// For how long a job's key counts, in seconds: longer than the longest Timeout of AWS.
const COUNTS_SECONDS: i64 = 8 * 24 * 60 * 60;

/// What a job signs its requests with, and the worker when it fetches for it.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret: SecretKey,
}

impl Credentials {
    /// The credentials of a job run of an account.
    pub(crate) fn of(key: Option<&JobKey>, account: &str, job_run: &str, clock: &Clock) -> Self {
        let Some(key) = key else {
            return Self {
                access_key: account.to_owned(),
                secret: SecretKey::new(UNCHECKED.to_owned()),
            };
        };
        let (access_key, secret) = key.issue(&JobIdentity {
            account,
            job_run,
            expires_at: clock.now().as_millis() / 1_000 + COUNTS_SECONDS,
        });
        Self { access_key, secret }
    }
}
