//! The way in: specialists on an orchestrator, and an investigation by them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::{Limits, RegisterRefused, UniversalOrchestrator};
use universal_orchestrator_patterns::ContextError;

use crate::evidence::Case;
use crate::incident::Incident;
use crate::report::{Report, build};
use crate::specialist::{CASES_MAX, Desk, Expert, SPECIALISTS, register};
use crate::wave::{ProgressListener, Strategy, run_waves};

/// What one investigation may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InvestigationLimits {
    /// Time for all specialists together; default 30 s. What is not in by then is reported as missing.
    pub deadline: Duration,
    /// What the specialists together may spend; default unlimited. A call counts one.
    pub budget: Limits,
    /// In which order specialists are asked.
    pub strategy: Strategy,
    /// A node whose confidence the report explains in full, whatever the verdict; default none.
    pub explain: Option<String>,
}

impl Default for InvestigationLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            budget: Limits::unlimited(),
            strategy: Strategy::default(),
            explain: None,
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
    /// The budget of the run could not be opened.
    #[error("the run of the investigation could not be opened")]
    Run(#[from] ContextError),
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
}

impl Investigator {
    /// Registers all specialists of this crate.
    ///
    /// # Errors
    ///
    /// The orchestrator refuses one, for example because an investigator has registered it already.
    pub async fn new(orchestrator: UniversalOrchestrator) -> Result<Self, InvestigateError> {
        Self::registering(orchestrator, SPECIALISTS).await
    }

    /// Registers some specialists only, by the names of [`specialists`](crate::specialists).
    /// Tasks for the others go to whichever agent has their capability; a name that no specialist has is left out.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn with_specialists(
        orchestrator: UniversalOrchestrator,
        names: &[&str],
    ) -> Result<Self, InvestigateError> {
        let chosen = SPECIALISTS.iter().copied();
        let chosen: Vec<Expert> = chosen.filter(|e| names.contains(&e.name())).collect();
        Self::registering(orchestrator, &chosen).await
    }

    async fn registering(
        orchestrator: UniversalOrchestrator,
        experts: &[Expert],
    ) -> Result<Self, InvestigateError> {
        let desk = Arc::new(Desk::default());
        register(&orchestrator, &desk, experts).await?;
        Ok(Self { orchestrator, desk })
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
        self.run(incident, limits, None).await
    }

    /// As [`investigate`](Self::investigate), and tells how far it is.
    ///
    /// # Errors
    ///
    /// As [`investigate`](Self::investigate).
    pub async fn investigate_telling(
        &self,
        incident: Incident,
        limits: &InvestigationLimits,
        listener: ProgressListener,
    ) -> Result<Report, InvestigateError> {
        self.run(incident, limits, Some(listener)).await
    }

    async fn run(
        &self,
        incident: Incident,
        limits: &InvestigationLimits,
        listener: Option<ProgressListener>,
    ) -> Result<Report, InvestigateError> {
        let started = Instant::now();
        let open = self.desk.open(Case::of(incident));
        let open = open.ok_or(InvestigateError::TooMany { max: CASES_MAX })?;
        let waves = run_waves(&self.orchestrator, &open, SPECIALISTS, limits, listener).await?;
        let explained = limits.explain.as_deref();
        Ok(build(&open.case, waves, explained, started))
    }
}
