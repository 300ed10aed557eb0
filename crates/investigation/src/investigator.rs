//! The way in: specialists on an orchestrator, and an investigation by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::{
    BudgetError, IdError, Limits, RegisterRefused, RunId, UniversalOrchestrator,
};

use crate::evidence::Case;
use crate::incident::Incident;
use crate::report::{Report, build};
use crate::specialist::{Desk, Specialty, register};
use crate::wave::run_wave;

/// What one investigation may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InvestigationLimits {
    /// Time for all specialists together; default 30 s. What is not in by then is reported as missing.
    pub deadline: Duration,
    /// What the specialists together may spend; default unlimited. A call counts one.
    pub budget: Limits,
}

impl Default for InvestigationLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            budget: Limits::unlimited(),
        }
    }
}

/// Why an investigation could not be made. What goes wrong within one is in its report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvestigateError {
    /// The orchestrator refused a specialist.
    #[error("a specialist could not be registered")]
    Register(#[from] RegisterRefused),
    /// The name of the run was refused.
    #[error("the run could not be named")]
    Run(#[from] IdError),
    /// The budget of the run could not be opened or closed.
    #[error("the budget of the investigation could not be kept")]
    Budget(#[from] BudgetError),
    /// Too many investigations at the same time.
    #[error("{max} investigations are at work: wait until one has ended")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

/// Investigates incidents with the agents of an orchestrator. Clones share the specialists.
///
/// # Examples
///
/// See the [crate's example](crate).
#[derive(Clone, Debug)]
pub struct Investigator {
    orchestrator: UniversalOrchestrator,
    desk: Arc<Desk>,
    runs: Arc<AtomicU64>,
}

impl Investigator {
    /// Registers all specialists of this crate.
    ///
    /// # Errors
    ///
    /// The orchestrator refuses one, for example because an investigator has registered it already.
    pub async fn new(orchestrator: UniversalOrchestrator) -> Result<Self, InvestigateError> {
        Self::with_specialists(orchestrator, &Specialty::ALL).await
    }

    /// Registers some specialists only. Tasks for the others go to whichever agent has their capability.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn with_specialists(
        orchestrator: UniversalOrchestrator,
        specialties: &[Specialty],
    ) -> Result<Self, InvestigateError> {
        let desk = Arc::new(Desk::default());
        register(&orchestrator, &desk, specialties).await?;
        Ok(Self {
            orchestrator,
            desk,
            runs: Arc::default(),
        })
    }

    /// Finds the cause of an incident, or says that there is none or that the data do not tell.
    ///
    /// A specialist that fails, hangs or overspends costs its own findings; the report says so.
    ///
    /// # Errors
    ///
    /// Too many investigations at once, or the orchestrator refuses the run.
    pub async fn investigate(
        &self,
        incident: Incident,
        limits: &InvestigationLimits,
    ) -> Result<Report, InvestigateError> {
        let started = Instant::now();
        let open = self
            .desk
            .open(Case::of(incident))
            .ok_or(InvestigateError::TooMany {
                max: crate::specialist::CASES_MAX,
            })?;
        let first = Specialty::of(open.case.incident.target.signal.metric());
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let run = RunId::new(format!("investigation-{number}"))?;
        let orchestrator = &self.orchestrator;
        let wave = run_wave(
            orchestrator,
            &open,
            first,
            limits.deadline,
            limits.budget,
            &run,
        )
        .await?;
        Ok(build(&open.case, wave, started))
    }
}
