//! A run's job runs and history, in the order in which an explanation asks for them.

use std::collections::{BTreeMap, BTreeSet};

use super::Known;
use crate::{
    Timestamp,
    glue::{
        history::{Cause, EventKind, HistoryEvent},
        job_run::{JobRun, Origin},
        state::{CrawlState, EndState, JobRunState},
    },
    ids::JobRunId,
};

/// What is known of a run, read once: a run may have ten thousand nodes.
#[derive(Default)]
pub(super) struct Index<'a> {
    /// The job runs of each node, oldest first.
    by_node: BTreeMap<usize, Vec<&'a JobRun>>,
    /// How the last crawl of each node ended.
    crawls: BTreeMap<usize, (CrawlState, Timestamp)>,
    /// When each trigger fired.
    fired: BTreeMap<&'a str, Timestamp>,
    /// What met each condition of each trigger.
    met: BTreeMap<(&'a str, usize), EndState>,
    /// The job runs that lost their workers before they started.
    requeued: BTreeSet<JobRunId>,
    /// For each job run that was asked to end, or was stopped before it began, the event that says so.
    ending: BTreeMap<JobRunId, u64>,
    /// The event that says that a stop was requested.
    stop: Option<&'a HistoryEvent>,
    /// What started the run, or would have.
    beginning: Option<(&'a HistoryEvent, &'a Cause)>,
}

impl<'a> Index<'a> {
    pub(super) fn new(known: &'a Known<'a>) -> Self {
        let mut index = Self::default();
        for run in known.job_runs {
            if let Origin::Workflow { node, .. } = run.spec.origin {
                index.by_node.entry(node).or_default().push(run);
            }
        }
        known.events.iter().for_each(|event| index.take(event));
        index
    }

    pub(super) fn job_runs(&self, node: usize) -> &[&'a JobRun] {
        self.by_node.get(&node).map_or(&[], Vec::as_slice)
    }

    pub(super) fn crawl(&self, node: usize) -> Option<(CrawlState, Timestamp)> {
        self.crawls.get(&node).copied()
    }

    pub(super) fn fired(&self, trigger: &str) -> Option<Timestamp> {
        self.fired.get(trigger).copied()
    }

    pub(super) fn met(&self, trigger: &'a str, condition: usize) -> Option<EndState> {
        self.met.get(&(trigger, condition)).copied()
    }

    pub(super) fn was_requeued(&self, job_run: JobRunId) -> bool {
        self.requeued.contains(&job_run)
    }

    /// Whether a job run was asked to end before the workflow run was.
    pub(super) fn was_stopped_alone(&self, job_run: JobRunId) -> bool {
        match (self.ending.get(&job_run), self.stop) {
            (Some(&sequence), Some(stop)) => sequence < stop.sequence,
            (Some(_) | None, None) => true,
            (None, Some(_)) => false,
        }
    }

    /// When a stop was requested.
    pub(super) fn stop(&self) -> Option<Timestamp> {
        self.stop.map(|event| event.at)
    }

    pub(super) fn beginning(&self) -> Option<(&'a HistoryEvent, &'a Cause)> {
        self.beginning
    }

    fn take(&mut self, event: &'a HistoryEvent) {
        match &event.kind {
            EventKind::Started(cause) | EventKind::Refused(cause) => self.beginning = Some((event, cause)),
            EventKind::TriggerFired { trigger } => {
                self.fired.entry(trigger).or_insert(event.at);
            }
            EventKind::ConditionMet {
                trigger,
                condition,
                end,
            } => {
                self.met.entry((trigger, *condition)).or_insert(*end);
            }
            EventKind::JobRunChanged {
                job_run,
                state: JobRunState::Stopping | JobRunState::Stopped,
            } => {
                self.ending.entry(*job_run).or_insert(event.sequence);
            }
            EventKind::JobRunRequeued { job_run } => {
                self.requeued.insert(*job_run);
            }
            EventKind::CrawlEnded {
                node,
                end: EndState::Crawl(state),
            } => {
                self.crawls.insert(*node, (*state, event.at));
            }
            EventKind::StopRequested => self.stop = self.stop.or(Some(event)),
            EventKind::PropertiesSeeded
            | EventKind::JobRunCreated { .. }
            | EventKind::JobRunChanged { .. }
            | EventKind::RetryScheduled { .. }
            | EventKind::JobRunDelayed { .. }
            | EventKind::CrawlEnded { .. }
            | EventKind::Ended(_) => {}
        }
    }
}
