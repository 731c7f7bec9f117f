//! Processes: how one is started, killed with all that it started, and kept from outliving the worker.

mod bounds;
mod cgroups;
mod files;
mod group;
mod pre_exec;
mod processes;
mod spawner;
mod tree;

pub(crate) use bounds::{Bounds, Breach};
pub use cgroups::CgroupFolder;
pub(crate) use files::keep_inherited;
pub(crate) use group::{Ended, Group};
pub(crate) use pre_exec::Limits;
pub(crate) use processes::Processes;

/// Kills what scripts of an earlier process of this worker left behind; says how many processes these were.
pub(crate) fn kill_leftovers(mark: &str) -> usize {
    tree::sweep_marked(mark)
}
