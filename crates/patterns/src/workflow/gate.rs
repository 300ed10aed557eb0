//! Decisions that runs wait for.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::workflow::spec::GateSpec;

/// The most gates at which runs wait at a time; a further one fails.
pub const GATES_MAX: usize = 10_000;
/// How long a gate waits that says nothing.
pub const GATE_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);
/// So many gates are remembered after they were passed, so that a second decision learns of the first.
const SETTLED_MAX: usize = 10_000;
/// The longest name and comment of who decides, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;

/// A gate as the workflow has it.
#[derive(Debug, Clone)]
pub(super) struct GatePlan {
    pub(super) question: String,
    pub(super) choices: Arc<[String]>,
    pub(super) default: Option<String>,
    pub(super) deadline: Duration,
}

impl GatePlan {
    pub(super) fn new(spec: &GateSpec) -> Self {
        Self {
            question: spec.question.clone(),
            choices: spec.choices.clone().into(),
            default: spec.default.clone(),
            deadline: spec
                .deadline_ms
                .map_or(GATE_DEADLINE, Duration::from_millis),
        }
    }
}

/// Names one gate of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct GateId(u64);

impl fmt::Display for GateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gate-{}", self.0)
    }
}

/// Reads what [`GateId`] writes, for those who decide from elsewhere.
impl std::str::FromStr for GateId {
    type Err = UnknownGateId;

    fn from_str(text: &str) -> Result<Self, UnknownGateId> {
        let number = text.strip_prefix("gate-").and_then(|n| n.parse().ok());
        number
            .map(Self)
            .ok_or_else(|| UnknownGateId(text.chars().take(64).collect()))
    }
}

/// A text that names no gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no gate; write gate- and a number, as pending() shows it")]
pub struct UnknownGateId(String);

/// A gate at which a run waits.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct GateView {
    /// The gate.
    pub id: GateId,
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// The request that the run is for.
    pub request: String,
    /// What is to be decided.
    pub question: String,
    /// The decisions that can be given.
    pub choices: Arc<[String]>,
    /// What the gate was given to show.
    pub input: Value,
    /// The decision that is taken when nobody decides.
    pub default: Option<String>,
    /// When it is taken, or the gate fails.
    #[serde(skip)]
    pub deadline: Instant,
}

/// What was decided at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GateDecision {
    /// One of the choices.
    pub decision: String,
    /// Who decided; empty when nobody did.
    pub by: String,
    /// Why.
    pub comment: String,
    /// Whether nobody decided in time, and this is the default.
    pub defaulted: bool,
}

