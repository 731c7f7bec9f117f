//! The border between the engine's values and the contract's messages, crossed once in each direction.

pub(crate) mod history;
pub(crate) mod job_run;
pub(crate) mod plan;
pub(crate) mod task;
pub(crate) mod workflow_run;

use prost::Message;
use treenail_engine::Timestamp;
use treenail_storage::seal;

/// A message that does not say what it must: written by another version, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// A message as it is stored, with what tells whether it was damaged.
pub(crate) fn sealed(message: &impl Message) -> Vec<u8> {
    seal::seal(message.encode_to_vec())
}

/// A message from where it is stored.
pub(crate) fn opened<M: Message + Default>(data: &[u8], what: &'static str) -> Result<M, Malformed> {
    let value = seal::open(data).map_err(|_| Malformed(what))?;
    M::decode(value).map_err(|_| Malformed(what))
}

/// A time as messages carry it.
pub(crate) fn to_proto_time(time: Timestamp) -> prost_types::Timestamp {
    let millis = time.as_millis();
    let nanos = i32::try_from(millis.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        nanos,
    }
}

/// A time that a message carries.
pub(crate) fn from_proto_time(time: &prost_types::Timestamp) -> Timestamp {
    Timestamp::from_millis(time.seconds.saturating_mul(1000)).plus_millis(i64::from(time.nanos / 1_000_000))
}

/// A text that may be empty where there is none.
pub(crate) fn non_empty(text: &str) -> Option<String> {
    if text.is_empty() { None } else { Some(text.to_owned()) }
}

/// A position as messages carry it.
pub(crate) fn to_u32(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
