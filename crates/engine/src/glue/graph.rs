//! The graph of a workflow: its triggers, what they start, and what they watch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sha2::{Digest, Sha256};

use super::state::Component;

/// What the graph needs to know of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerShape {
    /// Its name.
    pub name: String,
    /// Whether it starts the workflow.
    pub is_start: bool,
    /// What its conditions watch, in their order.
    pub watches: Vec<Component>,
    /// What its actions start, in their order.
    pub starts: Vec<Component>,
}

/// A node of the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A trigger, by its position among the workflow's triggers.
    Trigger {
        /// The position.
        index: usize,
        /// The name.
        name: String,
    },
    /// A job or a crawler, whether or not it exists.
    Component(Component),
}

impl Node {
    /// The node's type in AWS's words (`Glue API: NodeType`).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trigger { .. } => "TRIGGER",
            Self::Component(Component::Job(_)) => "JOB",
            Self::Component(Component::Crawler(_)) => "CRAWLER",
        }
    }

    /// The name of the trigger, job or crawler.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Trigger { name, .. } | Self::Component(Component::Job(name) | Component::Crawler(name)) => name,
        }
    }
}

/// A workflow's graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// The nodes: breadth first from the start trigger, then what it does not reach, by trigger name.
    pub nodes: Vec<Node>,
    /// The edges, as positions of nodes: from a trigger to what it starts, and from what is watched to the trigger.
    pub edges: Vec<(usize, usize)>,
    /// For each node, what watches its end: the trigger's position among the triggers, and the condition's.
    watchers: Vec<Vec<(usize, usize)>>,
    /// For each trigger, the node that each of its actions starts.
    starts: Vec<Vec<usize>>,
    /// For each trigger, the node that each of its conditions watches.
    watches: Vec<Vec<usize>>,
}

impl Graph {
    /// Makes the graph of a workflow's triggers.
    #[must_use]
    pub fn compile(triggers: &[TriggerShape]) -> Self {
        let nodes = order(triggers);
        let position: BTreeMap<&Node, usize> = nodes.iter().enumerate().map(|(index, node)| (node, index)).collect();
        let component = |component: &Component| position[&Node::Component(component.clone())];

        let starts: Vec<Vec<usize>> = triggers
            .iter()
            .map(|trigger| trigger.starts.iter().map(component).collect())
            .collect();
        let watches: Vec<Vec<usize>> = triggers
            .iter()
            .map(|trigger| trigger.watches.iter().map(component).collect())
            .collect();

        let mut watchers = vec![Vec::new(); nodes.len()];
        for (trigger, watched) in watches.iter().enumerate() {
            for (condition, &node) in watched.iter().enumerate() {
                watchers[node].push((trigger, condition));
            }
        }

        let mut trigger_nodes = vec![0; triggers.len()];
        for (position, node) in nodes.iter().enumerate() {
            if let Node::Trigger { index, .. } = node {
                trigger_nodes[*index] = position;
            }
        }
        let mut edges = Vec::new();
        for (node_index, node) in nodes.iter().enumerate() {
            match node {
                Node::Trigger { index, .. } => edges.extend(distinct(&starts[*index]).map(|to| (node_index, to))),
                Node::Component(_) => {
                    let triggers: Vec<usize> = watchers[node_index].iter().map(|(trigger, _)| *trigger).collect();
                    edges.extend(distinct(&triggers).map(|trigger| (node_index, trigger_nodes[trigger])));
                }
            }
        }
        Self {
            nodes,
            edges,
            watchers,
            starts,
            watches,
        }
    }

    /// What watches the end of a node: positions of triggers and of their conditions.
    #[must_use]
    pub fn watchers(&self, node: usize) -> &[(usize, usize)] {
        &self.watchers[node]
    }

    /// The nodes that a trigger's actions start, in the order of the actions.
    #[must_use]
    pub fn starts(&self, trigger: usize) -> &[usize] {
        &self.starts[trigger]
    }

    /// The nodes that a trigger's conditions watch, in the order of the conditions.
    #[must_use]
    pub fn watches(&self, trigger: usize) -> &[usize] {
        &self.watches[trigger]
    }

    /// The position of a component's node.
    #[must_use]
    pub fn component(&self, component: &Component) -> Option<usize> {
        self.nodes
            .iter()
            .position(|node| matches!(node, Node::Component(other) if other == component))
    }

    /// How many nodes are jobs or crawlers.
    #[must_use]
    pub fn components(&self) -> usize {
        self.nodes
            .iter()
            .filter(|node| matches!(node, Node::Component(_)))
            .count()
    }

    /// What lies downstream of nodes: the nodes that their ends can start, directly or not, and the triggers in between.
    #[must_use]
    pub fn downstream(&self, from: impl IntoIterator<Item = usize>) -> Downstream {
        let mut found = Downstream {
            nodes: BTreeSet::new(),
            triggers: BTreeSet::new(),
        };
        let mut open: VecDeque<usize> = from.into_iter().collect();
        while let Some(node) = open.pop_front() {
            for &(trigger, _) in &self.watchers[node] {
                if found.triggers.insert(trigger) {
                    open.extend(
                        self.starts[trigger]
                            .iter()
                            .copied()
                            .filter(|&started| found.nodes.insert(started)),
                    );
                }
            }
        }
        found
    }
}

