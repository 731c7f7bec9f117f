//! Compiles definitions into the plans that the run-scheduler works from, and into the graphs that readers see.

use std::collections::BTreeMap;

use treenail_engine::glue::{
    Component,
    graph::{self, Graph, TriggerShape},
};
use treenail_proto::{
    glue::v1::{
        CrawlerNodeDetails, Edge, Job, JobNodeDetails, Node, NodeType, Predicate, Trigger, TriggerNodeDetails,
        TriggerType, Workflow, WorkflowGraph,
    },
    internal::v1::{DeletedPlan, JobPlan, Plan, TriggerPlan, WorkflowPlan, plan::Subject},
};
use treenail_rpc::Scope;

use crate::{kind::Kind, rules};

/// The plan of a workflow with all its triggers.
pub(crate) fn workflow(scope: &Scope, uid: String, workflow: Workflow, triggers: BTreeMap<String, Trigger>) -> Plan {
    let triggers = triggers.into_values().collect();
    plan(
        scope,
        Subject::Workflow(WorkflowPlan {
            uid,
            workflow: Some(workflow),
            triggers,
        }),
    )
}

/// The plan of a trigger outside any workflow.
pub(crate) fn trigger(scope: &Scope, uid: String, trigger: Trigger) -> Plan {
    plan(
        scope,
        Subject::Trigger(TriggerPlan {
            uid,
            trigger: Some(trigger),
        }),
    )
}

/// The plan of a job.
pub(crate) fn job(scope: &Scope, uid: String, job: Job) -> Plan {
    plan(scope, Subject::Job(JobPlan { uid, job: Some(job) }))
}

/// The plan of a definition that is gone.
pub(crate) fn deleted(scope: &Scope, uid: String, kind: Kind, name: String) -> Plan {
    plan(
        scope,
        Subject::Deleted(DeletedPlan {
            uid,
            kind: kind.plan_kind().into(),
            name,
        }),
    )
}

/// The graph of a workflow's definition (`Glue API: WorkflowGraph`): nodes without runs.
pub(crate) fn graph(scope: &Scope, workflow: &str, triggers: &BTreeMap<String, Trigger>) -> WorkflowGraph {
    let triggers: Vec<&Trigger> = triggers.values().collect();
    let shapes: Vec<TriggerShape> = triggers.iter().map(|trigger| shape(trigger)).collect();
    let graph = Graph::compile(&shapes);
    let id = |node: &graph::Node| graph::node_id(&scope.account, &scope.region, workflow, node.kind(), node.name());
    let nodes: Vec<Node> = graph
        .nodes
        .iter()
        .map(|node| Node {
            name: Some(node.name().to_owned()),
            unique_id: Some(id(node)),
            ..details(node, &triggers)
        })
        .collect();
    let edge = |&(from, to): &(usize, usize)| Edge {
        source_id: nodes[from].unique_id.clone(),
        destination_id: nodes[to].unique_id.clone(),
    };
    let edges = graph.edges.iter().map(edge).collect();
    WorkflowGraph { nodes, edges }
}

fn plan(scope: &Scope, subject: Subject) -> Plan {
    // The store gives the plan its sequence when it commits it.
    Plan {
        account: scope.account.clone(),
        region: scope.region.clone(),
        sequence: 0,
        subject: Some(subject),
    }
}

fn details(node: &graph::Node, triggers: &[&Trigger]) -> Node {
    let mut described = Node::default();
    match node {
        graph::Node::Trigger { index, .. } => {
            described.set_type(NodeType::Trigger);
            described.trigger_details = Some(TriggerNodeDetails {
                trigger: Some(triggers[*index].clone()),
            });
        }
        graph::Node::Component(Component::Job(_)) => {
            described.set_type(NodeType::Job);
            described.job_details = Some(JobNodeDetails::default());
        }
        graph::Node::Component(Component::Crawler(_)) => {
            described.set_type(NodeType::Crawler);
            described.crawler_details = Some(CrawlerNodeDetails::default());
        }
    }
    described
}

fn shape(trigger: &Trigger) -> TriggerShape {
    let predicate = trigger
        .predicate
        .as_ref()
        .filter(|_| trigger.r#type() == TriggerType::Conditional);
    let starts = trigger.actions.iter();
    TriggerShape {
        name: trigger.name.clone().unwrap_or_default(),
        is_start: rules::trigger::is_start(trigger),
        watches: predicate.map(watches).unwrap_or_default(),
        starts: starts
            .filter_map(|action| component(&action.job_name, &action.crawler_name))
            .collect(),
    }
}

fn watches(predicate: &Predicate) -> Vec<Component> {
    let conditions = predicate.conditions.iter();
    conditions
        .filter_map(|condition| component(&condition.job_name, &condition.crawler_name))
        .collect()
}

fn component(job: &Option<String>, crawler: &Option<String>) -> Option<Component> {
    job.clone()
        .map(Component::Job)
        .or_else(|| crawler.clone().map(Component::Crawler))
}
