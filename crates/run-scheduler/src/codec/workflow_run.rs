//! Workflow runs: as they are stored, as the API shows them.

use std::collections::BTreeMap;

use treenail_engine::{
    Timestamp,
    glue::{CopiedNodes, CopiedRun, EventBatch, RunRecord, RunStatus, StartingBatch, Statistics},
    ids::WorkflowRunId,
};
use treenail_proto::{glue::v1 as glue, internal::v1 as internal};

use super::{Malformed, non_empty, to_proto_time, to_u32};

/// A workflow run as it is stored.
pub(crate) fn to_stored(record: &RunRecord) -> internal::StoredWorkflowRun {
    let (batch_size, batch_window_seconds) = match record.starting_batch {
        None => (None, None),
        Some(StartingBatch::Size(size)) => (Some(size), None),
        Some(StartingBatch::Window(seconds)) => (None, Some(seconds)),
    };
    internal::StoredWorkflowRun {
        plan_sequence: record.plan_sequence,
        previous_run_id: record.previous.map(|id| id.to_string()).unwrap_or_default(),
        completed_at_ms: record.completed_at.map(Timestamp::as_millis),
        status: to_status(record.status).into(),
        error_message: record.error.clone(),
        batch_size,
        batch_window_seconds,
        statistics: Some(to_statistics(record.statistics)),
        is_seeded: record.is_seeded,
        seed: record.seed.clone(),
        roots: record.roots.iter().map(|&node| to_u32(node)).collect(),
        root_triggers: record
            .root_triggers
            .iter()
            .map(|trigger| trigger.clone().unwrap_or_default())
            .collect(),
        events: record.events,
        last_event_at_ms: record.last_event_at.as_millis(),
    }
}

/// A workflow run as it was stored, with what stands beside it in columns.
pub(crate) fn from_stored(
    id: &str,
    workflow_uid: &str,
    started_at: Timestamp,
    stored: &internal::StoredWorkflowRun,
) -> Result<RunRecord, Malformed> {
    let previous = non_empty(&stored.previous_run_id).map(|id| run_id(&id)).transpose()?;
    let starting_batch = match (stored.batch_size, stored.batch_window_seconds) {
        (Some(size), _) => Some(StartingBatch::Size(size)),
        (None, Some(seconds)) => Some(StartingBatch::Window(seconds)),
        (None, None) => None,
    };
    Ok(RunRecord {
        id: run_id(id)?,
        workflow_uid: workflow_uid.to_owned(),
        plan_sequence: stored.plan_sequence,
        previous,
        started_at,
        completed_at: stored.completed_at_ms.map(Timestamp::from_millis),
        status: from_status(stored.status())?,
        error: stored.error_message.clone(),
        starting_batch,
        statistics: from_statistics(&stored.statistics.unwrap_or_default()),
        is_seeded: stored.is_seeded,
        seed: stored.seed.clone(),
        roots: stored.roots.iter().map(|&node| node as usize).collect(),
        root_triggers: stored.root_triggers.iter().map(|trigger| non_empty(trigger)).collect(),
        events: stored.events,
        last_event_at: Timestamp::from_millis(stored.last_event_at_ms),
    })
}

/// A workflow run as the API shows it, without its graph.
pub(crate) fn shown(record: &RunRecord, workflow: &str, properties: BTreeMap<String, String>) -> glue::WorkflowRun {
    glue::WorkflowRun {
        name: Some(workflow.to_owned()),
        workflow_run_id: Some(record.id.to_string()),
        previous_run_id: record.previous.map(|id| id.to_string()),
        workflow_run_properties: properties,
        started_on: Some(to_proto_time(record.started_at)),
        completed_on: record.completed_at.map(to_proto_time),
        status: Some(to_status(record.status).into()),
        error_message: record.error.clone(),
        statistics: Some(to_statistics(record.statistics)),
        graph: None,
        starting_event_batch_condition: record.starting_batch.map(|batch| match batch {
            StartingBatch::Size(size) => glue::StartingEventBatchCondition {
                batch_size: Some(to_i32(size)),
                batch_window: None,
            },
            StartingBatch::Window(seconds) => glue::StartingEventBatchCondition {
                batch_size: None,
                batch_window: Some(to_i32(seconds)),
            },
        }),
    }
}

