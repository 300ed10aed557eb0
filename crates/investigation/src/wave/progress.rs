//! What an investigation tells while it runs.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use universal_orchestrator::Value;
use universal_orchestrator_patterns::{OrchestrationContext, Specialist, Step, StepResult};

use crate::specialist::AssignmentId;

/// One step of an investigation, told while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A specialist begins.
    Began {
        /// Its name.
        specialist: &'static str,
        /// The wave, counted from 1.
        wave: usize,
        /// Nodes that it was asked about.
        nodes: usize,
    },
    /// A specialist has ended.
    Ended {
        /// Its name.
        specialist: &'static str,
        /// The wave, counted from 1.
        wave: usize,
        /// Whether it succeeded.
        completed: bool,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began {
                specialist,
                wave,
                nodes,
            } => write!(f, "wave {wave}: {specialist} looks at {nodes} nodes"),
            Self::Ended {
                specialist,
                wave,
                completed: true,
            } => write!(f, "wave {wave}: {specialist} has finished"),
            Self::Ended {
                specialist, wave, ..
            } => write!(f, "wave {wave}: {specialist} has failed"),
        }
    }
}

/// Who is told. It is called from the task of the investigation and must not block.
#[derive(Clone)]
pub struct ProgressListener(Arc<dyn Fn(Progress) + Send + Sync>);

impl ProgressListener {
    /// Tells a function.
    pub fn new(listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }
}

impl fmt::Debug for ProgressListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressListener").finish_non_exhaustive()
    }
}

/// A specialist whose begin and end are told.
pub(super) struct Told {
    pub(super) inner: Specialist<AssignmentId, Value>,
    pub(super) listener: ProgressListener,
    pub(super) specialist: &'static str,
    pub(super) wave: usize,
    pub(super) nodes: usize,
}

#[async_trait]
impl Step<AssignmentId, Value> for Told {
    fn name(&self) -> &str {
        self.specialist
    }

    async fn run(&self, context: &OrchestrationContext, input: AssignmentId) -> StepResult<Value> {
        (self.listener.0)(Progress::Began {
            specialist: self.specialist,
            wave: self.wave,
            nodes: self.nodes,
        });
        let result = self.inner.run(context, input).await;
        (self.listener.0)(Progress::Ended {
            specialist: self.specialist,
            wave: self.wave,
            completed: result.is_success(),
        });
        result
    }
}
