//! The call graph: which node calls which.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

/// A directed graph of calls; it may have cycles and unconnected parts.
///
/// An edge goes from the caller to the callee. A cause travels the other way.
#[derive(Clone, Debug, Default)]
pub struct CallGraph {
    graph: DiGraph<Arc<str>, ()>,
    places: HashMap<Arc<str>, NodeIndex>,
}

impl CallGraph {
    /// A graph without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node unless it is there.
    pub fn add_node(&mut self, name: &str) {
        self.place(name);
    }

    /// Adds a call, and the nodes that it needs. A call to itself and a call that is there already change nothing.
    pub fn add_call(&mut self, caller: &str, callee: &str) {
        let (caller, callee) = (self.place(caller), self.place(callee));
        if caller != callee {
            self.graph.update_edge(caller, callee, ());
        }
    }

    /// Adds all nodes and calls of another graph.
    pub fn merge(&mut self, other: &Self) {
        for node in other.nodes() {
            self.add_node(node);
        }
        for (caller, callee) in other.calls() {
            self.add_call(caller, callee);
        }
    }

    /// The nodes in the order in which they came.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<str>> + '_ {
        self.graph.node_weights()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.graph.node_count()
    }

    /// How many calls there are.
    #[must_use]
    pub fn call_count(&self) -> usize {
        self.graph.edge_count()
    }

    /// Every call as caller and callee.
    pub fn calls(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> + '_ {
        let ends = |edge: petgraph::graph::EdgeReference<'_, ()>| (edge.source(), edge.target());
        self.graph
            .edge_references()
            .map(ends)
            .map(|(caller, callee)| (&self.graph[caller], &self.graph[callee]))
    }

    /// Whether the node is in the graph.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn place(&mut self, name: &str) -> NodeIndex {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let name: Arc<str> = name.into();
        let place = self.graph.add_node(Arc::clone(&name));
        self.places.insert(name, place);
        place
    }
}

/// The call graph over a fixed list of nodes, with what the ranking asks of it.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    pub(crate) callees: Vec<Vec<usize>>,
    pub(crate) callers: Vec<Vec<usize>>,
    /// Nodes that call each other in a circle have the same component.
    component: Vec<usize>,
}

impl Topology {
    /// `names` are unique; calls of nodes that are not among them are left out.
    pub(crate) fn of(graph: &CallGraph, names: &[Arc<str>]) -> Self {
        let number: HashMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(place, name)| (&**name, place))
            .collect();
        let mut topology = Self {
            callees: vec![Vec::new(); names.len()],
            callers: vec![Vec::new(); names.len()],
            component: vec![usize::MAX; names.len()],
        };
        let of = |place: NodeIndex| number.get(&*graph.graph[place]).copied();
        for place in graph.graph.node_indices() {
            let Some(node) = of(place) else { continue };
            let neighbours = |direction| -> Vec<usize> {
                let mut found: Vec<usize> = graph
                    .graph
                    .neighbors_directed(place, direction)
                    .filter_map(of)
                    .collect();
                found.sort_unstable();
                found
            };
            topology.callees[node] = neighbours(Outgoing);
            topology.callers[node] = neighbours(Incoming);
        }
        for (number, members) in petgraph::algo::kosaraju_scc(&graph.graph)
            .iter()
            .enumerate()
        {
            for node in members.iter().copied().filter_map(of) {
                topology.component[node] = number;
            }
        }
        topology
    }

    /// Callees whose trouble can explain the node's: all but those that the node's own trouble reaches through a circle.
    pub(crate) fn deeper_callees(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let own = self.component[node];
        self.callees[node]
            .iter()
            .copied()
            .filter(move |callee| self.component[*callee] != own)
    }

    /// How many calls each node is away from `from`, or `None` when no chain of calls leads there.
    pub(crate) fn distances(&self, from: usize) -> Vec<Option<u32>> {
        walk(&self.callees, from)
    }

    /// The node and everything that calls it, directly or not.
    pub(crate) fn callers_and_self(&self, node: usize) -> Vec<Option<u32>> {
        walk(&self.callers, node)
    }
}

fn walk(edges: &[Vec<usize>], from: usize) -> Vec<Option<u32>> {
    let mut distance = vec![None; edges.len()];
    distance[from] = Some(0);
    let mut queue = VecDeque::from([(from, 0)]);
    while let Some((node, steps)) = queue.pop_front() {
        for next in &edges[node] {
            if distance[*next].is_none() {
                distance[*next] = Some(steps + 1);
                queue.push_back((*next, steps + 1));
            }
        }
    }
    distance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(calls: &[(&str, &str)], names: &[&str]) -> Topology {
        let mut graph = CallGraph::new();
        for (caller, callee) in calls {
            graph.add_call(caller, callee);
        }
        let names: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
        Topology::of(&graph, &names)
    }

    #[test]
    fn distances_follow_calls_and_leave_out_the_unreachable() {
        let topology = topology(
            &[("a", "b"), ("b", "c"), ("a", "c"), ("x", "c")],
            &["a", "b", "c", "x"],
        );
        assert_eq!(topology.distances(0), [Some(0), Some(1), Some(1), None]);
        assert_eq!(
            topology.callers_and_self(2),
            [Some(1), Some(1), Some(0), Some(1)]
        );
    }

    #[test]
    fn a_circle_does_not_explain_itself() {
        let topology = topology(&[("a", "b"), ("b", "a"), ("b", "c")], &["a", "b", "c"]);
        assert_eq!(topology.deeper_callees(0).count(), 0);
        assert_eq!(topology.deeper_callees(1).collect::<Vec<_>>(), [2]);
        assert_eq!(topology.distances(0), [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn a_call_to_itself_is_no_edge() {
        let mut graph = CallGraph::new();
        graph.add_call("a", "a");
        assert_eq!((graph.node_count(), graph.call_count()), (1, 0));
    }
}
