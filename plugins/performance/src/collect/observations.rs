//! What hooks do: one short lock, no clock, no I/O.

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use universal_orchestrator::plugin::Observed;
use universal_orchestrator::{AgentId, Capability, TaskOutcome, TaskRecord, TaskState, TaskType};

use crate::collect::batch::nanos;
use crate::collect::{Batch, Ended, Table, empty_histogram};

/// What figures are kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dimension {
    Agent,
    TaskType,
    Capability,
}

#[derive(Debug)]
struct State {
    registration: Histogram<u32>,
    delegation: Histogram<u32>,
    agents: Table<AgentId>,
    task_types: Table<TaskType>,
    capabilities: Table<Capability>,
}

/// What was taken from the hooks' side.
#[derive(Debug)]
pub(crate) struct Harvest {
    pub(crate) registration: Histogram<u32>,
    pub(crate) delegation: Histogram<u32>,
    pub(crate) agents: Vec<(Option<AgentId>, Batch)>,
    pub(crate) task_types: Vec<(Option<TaskType>, Batch)>,
    pub(crate) capabilities: Vec<(Option<Capability>, Batch)>,
    pub(crate) untracked: u64,
}

/// Where hooks write.
#[derive(Debug)]
pub(crate) struct Observations(Mutex<State>);

impl Observations {
    pub(crate) fn new(tracked_max: usize) -> Self {
        Self(Mutex::new(State {
            registration: empty_histogram(),
            delegation: empty_histogram(),
            agents: Table::new(tracked_max),
            task_types: Table::new(tracked_max),
            capabilities: Table::new(tracked_max),
        }))
    }

    /// One observation.
    pub(crate) fn see(&self, what: &Observed<'_>) {
        match what {
            Observed::Registered { took, .. } => {
                let took = nanos(*took);
                self.0.lock().registration.saturating_record(took);
            }
            Observed::Delegated {
                task,
                delegation,
                took,
                queue_wait,
            } => {
                let mut state = self.0.lock();
                if let Some(took) = took {
                    state.delegation.saturating_record(nanos(*took));
                }
                // What a later attempt waited for is the attempt before it. One bound at once is counted at its end.
                if delegation.attempt() <= 1 && !queue_wait.is_zero() {
                    state.each_of_task(task, |batch| batch.waited(*queue_wait));
                }
            }
            Observed::Completed { task, outcome }
            | Observed::Failed { task, outcome }
            | Observed::Cancelled { task, outcome } => self.ended(task, outcome),
            Observed::Retrying {
                task, delegation, ..
            } => {
                let mut state = self.0.lock();
                state.each_of_task(task, Batch::retried);
                state.agents.batch(delegation.agent()).retried();
            }
            _ => {}
        }
    }

    fn ended(&self, task: &TaskRecord, outcome: &TaskOutcome) {
        let how = match outcome.state() {
            TaskState::Succeeded => Ended::Succeeded,
            TaskState::TimedOut => Ended::TimedOut,
            TaskState::Rejected => Ended::Rejected,
            TaskState::Cancelled => Ended::Cancelled,
            _ => Ended::Failed,
        };
        let measured = matches!(how, Ended::Succeeded | Ended::Failed | Ended::TimedOut);
        let agent = outcome.agent();
        let ran = (measured && agent.is_some()).then(|| outcome.run_time());
        let direct = agent.is_some() && outcome.attempts() <= 1 && outcome.queue_wait().is_zero();
        let mut state = self.0.lock();
        state.each_of_task(task, |batch| batch.ended(how, ran, direct));
        if let Some(agent) = agent {
            state.agents.batch(agent).ended(how, ran, false);
        }
    }

    /// Takes what was written since the last time. Holds the lock for an exchange of pointers a series.
    pub(crate) fn take(&self, mut spare: impl FnMut() -> Batch) -> Harvest {
        let (registration, delegation) = (empty_histogram(), empty_histogram());
        let mut state = self.0.lock();
        Harvest {
            registration: std::mem::replace(&mut state.registration, registration),
            delegation: std::mem::replace(&mut state.delegation, delegation),
            agents: state.agents.take(&mut spare),
            task_types: state.task_types.take(&mut spare),
            capabilities: state.capabilities.take(&mut spare),
            untracked: state.agents.untracked()
                + state.task_types.untracked()
                + state.capabilities.untracked(),
        }
    }

    pub(crate) fn forget_agent(&self, agent: &AgentId) {
        self.0.lock().agents.forget(agent);
    }

    pub(crate) fn forget_task_type(&self, task_type: &TaskType) {
        self.0.lock().task_types.forget(task_type);
    }

    pub(crate) fn forget_capability(&self, capability: &Capability) {
        self.0.lock().capabilities.forget(capability);
    }
}

impl State {
    fn each_of_task(&mut self, task: &TaskRecord, mut write: impl FnMut(&mut Batch)) {
        // Every accepted task has a type; all types together are the whole.
        if let Some(task_type) = task.task().task_type() {
            write(self.task_types.batch(task_type));
        }
        for capability in task.task().required().iter() {
            write(self.capabilities.batch(capability));
        }
    }
}
