//! Why a run is as it is.

use super::{Failure, Finding, Reader};
use crate::glue::{
    graph::Node,
    history::EventKind,
    state::{CrawlState, EndState, JobRunState, RunStatus},
};

impl Reader<'_> {
    pub(super) fn run(&self) -> Vec<Finding> {
        let record = self.known.record;
        let mut findings = self.beginning();
        if record.status == RunStatus::Error {
            return findings;
        }
        if !record.is_seeded {
            findings.push(Finding::WaitsForProperties);
        }
        if self.known.plan.start_trigger().is_none() && record.previous.is_none() {
            findings.push(Finding::NothingToDo);
        }
        findings.extend(self.index.stop().map(|at| Finding::StopRequested { at }));
        findings.extend(self.attempts(self.known.job_runs.iter().filter(|run| !run.is_settled())));
        if let Some(at) = record.completed_at {
            let status = record.status;
            findings.push(Finding::Ended { status, at });
        }
        findings.extend(self.failures());
        if record.completed_at.is_some() {
            findings.extend(self.never_ran());
        }
        findings
    }

    pub(super) fn beginning(&self) -> Vec<Finding> {
        let beginning = self.index.beginning().map(|(event, cause)| match event.kind {
            EventKind::Refused(_) => Finding::Refused {
                cause: cause.clone(),
                at: event.at,
                limit: self.known.plan.max_concurrent_runs,
            },
            _ => Finding::Started {
                cause: cause.clone(),
                at: event.at,
            },
        });
        beginning.into_iter().collect()
    }

    fn failures(&self) -> Option<Finding> {
        let is_well = |end| {
            matches!(
                end,
                EndState::Job(JobRunState::Succeeded) | EndState::Crawl(CrawlState::Succeeded)
            )
        };
        let nodes = self.known.plan.graph.nodes.iter().enumerate();
        let failures = nodes.filter_map(|(index, node)| {
            let end = self.own_end(index).filter(|end| !is_well(*end))?;
            Some(Failure {
                node: node.name().to_owned(),
                end,
                error: self.index.job_runs(index).last().and_then(|run| run.error.clone()),
            })
        });
        let nodes: Vec<Failure> = failures.collect();
        (!nodes.is_empty()).then_some(Finding::Failures { nodes })
    }

    fn never_ran(&self) -> Option<Finding> {
        let nodes = self.known.plan.graph.nodes.iter().enumerate();
        let silent = nodes.filter(|(index, node)| matches!(node, Node::Component(_)) && !self.ran(*index));
        let nodes: Vec<String> = silent.map(|(_, node)| node.name().to_owned()).collect();
        (!nodes.is_empty()).then_some(Finding::NeverRan { nodes })
    }

    /// Whether anything ran in a node, or is shown of an earlier run.
    fn ran(&self, node: usize) -> bool {
        !self.index.job_runs(node).is_empty()
            || self.index.crawl(node).is_some()
            || self.known.copied.contains_key(&node)
    }
}
