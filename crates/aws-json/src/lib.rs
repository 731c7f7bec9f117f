//! Transcodes AWS JSON 1.1 from and to protobuf, by descriptor: no operation has code of its own.
//!
//! Owns how AWS spells members, enum values, times and numbers in JSON. Knows no operation, no transport, no clock and
//! no IO. Untrusted bytes cost bounded time and memory: a request is read as a stream straight into its message, never
//! into a tree of JSON values, and its depth and its tokens are counted.
//!
//! Start reading at [`Schema`]: [`Schema::decode`] is in `decode`, [`Schema::encode`] in `encode`.

mod decode;
mod encode;
mod limits;
mod schema;

pub use decode::{DecodeError, Decoded, Problem, UnknownEnum};
pub use encode::EncodeError;
pub use limits::{ANSWER_DEPTH_MAX, DEPTH_MAX, Limits, TOKENS_MAX, UNKNOWN_ENUMS_MAX};
pub use schema::{Schema, SchemaError};
