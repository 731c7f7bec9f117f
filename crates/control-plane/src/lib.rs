//! The control-plane: the definitions of workflows, triggers and jobs, and their tags.
//!
//! Owns every definition and the rules that it has to keep. Each change is compiled into a plan, which is made durable
//! in the same commit and then published to the run-scheduler, in order and until it is acknowledged.
//! Never runs anything and keeps nothing of what ran: it asks the run-scheduler when a definition is read.
//!
//! Start reading at [`build`]; a request's way is `service` → `catalog` → `rules` → [`store`] → `outbox`.

pub mod config;
pub mod error;
pub mod kind;
pub mod store;

mod catalog;
mod codec;
mod outbox;
mod plan;
mod rules;
mod scheduler;
mod serve;
mod service;

pub use config::Config;
pub use error::Error;
pub use serve::{Deps, SERVICES, Service, build};
