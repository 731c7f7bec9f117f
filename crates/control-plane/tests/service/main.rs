//! The control-plane through its channel, above a fake run-scheduler.

mod clock;
mod durability;
mod jobs;
mod lists;
mod scheduler;
mod tags;
mod triggers;
mod workflows;
mod world;
