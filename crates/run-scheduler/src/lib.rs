//! The run-scheduler: everything that runs, and the only one who decides what runs next.
//!
//! Owns workflow runs, job runs, timers, schedules, batches of events, the task queue, the event history, and what jobs
//! write. Definitions come from the control-plane as plans; run properties are the properties-store's; tasks are
//! executed by workers, which pull them.
//!
//! It decides nothing itself: every decision is the engine's. It never calls the gateway, the control-plane or a worker.
//!
//! Start reading at [`build`], then `scheduler`: one loop that steps, commits, and only then answers and acts.

mod codec;
mod config;
mod error;
mod logs;
mod news;
mod queries;
mod ran;
mod retention;
mod scheduler;
mod serve;
mod service;
pub mod store;

pub use codec::Malformed;
pub use config::Config;
pub use error::Error;
pub use scheduler::Fatal;
pub use serve::{Deps, SERVICES, Service, WORKER_SERVICES, build};