/// Why a decision was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecideError {
    /// There never was such a gate, or it was passed long ago.
    #[error("{gate} is not known; pending() lists the gates that wait")]
    Unknown {
        /// The gate.
        gate: GateId,
    },
    /// It was decided before; the first decision stands.
    #[error("{gate} was decided as {:?} by {:?}; the first decision stands", decision.decision, decision.by)]
    Decided {
        /// The gate.
        gate: GateId,
        /// The decision that stands.
        decision: Box<GateDecision>,
    },
    /// Its run ended before anybody decided.
    #[error("{gate} is over: its run ended before a decision")]
    Over {
        /// The gate.
        gate: GateId,
    },
    /// The decision is none of the choices.
    #[error("{choice:?} is no choice at {gate}; write one of {}", choices.join(", "))]
    NoChoice {
        /// The gate.
        gate: GateId,
        /// What was given.
        choice: String,
        /// What can be given.
        choices: Arc<[String]>,
    },
    /// The name or comment of who decides is too long.
    #[error("{bytes} bytes of name and comment at {gate}; write at most {max}")]
    TooLong {
        /// The gate.
        gate: GateId,
        /// How long they are together.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

/// The gates at which runs wait. A cheap clone.
///
/// A workflow has its own. Carried by a context (`OrchestrationContext::builder(…).with(gates)`), these are used instead, so that several workflows share them.
#[derive(Clone, Default)]
pub struct Gates(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    last: u64,
    pending: BTreeMap<GateId, Pending>,
    settled: BTreeMap<GateId, Settled>,
    settled_order: VecDeque<GateId>,
}

struct Pending {
    view: GateView,
    decided: oneshot::Sender<GateDecision>,
}

enum Settled {
    Decided(GateDecision),
    Over,
}

impl Store {
    fn settle(&mut self, gate: GateId, how: Settled) {
        if self.settled_order.len() == SETTLED_MAX
            && let Some(oldest) = self.settled_order.pop_front()
        {
            self.settled.remove(&oldest);
        }
        self.settled_order.push_back(gate);
        self.settled.insert(gate, how);
    }
}

impl Gates {
    /// No gates.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The gates at which runs wait, the oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<GateView> {
        let store = self.0.lock();
        store.pending.values().map(|p| p.view.clone()).collect()
    }

    /// Decides at a gate: the choice, by whom, and why. The run goes on.
    ///
    /// # Errors
    /// [`DecideError`] when the gate does not wait for this; nothing changed then.
    pub fn decide(
        &self,
        gate: GateId,
        choice: impl Into<String>,
        by: impl Into<String>,
        comment: impl Into<String>,
    ) -> Result<(), DecideError> {
        let decision = GateDecision {
            decision: choice.into(),
            by: by.into(),
            comment: comment.into(),
            defaulted: false,
        };
        let bytes = decision.by.len().saturating_add(decision.comment.len());
        let mut store = self.0.lock();
        let Some(pending) = store.pending.get(&gate) else {
            return Err(match store.settled.get(&gate) {
                Some(Settled::Decided(first)) => DecideError::Decided {
                    gate,
                    decision: Box::new(first.clone()),
                },
                Some(Settled::Over) => DecideError::Over { gate },
                None => DecideError::Unknown { gate },
            });
        };
        if !pending.view.choices.contains(&decision.decision) {
            return Err(DecideError::NoChoice {
                gate,
                choice: decision.decision,
                choices: Arc::clone(&pending.view.choices),
            });
        }
        if bytes > TEXT_BYTES_MAX {
            let max = TEXT_BYTES_MAX;
            return Err(DecideError::TooLong { gate, bytes, max });
        }
        if let Some(pending) = store.pending.remove(&gate) {
            store.settle(gate, Settled::Decided(decision.clone()));
            // Within the lock, so that who finds the gate settled finds the decision too. A run that ends now has nobody to tell.
            let _ = pending.decided.send(decision);
        }
        Ok(())
    }

    /// Opens a gate; `None` when too many wait.
    pub(super) fn open(&self, view: impl FnOnce(GateId) -> GateView) -> Option<OpenGate> {
        let (decided, decision) = oneshot::channel();
        let mut store = self.0.lock();
        if store.pending.len() >= GATES_MAX {
            return None;
        }
        store.last += 1;
        let id = GateId(store.last);
        let view = view(id);
        store.pending.insert(id, Pending { view, decided });
        drop(store);
        Some(OpenGate {
            id,
            gates: self.clone(),
            decision,
        })
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates")
            .field("pending", &self.0.lock().pending.len())
            .finish_non_exhaustive()
    }
}

/// A gate that a run waits at. Dropped, it is over.
#[derive(Debug)]
pub(super) struct OpenGate {
    pub(super) id: GateId,
    gates: Gates,
    pub(super) decision: oneshot::Receiver<GateDecision>,
}

impl OpenGate {
    /// Takes the default, unless somebody decided just now.
    pub(super) fn default_to(mut self, choice: &str) -> GateDecision {
        let mut store = self.gates.0.lock();
        if store.pending.remove(&self.id).is_none()
            && let Ok(decision) = self.decision.try_recv()
        {
            return decision;
        }
        let decision = GateDecision {
            decision: choice.to_owned(),
            by: String::new(),
            comment: String::new(),
            defaulted: true,
        };
        store.settle(self.id, Settled::Decided(decision.clone()));
        drop(store);
        decision
    }
}

impl Drop for OpenGate {
    fn drop(&mut self) {
        let mut store = self.gates.0.lock();
        if store.pending.remove(&self.id).is_some() {
            store.settle(self.id, Settled::Over);
        }
    }
}
