//! adk-graph: five nodes from the start to the end, which run in one super-step, without a checkpointer.
//!
//! Per run: `invoke` with the input as state; the answers are read from the state that comes back.

use std::sync::Arc;

use adk_graph::edge::{END, START};
use adk_graph::graph::{CompiledGraph, StateGraph};
use adk_graph::node::{ExecutionConfig, NodeContext, NodeOutput};
use adk_graph::state::State;

use crate::RoundTrip;
use crate::patterns::SPECIALISTS;

/// A compiled graph.
#[derive(Clone)]
pub struct AdkGraph {
    graph: Arc<CompiledGraph>,
}

impl std::fmt::Debug for AdkGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdkGraph").finish_non_exhaustive()
    }
}

impl AdkGraph {
    /// Builds the graph.
    ///
    /// # Panics
    ///
    /// Panics when the graph is refused.
    #[must_use]
    pub fn setup() -> Self {
        let names: Vec<String> = (0..SPECIALISTS).map(|n| format!("s{n}")).collect();
        let mut channels: Vec<&str> = names.iter().map(String::as_str).collect();
        channels.push("input");
        let mut graph = StateGraph::with_channels(&channels);
        for name in &names {
            let channel = name.clone();
            graph = graph
                .add_node_fn(name, move |context: NodeContext| {
                    let channel = channel.clone();
                    async move {
                        let input = context.get("input").cloned().unwrap_or_default();
                        Ok(NodeOutput::new().with_update(&channel, input))
                    }
                })
                .add_edge(START, name)
                .add_edge(name, END);
        }
        let graph = graph
            .compile()
            .expect("every node lies between start and end");
        Self {
            graph: Arc::new(graph),
        }
    }
}

impl RoundTrip for AdkGraph {
    async fn call(&mut self, input: u64) -> u64 {
        let mut state = State::new();
        state.insert("input".to_owned(), input.into());
        let done = self.graph.invoke(state, ExecutionConfig::new("bench"));
        let done = done.await.expect("no node fails");
        let answer = |n: usize| done.get(&format!("s{n}")).and_then(|v| v.as_u64());
        let sum: Option<u64> = (0..SPECIALISTS).map(answer).sum();
        sum.map_or(u64::MAX, |sum| sum / SPECIALISTS as u64)
    }
}
