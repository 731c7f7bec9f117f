//! A chain: the job runs that descend from one firing of a trigger outside workflows.
//!
//! Conditional triggers outside workflows look at one chain at a time, as those of a workflow look at one run
//! (`Glue developer guide: about triggers`: all jobs of a dependency chain descend from one trigger).

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::JobRunId;

/// What has happened in a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// How many of its job runs have not ended, or wait for their retry.
    pub active: u32,
    /// The conditional triggers that fired.
    pub fired: BTreeSet<String>,
    /// For each conditional trigger, the conditions that were met, and by which job run.
    pub met: BTreeMap<String, BTreeMap<usize, Option<JobRunId>>>,
}
