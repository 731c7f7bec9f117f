//! A crawl inside a workflow run.
//!
//! No crawler can exist yet, so a crawl is born ended: in state ERROR, as for a crawler that was deleted.

use super::state::CrawlState;
use crate::{
    Timestamp,
    ids::{CrawlId, WorkflowRunId},
};

/// A crawl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crawl {
    /// The crawl's id.
    pub id: CrawlId,
    /// The crawler's name.
    pub crawler_name: String,
    /// The workflow run that it belongs to; `None` when a trigger outside workflows started it.
    pub run: Option<WorkflowRunId>,
    /// The node's position in the graph of the workflow run.
    pub node: usize,
    /// The trigger that started it.
    pub trigger_name: Option<String>,
    /// Its state.
    pub state: CrawlState,
    /// What went wrong.
    pub error: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}
