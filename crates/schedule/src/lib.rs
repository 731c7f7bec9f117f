//! Time without a clock: the instant that everything is told in, and the schedules that AWS knows.

mod timestamp;

pub use timestamp::Timestamp;