/// What lies downstream of some nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downstream {
    /// Positions of jobs' and crawlers' nodes.
    pub nodes: BTreeSet<usize>,
    /// Positions of triggers among the workflow's triggers.
    pub triggers: BTreeSet<usize>,
}

/// The id of a node: the same for the same component in the definition's graph and in every run's
/// (`Glue API: Node.UniqueId`).
#[must_use]
pub fn node_id(account: &str, region: &str, workflow: &str, kind: &str, name: &str) -> String {
    let mut hash = Sha256::new();
    for part in [account, region, workflow, kind, name] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().fold(String::from("wnode_"), |mut id, byte| {
        id.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        id.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        id
    })
}

/// All nodes, breadth first from the start trigger; then the same from each trigger not yet reached, by name.
fn order(triggers: &[TriggerShape]) -> Vec<Node> {
    let mut watched_by: BTreeMap<&Component, Vec<usize>> = BTreeMap::new();
    for (index, trigger) in triggers.iter().enumerate() {
        for component in &trigger.watches {
            watched_by.entry(component).or_default().push(index);
        }
    }
    let mut roots: Vec<usize> = (0..triggers.len()).collect();
    roots.sort_by_key(|&index| (!triggers[index].is_start, &triggers[index].name));

    let mut nodes = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = VecDeque::new();
    for root in roots {
        open.push_back(Node::Trigger {
            index: root,
            name: triggers[root].name.clone(),
        });
        while let Some(node) = open.pop_front() {
            if !seen.insert(node.clone()) {
                continue;
            }
            match &node {
                Node::Trigger { index, .. } => {
                    open.extend(triggers[*index].starts.iter().cloned().map(Node::Component));
                }
                Node::Component(component) => {
                    let watchers = watched_by.get(component).into_iter().flatten();
                    open.extend(watchers.map(|&index| Node::Trigger {
                        index,
                        name: triggers[index].name.clone(),
                    }));
                }
            }
            nodes.push(node);
        }
    }
    // What is only watched and never started has a node as well.
    for component in triggers.iter().flat_map(|trigger| &trigger.watches) {
        let node = Node::Component(component.clone());
        if seen.insert(node.clone()) {
            nodes.push(node);
        }
    }
    nodes
}

fn distinct(values: &[usize]) -> impl Iterator<Item = usize> {
    let mut seen = BTreeSet::new();
    values.iter().copied().filter(move |&value| seen.insert(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> Component {
        Component::Job(name.into())
    }

    fn trigger(name: &str, is_start: bool, watches: &[&str], starts: &[&str]) -> TriggerShape {
        TriggerShape {
            name: name.into(),
            is_start,
            watches: watches.iter().map(|name| job(name)).collect(),
            starts: starts.iter().map(|name| job(name)).collect(),
        }
    }

    fn names(graph: &Graph) -> Vec<&str> {
        graph.nodes.iter().map(Node::name).collect()
    }

    #[test]
    fn nodes_stand_breadth_first_from_the_start_trigger() {
        let graph = Graph::compile(&[
            trigger("a-join", false, &["left", "right"], &["last"]),
            trigger("lonely", false, &["nobody"], &["never"]),
            trigger("start", true, &[], &["left", "right"]),
        ]);
        assert_eq!(
            names(&graph),
            ["start", "left", "right", "a-join", "last", "lonely", "never", "nobody"]
        );
        assert_eq!(graph.edges, [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (5, 6), (7, 5)]);
    }

    #[test]
    fn a_job_used_twice_is_one_node_and_one_edge_a_trigger() {
        let graph = Graph::compile(&[
            trigger("s", true, &[], &["j", "j"]),
            trigger("t", false, &["j", "j"], &["k"]),
        ]);
        assert_eq!(names(&graph), ["s", "j", "t", "k"]);
        assert_eq!(graph.edges, [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(graph.watchers(1), [(1, 0), (1, 1)]);
    }

    #[test]
    fn downstream_follows_triggers_and_survives_cycles() {
        let graph = Graph::compile(&[
            trigger("s", true, &[], &["a"]),
            trigger("t1", false, &["a"], &["b"]),
            trigger("t2", false, &["b"], &["a"]),
        ]);
        let a = graph.component(&job("a")).expect("node");
        let b = graph.component(&job("b")).expect("node");
        assert_eq!(
            graph.downstream([a]),
            Downstream {
                nodes: [a, b].into(),
                triggers: [1, 2].into()
            }
        );
    }

    #[test]
    fn node_ids_differ_by_every_part_and_by_nothing_else() {
        let id = node_id("0", "r", "w", "JOB", "n");
        assert_eq!(id.len(), 70);
        assert_eq!(id, node_id("0", "r", "w", "JOB", "n"));
        assert_ne!(id, node_id("0", "r", "w", "TRIGGER", "n"));
        assert_ne!(id, node_id("0", "r", "wJ", "OB", "n"));
    }
}
