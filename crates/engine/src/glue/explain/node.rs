//! Why a node of a run is as it is.

use std::collections::BTreeSet;

use super::{Finding, Reader};
use crate::glue::{
    graph::Node,
    job_run::JobRun,
    state::{Component, RunStatus},
};

impl Reader<'_> {
    /// A job, a crawler and a trigger may share a name; each is told of.
    pub(super) fn node(&self, name: &str) -> Vec<Finding> {
        let nodes = self.known.plan.graph.nodes.iter().enumerate();
        let mut named = nodes.filter(|(_, node)| node.name() == name).peekable();
        if named.peek().is_none() {
            return vec![Finding::NoSuchNode { node: name.to_owned() }];
        }
        if self.known.record.status == RunStatus::Error {
            return self.beginning();
        }
        let findings = named.flat_map(|(index, node)| match node {
            Node::Trigger { index, .. } => self.triggers(vec![*index]),
            Node::Component(component) => self.component(index, component),
        });
        findings.collect()
    }

    /// A job or crawler: what started it and its attempts, or why there are none.
    fn component(&self, node: usize, component: &Component) -> Vec<Finding> {
        let ran = self.in_this_run(node, component);
        if !ran.is_empty() {
            let mut findings = self.starts_of(node);
            findings.extend(ran);
            return findings;
        }
        let record = self.known.record;
        if let (true, Some(previous)) = (self.known.copied.contains_key(&node), record.previous) {
            let node = self.known.plan.graph.nodes[node].name().to_owned();
            return vec![Finding::Copied { node, previous }];
        }
        self.triggers(self.starters(node))
    }

    /// What ran in a node in this run.
    fn in_this_run(&self, node: usize, component: &Component) -> Vec<Finding> {
        match component {
            Component::Job(_) => self.attempts(self.index.job_runs(node).iter().copied()),
            Component::Crawler(crawler) => {
                let crawled = self.index.crawl(node).map(|(state, at)| Finding::Crawled {
                    crawler: crawler.clone(),
                    state,
                    at,
                });
                crawled.into_iter().collect()
            }
        }
    }

    /// What started a node that ran.
    fn starts_of(&self, node: usize) -> Vec<Finding> {
        let record = self.known.record;
        let is_root = record.roots.contains(&node);
        let restarted = record.previous.filter(|_| is_root).map(|previous| Finding::Restarted {
            node: self.known.plan.graph.nodes[node].name().to_owned(),
            previous,
        });
        // A root names the trigger that started it in the previous run; that one did not fire here.
        let own = self.index.job_runs(node).iter();
        let named: BTreeSet<&str> = own
            .filter_map(|run: &&JobRun| run.spec.trigger_name.as_deref())
            .collect();
        let is_crawler = self.index.crawl(node).is_some();
        let fired = self.starters(node).into_iter().filter(|trigger| {
            let name = self.known.plan.triggers[*trigger].name.as_str();
            is_crawler || named.contains(name)
        });
        let fired = fired.filter_map(|trigger| self.fired(trigger));
        restarted.into_iter().chain(fired).collect()
    }

    /// The triggers that start a node.
    pub(super) fn starters(&self, node: usize) -> Vec<usize> {
        let plan = self.known.plan;
        let starts_it = |trigger: &usize| plan.graph.starts(*trigger).contains(&node);
        (0..plan.triggers.len()).filter(starts_it).collect()
    }
}
