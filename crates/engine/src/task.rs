//! Which worker gets which task: shared by everything that executes.

mod pool;

pub use pool::{Pool, WorkerId};
