//! The control-plane through its channel, above a fake run-scheduler.

mod clock;
mod durability;
mod job_rules;
mod jobs;
mod lists;
mod scheduler;
mod tags;
mod trigger_rules;
mod triggers;
mod words;
mod workflows;
mod world;