/// What a resumed run shows of its previous run, as it is stored.
pub(crate) fn copies_to_stored(copies: &CopiedNodes) -> internal::StoredCopies {
    let nodes = copies.nodes.iter().map(|(&node, runs)| internal::StoredCopiedNode {
        node: to_u32(node),
        run_ids: runs
            .iter()
            .map(|run| match run {
                CopiedRun::Job { id, .. } => id.to_string(),
                CopiedRun::Crawl { id, .. } => id.to_string(),
            })
            .collect(),
    });
    internal::StoredCopies { nodes: nodes.collect() }
}

/// A batch of events, as it is stored.
pub(crate) fn batch_to_stored(batch: &EventBatch) -> internal::StoredEventBatch {
    internal::StoredEventBatch {
        opened_at_ms: batch.opened_at.as_millis(),
        closes_at_ms: batch.closes_at.as_millis(),
        event_ids: batch.event_ids.clone(),
    }
}

/// A batch of events, as it was stored.
pub(crate) fn batch_from_stored(stored: internal::StoredEventBatch) -> EventBatch {
    EventBatch {
        opened_at: Timestamp::from_millis(stored.opened_at_ms),
        closes_at: Timestamp::from_millis(stored.closes_at_ms),
        event_ids: stored.event_ids,
    }
}

pub(crate) fn run_id(text: &str) -> Result<WorkflowRunId, Malformed> {
    text.parse().map_err(|_| Malformed("workflow run id"))
}

pub(crate) fn to_status(status: RunStatus) -> glue::WorkflowRunStatus {
    match status {
        RunStatus::Running => glue::WorkflowRunStatus::Running,
        RunStatus::Completed => glue::WorkflowRunStatus::Completed,
        RunStatus::Stopping => glue::WorkflowRunStatus::Stopping,
        RunStatus::Stopped => glue::WorkflowRunStatus::Stopped,
        RunStatus::Error => glue::WorkflowRunStatus::Error,
    }
}

pub(crate) fn from_status(status: glue::WorkflowRunStatus) -> Result<RunStatus, Malformed> {
    match status {
        glue::WorkflowRunStatus::Running => Ok(RunStatus::Running),
        glue::WorkflowRunStatus::Completed => Ok(RunStatus::Completed),
        glue::WorkflowRunStatus::Stopping => Ok(RunStatus::Stopping),
        glue::WorkflowRunStatus::Stopped => Ok(RunStatus::Stopped),
        glue::WorkflowRunStatus::Error => Ok(RunStatus::Error),
        glue::WorkflowRunStatus::Unspecified => Err(Malformed("workflow run status")),
    }
}

fn to_statistics(statistics: Statistics) -> glue::WorkflowRunStatistics {
    glue::WorkflowRunStatistics {
        total_actions: Some(to_i32(statistics.total)),
        timeout_actions: Some(to_i32(statistics.timeout)),
        failed_actions: Some(to_i32(statistics.failed)),
        stopped_actions: Some(to_i32(statistics.stopped)),
        succeeded_actions: Some(to_i32(statistics.succeeded)),
        running_actions: Some(to_i32(statistics.running)),
        errored_actions: Some(to_i32(statistics.errored)),
        waiting_actions: Some(to_i32(statistics.waiting)),
    }
}

fn from_statistics(statistics: &glue::WorkflowRunStatistics) -> Statistics {
    let count = |count: Option<i32>| count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
    Statistics {
        total: count(statistics.total_actions),
        timeout: count(statistics.timeout_actions),
        failed: count(statistics.failed_actions),
        stopped: count(statistics.stopped_actions),
        succeeded: count(statistics.succeeded_actions),
        running: count(statistics.running_actions),
        errored: count(statistics.errored_actions),
        waiting: count(statistics.waiting_actions),
    }
}

fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A status in AWS's word.
pub(crate) fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "RUNNING",
        RunStatus::Completed => "COMPLETED",
        RunStatus::Stopping => "STOPPING",
        RunStatus::Stopped => "STOPPED",
        RunStatus::Error => "ERROR",
    }
}
