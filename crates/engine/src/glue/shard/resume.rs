//! A completed run is resumed: a new run restarts some of its nodes and all that lies downstream of them.

use std::{collections::BTreeSet, sync::Arc};

use super::{Shard, actions::Start};
use crate::{
    Timestamp,
    glue::{
        graph::{self, Node},
        history::Cause,
        input::{PreviousRun, Rejected, Reply},
        job_run::Origin,
        output::Output,
        plan::{Action, WorkflowPlan},
        run::CopiedNodes,
        state::RunStatus,
    },
    ids::WorkflowRunId,
};

impl Shard {
    /// `Glue API: ResumeWorkflowRun`.
    pub(super) fn resume_workflow_run(
        &mut self,
        now: Timestamp,
        workflow: &str,
        previous: &PreviousRun,
        node_ids: &[String],
        out: &mut Output,
    ) -> Result<Reply, Rejected> {
        let record = &previous.record;
        if self
            .workflows
            .get(workflow)
            .is_none_or(|known| known.plan.uid != record.workflow_uid)
        {
            return Err(Rejected::NoWorkflow);
        }
        if record.status != RunStatus::Completed {
            return Err(Rejected::IllegalStatus {
                run: record.id,
                status: record.status,
            });
        }
        let roots = self.roots(previous, node_ids)?;
        self.check_workflow_limit(workflow)?;

        let mut run = self.new_run(now, &previous.plan, std::collections::BTreeMap::new());
        // The properties are those of the previous run; the workflow's defaults are among them already.
        run.record.seed.clear();
        run.record.previous = Some(record.id);
        run.record.roots = roots.iter().copied().collect();
        run.record.root_triggers = roots.iter().map(|node| last_trigger(previous, *node)).collect();
        let copies = copies(run.record.id, previous, &roots);
        run.take_copies(&copies);
        out.changes.copies.push(copies);

        let node_ids = roots.iter().map(|&node| self.node_id(&previous.plan, node)).collect();
        let id = self.admit(now, run, Cause::Resume(record.id), out);
        Ok(Reply::Resumed(id, node_ids))
    }

    /// Starts the nodes that a resumed run begins with.
    pub(super) fn start_roots(&mut self, now: Timestamp, id: WorkflowRunId, out: &mut Output) {
        let Some(run) = self.runs.get(&id) else { return };
        let plan = Arc::clone(&run.plan);
        let roots = run.record.roots.clone();
        let triggers = run.record.root_triggers.clone();
        for (node, trigger_name) in roots.into_iter().zip(triggers) {
            let Node::Component(component) = &plan.graph.nodes[node] else {
                continue;
            };
            let action = trigger_name
                .as_deref()
                .and_then(|name| plan.trigger(name))
                .and_then(|trigger| {
                    trigger
                        .actions
                        .iter()
                        .find(|action| action.component == *component)
                        .cloned()
                })
                .unwrap_or_else(|| Action {
                    component: component.clone(),
                    arguments: None,
                    timeout_minutes: None,
                    notify_delay_minutes: None,
                    security_configuration: None,
                });
            let origin = Origin::Workflow { run: id, node };
            self.start_action(
                now,
                Start {
                    action: &action,
                    origin,
                    trigger_name,
                    predecessors: Vec::new(),
                },
                out,
            );
        }
    }

    /// The nodes to start: those that were asked for, without those that lie downstream of another one.
    fn roots(&self, previous: &PreviousRun, node_ids: &[String]) -> Result<BTreeSet<usize>, Rejected> {
        if node_ids.is_empty() {
            return Err(Rejected::NoNodes);
        }
        let mut selected = BTreeSet::new();
        for node_id in node_ids {
            let node = previous
                .nodes
                .keys()
                .copied()
                .find(|&node| self.node_id(&previous.plan, node) == *node_id);
            let not_run = || Rejected::NodeNotRun {
                node: node_id.clone(),
                run: previous.record.id,
            };
            selected.insert(node.ok_or_else(not_run)?);
        }
        let graph = &previous.plan.graph;
        let mut roots = BTreeSet::new();
        for &node in &selected {
            // Among nodes of one cycle, the first one is kept.
            let is_downstream = selected.iter().any(|&other| {
                other != node
                    && graph.downstream([other]).nodes.contains(&node)
                    && !(other > node && graph.downstream([node]).nodes.contains(&other))
            });
            if !is_downstream {
                roots.insert(node);
            }
        }
        Ok(roots)
    }

    fn node_id(&self, plan: &WorkflowPlan, node: usize) -> String {
        let node = &plan.graph.nodes[node];
        graph::node_id(&self.account, &self.region, &plan.name, node.kind(), node.name())
    }
}

/// What the resumed run shows of the previous one: all nodes that it does not run again.
fn copies(run: WorkflowRunId, previous: &PreviousRun, roots: &BTreeSet<usize>) -> CopiedNodes {
    let downstream = previous.plan.graph.downstream(roots.iter().copied());
    let is_kept = |node: &usize| !roots.contains(node) && !downstream.nodes.contains(node);
    let nodes = previous
        .nodes
        .iter()
        .filter(|(node, _)| is_kept(node))
        .map(|(node, runs)| (*node, runs.clone()))
        .collect();
    CopiedNodes { run, nodes }
}

/// The trigger that started a node last.
fn last_trigger(previous: &PreviousRun, node: usize) -> Option<String> {
    previous.nodes.get(&node)?.last()?.trigger_name().map(str::to_owned)
}
