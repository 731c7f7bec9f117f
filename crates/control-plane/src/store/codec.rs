//! The rows' bodies: how they are encoded, and what becomes of one that cannot be decoded.

use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message as _;
use treenail_proto::internal::v1::Plan;
use treenail_storage::seal::open;

use super::{Damaged, Publication};
use crate::kind::Definition;

/// How bodies are encoded: messages of the contract in protobuf, sealed. Raise it when that changes, and keep reading the old.
pub(super) const FORMAT: u32 = 1;

/// How many rows could not be decoded since the process began.
static QUARANTINED: AtomicU64 = AtomicU64::new(0);

/// Decodes a definition; a row that cannot be read is reported, counted and left alone.
pub(super) fn definition<D: Definition>(name: &str, format: u32, body: &[u8]) -> Result<D, Damaged> {
    let reason = match (format, open(body).map(D::decode)) {
        (FORMAT, Ok(Ok(definition))) => return Ok(definition),
        (FORMAT, Ok(Err(error))) => error.to_string(),
        (FORMAT, Err(damaged)) => damaged.to_string(),
        (unknown, _) => format!("format {unknown} is unknown"),
    };
    let quarantined = QUARANTINED.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::error!(
        kind = %D::KIND, name, reason, quarantined,
        "a stored definition cannot be decoded: it is kept, but nothing uses it until it is deleted"
    );
    Err(Damaged)
}

/// Decodes a plan that waits; `None` for one that cannot be read, which stays where it is.
pub(super) fn publication(sequence: u64, format: u32, body: &[u8]) -> Option<Publication> {
    let reason = match (format, open(body).map(Plan::decode)) {
        (FORMAT, Ok(Ok(plan))) => {
            return Some(Publication {
                sequence,
                plan: Plan { sequence, ..plan },
            });
        }
        (FORMAT, Ok(Err(error))) => error.to_string(),
        (FORMAT, Err(damaged)) => damaged.to_string(),
        (unknown, _) => format!("format {unknown} is unknown"),
    };
    let quarantined = QUARANTINED.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::error!(
        sequence,
        reason,
        quarantined,
        "a stored plan cannot be decoded: it is never published"
    );
    None
}
