//! graph-flow: a `FanOutTask` of five children in a session that is kept in memory, as its README shows them.
//!
//! Per run: a new session is saved, the runner executes it, and the answers are read from the saved session, which is deleted.

use std::sync::Arc;

use graph_flow::{
    Context, FanOutTask, FlowRunner, GraphBuilder, InMemorySessionStorage, NextAction, Session,
    SessionStorage, Task, TaskResult,
};

use crate::RoundTrip;
use crate::patterns::SPECIALISTS;

struct Child {
    id: String,
}

#[async_trait::async_trait]
impl Task for Child {
    fn id(&self) -> &str {
        &self.id
    }

    async fn run(&self, context: Context) -> graph_flow::Result<TaskResult> {
        let input: u64 = context.get("input").unwrap_or_default();
        let answer = input.to_string();
        Ok(TaskResult::new(Some(answer), NextAction::End))
    }
}

/// A runner of one graph.
#[derive(Clone)]
pub struct GraphFlow {
    runner: FlowRunner,
    sessions: Arc<InMemorySessionStorage>,
    next: u64,
}

impl std::fmt::Debug for GraphFlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GraphFlow").finish_non_exhaustive()
    }
}

impl GraphFlow {
    /// Builds the graph.
    ///
    /// # Panics
    ///
    /// Panics when the graph is refused.
    #[must_use]
    pub fn setup() -> Self {
        let child = |n| {
            let id = format!("s{n}");
            Arc::new(Child { id }) as Arc<dyn Task>
        };
        let children = (0..SPECIALISTS).map(child).collect();
        let fan = FanOutTask::new("fan", children).with_next_action(NextAction::End);
        let graph = GraphBuilder::new("bench").add_task(fan).build();
        let graph = Arc::new(graph.expect("it has one task"));
        let sessions = Arc::new(InMemorySessionStorage::new());
        let runner = FlowRunner::new(graph, Arc::clone(&sessions) as Arc<dyn SessionStorage>);
        Self {
            runner,
            sessions,
            next: 0,
        }
    }
}

impl RoundTrip for GraphFlow {
    async fn call(&mut self, input: u64) -> u64 {
        self.next += 1;
        let id = self.next.to_string();
        let session = Session::new_from_task(id.clone(), "fan");
        session.context.set("input", input).expect("it is JSON");
        self.sessions.save(session).await.expect("it is new");
        self.runner.run(&id).await.expect("no child fails");
        let done = self.sessions.get(&id).await.expect("it is kept");
        let context = done.expect("it was saved").context;
        self.sessions.delete(&id).await.expect("it was saved");
        let answer = |n| context.get::<String>(&format!("fanout.s{n}.response"));
        let parsed = |n| answer(n).and_then(|text| text.parse::<u64>().ok());
        let sum: Option<u64> = (0..SPECIALISTS).map(parsed).sum();
        sum.map_or(u64::MAX, |sum| sum / SPECIALISTS as u64)
    }
}
