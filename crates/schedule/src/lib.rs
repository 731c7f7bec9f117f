//! When something happens: the instant that every crate tells time with, and AWS's cron expressions.
//!
//! Pure: it never knows what time it is.
//!
//! Start reading at [`AwsCron`].

mod aws_cron;
mod civil;
mod timestamp;

pub use aws_cron::{AwsCron, ParseError};
pub use timestamp::Timestamp;
