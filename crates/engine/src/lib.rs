//! The pure core: what a run does next.
//!
//! Owns every decision of orchestration: predicates, retries, stop, resume, limits, cron ticks, event batches, and which
//! worker gets which task. It is plain synchronous code over values: no clock, no disk, no network, no randomness, no
//! async. Time and ids come in; changes of rows and effects go out, as data.
//!
//! It never performs an effect, never knows how a row is stored, and never sees a protobuf message.
//!
//! Start reading at [`glue::Shard::apply`].

pub mod glue;
pub mod ids;
pub mod task;

pub use treenail_schedule::Timestamp;
