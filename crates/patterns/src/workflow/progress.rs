//! What a run tells while it runs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast;

use crate::result::SkipReason;
use crate::workflow::gate::GateId;

/// The most events that are kept for a reader.
pub const PROGRESS_MAX: usize = 65_536;

/// Where runs tell how far they are. A cheap clone, carried by a context: `OrchestrationContext::builder(…).with(progress)`.
///
/// It keeps a bounded number of events. A slow reader loses the oldest and learns how many; it never holds up a run.
///
/// ```
/// # use serde_json::Value;
/// # use universal_orchestrator::UniversalOrchestrator;
/// # use universal_orchestrator_patterns::{OrchestrationContext, Progress, Progressed, ProgressKind, Workflow, WorkflowStep};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let orchestrator = UniversalOrchestrator::builder().start().await?;
/// # let workflow = Workflow::builder("one").step(WorkflowStep::collect("only")).build()?;
/// let progress = Progress::new(1_024);
/// let mut reader = progress.reader();
/// let context = OrchestrationContext::builder(&orchestrator).with(progress).build()?;
/// let _ = workflow.report(&context, Value::Null).await;
/// drop(context);
/// while let Some(Progressed::Event(event)) = reader.next().await {
///     println!("{event}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Progress(broadcast::Sender<ProgressEvent>);

impl Progress {
    /// Keeps so many events for each reader; 1 to [`PROGRESS_MAX`].
    #[must_use]
    pub fn new(events: usize) -> Self {
        Self(broadcast::Sender::new(events.clamp(1, PROGRESS_MAX)))
    }

    /// A reader of what is told from now on.
    #[must_use]
    pub fn reader(&self) -> ProgressReader {
        ProgressReader(self.0.subscribe())
    }

    pub(super) fn tell(&self, event: ProgressEvent) {
        // Nobody may be listening.
        let _ = self.0.send(event);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("readers", &self.0.receiver_count())
            .finish_non_exhaustive()
    }
}

/// Reads what runs tell.
#[derive(Debug)]
pub struct ProgressReader(broadcast::Receiver<ProgressEvent>);

/// What a reader reads.
#[derive(Debug, Clone)]
pub enum Progressed {
    /// What happened.
    Event(ProgressEvent),
    /// So many events came faster than they were read, and are lost.
    Lost(u64),
}

impl ProgressReader {
    /// Awaits the next event; `None` when no context carries the progress any more.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Progressed> {
        match self.0.recv().await {
            Ok(event) => Some(Progressed::Event(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Progressed::Lost(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// One thing that happened in a run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ProgressEvent {
    /// The workflow.
    pub workflow: String,
    /// The request that the run is for.
    pub request: String,
    /// How many steps are over.
    pub done: usize,
    /// Of how many.
    pub total: usize,
    /// What happened.
    #[serde(flatten)]
    pub kind: ProgressKind,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProgressKind {
    /// The run began.
    Began,
    /// A step began.
    Started {
        /// The step.
        step: String,
    },
    /// A step succeeded.
    Succeeded {
        /// The step.
        step: String,
        /// How long it took.
        duration: Duration,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: String,
        /// How long it took.
        duration: Duration,
        /// Why.
        failure: String,
    },
    /// A step is skipped.
    Skipped {
        /// The step.
        step: String,
        /// Why.
        reason: SkipReason,
    },
    /// A step waits for a decision.
    Waiting {
        /// The step.
        step: String,
        /// The gate to decide at.
        gate: GateId,
    },
    /// The run is over.
    Ended {
        /// Whether the workflow succeeded.
        success: bool,
    },
}

impl fmt::Display for ProgressEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}: ", self.workflow, self.done, self.total)?;
        match &self.kind {
            ProgressKind::Began => f.write_str("began"),
            ProgressKind::Started { step } => write!(f, "{step} started"),
            ProgressKind::Succeeded { step, .. } => write!(f, "{step} succeeded"),
            ProgressKind::Failed { step, failure, .. } => write!(f, "{step} failed: {failure}"),
            ProgressKind::Skipped { step, reason } => write!(f, "{step} skipped: {reason}"),
            ProgressKind::Waiting { step, gate } => write!(f, "{step} waits at {gate}"),
            ProgressKind::Ended { success: true } => f.write_str("succeeded"),
            ProgressKind::Ended { success: false } => f.write_str("did not succeed"),
        }
    }
}
