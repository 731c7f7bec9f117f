//! Triggers of a workflow run fire, and what they start begins.

use std::sync::Arc;

use treenail_planted::{Bug, is_planted};

use super::{Ended, LinkEnd, NodeEnd, Shard};
use crate::{
    Timestamp,
    glue::{
        crawl::Crawl,
        history::EventKind,
        job_run::Origin,
        output::Output,
        plan::Action,
        state::{Component, CrawlState, EndState},
    },
    ids::{JobRunId, WorkflowRunId},
};

/// A start of an action.
pub(super) struct Start<'a> {
    pub(super) action: &'a Action,
    pub(super) origin: Origin,
    pub(super) trigger_name: Option<String>,
    pub(super) predecessors: Vec<(String, JobRunId)>,
}

impl Shard {
    /// Fires a trigger of a run, once: all its actions start, whatever becomes of each.
    pub(super) fn fire(&mut self, now: Timestamp, id: WorkflowRunId, trigger: usize, out: &mut Output) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let predecessors = run.predecessors(trigger);
        run.triggers[trigger].is_latched = !is_planted(Bug::AnyFiresTwice);
        run.triggers[trigger].met.clear();
        let plan = Arc::clone(&run.plan);
        let name = &plan.triggers[trigger].name;
        run.tell(now, EventKind::TriggerFired { trigger: name.clone() }, out);
        for (action, &node) in plan.triggers[trigger].actions.iter().zip(plan.graph.starts(trigger)) {
            let start = Start {
                action,
                origin: Origin::Workflow { run: id, node },
                trigger_name: Some(name.clone()),
                predecessors: predecessors.clone(),
            };
            self.start_action(now, start, out);
        }
    }

    pub(super) fn start_action(&mut self, now: Timestamp, start: Start<'_>, out: &mut Output) {
        match &start.action.component {
            Component::Job(job) => self.start_job_action(now, job, start, out),
            Component::Crawler(crawler) => self.start_crawl(now, crawler, &start, out),
        }
    }

    /// A crawler cannot exist yet, so its crawl ends at once, as for a crawler that was deleted.
    fn start_crawl(&mut self, now: Timestamp, crawler: &str, start: &Start<'_>, out: &mut Output) {
        let (run, node) = match start.origin {
            Origin::Workflow { run, node } => (Some(run), node),
            Origin::Call | Origin::Chain(_) => (None, 0),
        };
        let crawl = Crawl {
            id: self.ids.crawl(now),
            crawler_name: crawler.to_owned(),
            run,
            node,
            trigger_name: start.trigger_name.clone(),
            state: CrawlState::Error,
            error: Some(format!("Crawler entry with name {crawler} does not exist")),
            started_at: now,
            completed_at: Some(now),
        };
        let end = EndState::Crawl(crawl.state);
        out.changes.crawls.insert(crawl.id, crawl);
        if let Some(known) = run.and_then(|run| self.runs.get_mut(&run)) {
            known.count_activation(node);
            *known.record.statistics.count_end(end) += 1;
            known.tell(now, EventKind::CrawlEnded { node, end }, out);
        }
        self.work.ended.push_back(match start.origin {
            Origin::Workflow { run, node } => Ended::Node(NodeEnd {
                run,
                node,
                end,
                job_run: None,
            }),
            Origin::Chain(chain) => Ended::Link(LinkEnd {
                chain,
                component: start.action.component.clone(),
                end,
                job_run: None,
            }),
            Origin::Call => return,
        });
    }
}
