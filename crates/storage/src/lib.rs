//! What the services' stores share: the embedded database, page tokens and the lock of the data directory.
//!
//! Owns *how* rows become durable: one writer with group commit, readers on snapshots, migrations that only go forward.
//! Never knows *what* a row is: there is no word of any domain in this crate.
//!
//! Start reading at [`sqlite::Database`].

pub mod disk;
pub mod lock;
pub mod page;
pub mod seal;
pub mod sqlite;
