//! The embedded database: SQLite in WAL mode, where a write that was answered survives the loss of power.

mod connection;
mod database;
mod error;
mod migrate;
mod readers;
mod writer;

pub use database::Database;
pub use error::{Error, WriteError};
pub use migrate::Migration;
pub use writer::{OnFatal, WRITE_BATCH_MAX, WRITE_QUEUE_MAX};

pub use readers::{READ_QUEUE_MAX, READERS};
