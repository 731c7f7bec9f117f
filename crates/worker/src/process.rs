//! Processes: how one is started, killed with all that it started, and kept from outliving the worker.

mod group;
mod pre_exec;
mod spawner;

pub(crate) use group::Group;
pub(crate) use spawner::Spawner;
