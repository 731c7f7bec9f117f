//! The kinds of definition, and what the store needs to know of each.

use std::{collections::BTreeSet, fmt};

use treenail_proto::{
    glue::v1::{Job, Trigger, Workflow},
    internal::v1::PlanKind,
};

/// The kinds of definition; names are unique within a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A workflow.
    Workflow,
    /// A trigger, alone or in a workflow.
    Trigger,
    /// A job.
    Job,
}

impl Kind {
    /// What the contract calls the kind.
    pub(crate) fn plan_kind(self) -> PlanKind {
        match self {
            Kind::Workflow => PlanKind::Workflow,
            Kind::Trigger => PlanKind::Trigger,
            Kind::Job => PlanKind::Job,
        }
    }

    /// The plural, as AWS's texts about limits say it.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Kind::Workflow => "workflows",
            Kind::Trigger => "triggers",
            Kind::Job => "jobs",
        }
    }
}

/// Prints the kind as its ARNs spell it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Workflow => "workflow",
            Kind::Trigger => "trigger",
            Kind::Job => "job",
        })
    }
}

/// A definition that the store keeps: a message of the contract, and what rows are found by.
pub trait Definition: prost::Message + Default + Clone + PartialEq + Send + Sync + 'static {
    /// Which kind it is.
    const KIND: Kind;

    /// Its name.
    fn name(&self) -> &str;

    /// The workflow that it belongs to.
    fn workflow(&self) -> Option<&str> {
        None
    }

    /// The jobs that it starts.
    fn started_jobs(&self) -> BTreeSet<&str> {
        BTreeSet::new()
    }
}

impl Definition for Workflow {
    const KIND: Kind = Kind::Workflow;

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

impl Definition for Trigger {
    const KIND: Kind = Kind::Trigger;

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    fn workflow(&self) -> Option<&str> {
        self.workflow_name.as_deref()
    }

    fn started_jobs(&self) -> BTreeSet<&str> {
        self.actions
            .iter()
            .filter_map(|action| action.job_name.as_deref())
            .collect()
    }
}

impl Definition for Job {
    const KIND: Kind = Kind::Job;

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}
