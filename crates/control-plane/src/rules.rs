//! The rules that definitions have to keep, and the defaults that AWS gives them: plain functions over messages.
//!
//! Shapes (lengths, patterns, required members) are the gateway's; these are the rules that AWS words itself.

pub(crate) mod capacity;
pub(crate) mod job;
pub(crate) mod tag;
pub(crate) mod trigger;
pub(crate) mod workflow;
