//! AWS Glue: workflows, triggers, job runs and crawls.
//!
//! A [`Shard`] holds all that one account-region is running. Each [`Input`] changes it, and says in an [`Output`] which
//! rows changed and which effects follow once those rows are durable.

pub mod explain;
pub mod graph;

mod chain;
mod crawl;
mod history;
mod input;
mod job_run;
mod output;
mod plan;
mod run;
mod shard;
mod state;
mod timer;

pub use chain::Chain;
pub use crawl::Crawl;
pub use history::{Cause, EventKind, HistoryEvent};
pub use input::{Input, JobRunOverrides, NewEvent, Outcome, PreviousRun, Rejected, Reply};
pub use job_run::{Ending, JobRun, JobRunSpec, Origin};
pub use output::{Changes, Effect, EventBatch, Output, ScheduleKey};
pub use plan::{
    Action, Command, Condition, EventBatching, JobPlan, Logical, Predicate, Settings, TriggerKind, TriggerPlan,
    WorkflowPlan,
};
pub use run::{CopiedNodes, CopiedRun, RunRecord, StartingBatch, Statistics, WorkflowRun};
pub use shard::{Policy, Shard, Snapshot};
pub use state::{Component, CrawlState, EndState, JobRunState, RunStatus};
