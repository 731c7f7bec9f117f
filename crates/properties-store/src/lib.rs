//! The properties-store: keeps the run properties of every workflow run.
//!
//! Owns the properties, from the seed that the run-scheduler gives a run until it says that the run is forgotten.
//! Never knows whether a run exists, is running or has ended: whoever was given properties has them, so that a job can
//! read and write them while the run-scheduler is away.
//!
//! Start reading at [`build`], then follow a call: `service.rs` → `codec.rs` → [`Store`]. All service crates have these
//! files in these roles.

pub mod config;
pub mod error;
pub mod properties;
pub mod recent;
pub mod serve;
pub mod store;

mod codec;
mod service;

pub use config::Config;
pub use error::Error;
pub use serve::{Deps, SERVICES, build, serve};
pub use service::Service;
pub use store::Store;
