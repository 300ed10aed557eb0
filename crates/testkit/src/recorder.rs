//! A plugin that writes down what it sees.

use std::sync::Arc;

use parking_lot::Mutex;
use universal_orchestrator::plugin::{
    HookContext, HookPoint, HookSet, Observed, Plugin, PluginManifest,
};
use universal_orchestrator::{AgentId, TaskId, TaskState};

/// One observation of a [`Recorder`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Where.
    pub point: HookPoint,
    /// Which task.
    pub task: Option<TaskId>,
    /// Which agent.
    pub agent: Option<AgentId>,
    /// Which attempt.
    pub attempt: Option<u32>,
    /// How the task ended.
    pub state: Option<TaskState>,
}

/// A plugin that observes every hook point. Clones share what was seen.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Recorder {
    /// Name and hooks, for the builder.
    pub const MANIFEST: PluginManifest = PluginManifest::new(
        "recorder",
        "writes down everything that it sees",
        HookSet::none().observe_all(),
    );

    /// A recorder that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything seen so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// How often a point was seen.
    #[must_use]
    pub fn count(&self, point: HookPoint) -> usize {
        self.seen
            .lock()
            .iter()
            .filter(|seen| seen.point == point)
            .count()
    }

    /// What was seen of a task, in order.
    #[must_use]
    pub fn of_task(&self, task: &TaskId) -> Vec<Seen> {
        let seen = self.seen.lock();
        seen.iter()
            .filter(|s| s.task.as_ref() == Some(task))
            .cloned()
            .collect()
    }
}

impl Plugin for Recorder {
    fn observe(&self, _context: &HookContext<'_>, what: &Observed<'_>) {
        self.seen.lock().push(seen_of(what));
    }
}

fn seen_of(what: &Observed<'_>) -> Seen {
    let mut seen = Seen {
        point: HookPoint::Shutdown,
        task: None,
        agent: None,
        attempt: None,
        state: None,
    };
    match what {
        Observed::Registered { agent, .. } => {
            seen.point = HookPoint::Register;
            seen.agent = Some((*agent).clone());
        }
        Observed::Deregistered { agent } => {
            seen.point = HookPoint::Deregister;
            seen.agent = Some((*agent).clone());
        }
        Observed::Submitted { task } => {
            seen.point = HookPoint::Submit;
            seen.task = Some(task.id().clone());
        }
        Observed::Delegated { delegation, .. } => {
            seen.point = HookPoint::Delegate;
            fill(&mut seen, delegation);
        }
        Observed::Started { delegation, .. } => {
            seen.point = HookPoint::Start;
            fill(&mut seen, delegation);
        }
        Observed::Retrying { delegation, .. } => {
            seen.point = HookPoint::Retry;
            fill(&mut seen, delegation);
        }
        Observed::Completed { task, outcome } => {
            seen.point = HookPoint::Complete;
            seen.task = Some(task.id().clone());
            seen.state = Some(outcome.state());
        }
        Observed::Failed { task, outcome } => {
            seen.point = HookPoint::Fail;
            seen.task = Some(task.id().clone());
            seen.state = Some(outcome.state());
        }
        Observed::Cancelled { task, outcome } => {
            seen.point = HookPoint::Cancel;
            seen.task = Some(task.id().clone());
            seen.state = Some(outcome.state());
        }
        Observed::HealthCheck => seen.point = HookPoint::Health,
        Observed::Tick => seen.point = HookPoint::Tick,
        _ => {}
    }
    seen
}

fn fill(seen: &mut Seen, delegation: &universal_orchestrator::Delegation) {
    seen.task = Some(delegation.task().clone());
    seen.agent = Some(delegation.agent().clone());
    seen.attempt = Some(delegation.attempt());
}
