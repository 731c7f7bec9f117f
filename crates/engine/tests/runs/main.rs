//! What a shard does, seen from outside: inputs go in, rows and effects come out.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what it does not expect has failed"
)]

mod explain;
mod facts;
mod model;
mod resumed;
mod world;
