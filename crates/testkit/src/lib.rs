//! A whole Treenail in one thread and in virtual time, with everything going wrong that can: the deterministic simulation.
//!
//! The services, the worker and the clients are the real ones. Simulated are what lies between and below them: the
//! [`network`] (calls that are lost, late, repeated or cut off), the disks of the stores in memory (writes that take time
//! and fail), the wall clocks, and what the jobs do. A seed decides about all of it, so a seed that fails fails again.
//!
//! Never used by what ships.
//!
//! Start reading at [`simulation::run`].

pub mod check;
pub mod client;
pub mod cluster;
pub mod executor;
pub mod fuzz;
pub mod history;
pub mod network;
pub mod node;
pub mod random;
pub mod simulation;
pub mod workload;
