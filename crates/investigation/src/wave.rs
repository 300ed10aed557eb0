//! One wave: all specialists at the same time, each with the same deadline and on one budget.
//!
//! What a specialist does not deliver costs its own findings only; the wave says why it did not.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use universal_orchestrator::{
    BudgetError, Limits, RunId, Task, TaskHandle, TaskOutcome, UniversalOrchestrator,
};

use crate::evidence::Findings;
use crate::specialist::{OpenCase, Specialty};

/// What became of one specialist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecialistRun {
    /// What it looks at.
    pub specialty: Specialty,
    /// Whether it handed in its findings.
    pub completed: bool,
    /// Why it did not.
    pub reason: Option<String>,
    /// Series that it judged.
    pub observations: usize,
    /// Series that it could not judge.
    pub unknown: usize,
    /// Time that it worked, in microseconds.
    pub elapsed_us: u64,
}

/// What came out of a wave, in the order of [`Specialty::ALL`].
pub(crate) struct WaveResult {
    pub(crate) runs: Vec<SpecialistRun>,
    pub(crate) findings: Vec<Findings>,
}

/// Runs one wave. `first` is submitted first, so that a small budget buys what matters most.
pub(crate) async fn run_wave(
    orchestrator: &UniversalOrchestrator,
    open: &OpenCase,
    first: Specialty,
    deadline: Duration,
    budget: Limits,
    run: &RunId,
) -> Result<WaveResult, BudgetError> {
    orchestrator.open_run(run, budget)?;
    let mut order = Specialty::ALL;
    order.sort_by_key(|specialty| (*specialty != first, *specialty));
    let mut submitted = Vec::with_capacity(order.len());
    for specialty in order {
        let task = Task::new("investigate")
            .requires([specialty.capability()])
            .payload(open.number)
            .run(run.as_str())
            .deadline_in(deadline);
        submitted.push((specialty, orchestrator.submit_task(task).await));
    }
    let mut ended = Vec::with_capacity(submitted.len());
    for (specialty, handle) in submitted {
        let (findings, elapsed_us, reason) = match handle {
            Ok(handle) => awaited(&handle, open, specialty).await,
            Err(refused) => (None, 0, Some(refused.to_string())),
        };
        let count = |of: fn(&Findings) -> usize| findings.as_ref().map_or(0, of);
        ended.push((
            SpecialistRun {
                specialty,
                completed: findings.is_some(),
                reason,
                observations: count(|findings| findings.observations.len()),
                unknown: count(|findings| findings.unknown.len()),
                elapsed_us,
            },
            findings,
        ));
    }
    orchestrator.close_run(run)?;
    ended.sort_by_key(|(run, _)| run.specialty);
    let (runs, findings): (Vec<_>, Vec<_>) = ended.into_iter().unzip();
    Ok(WaveResult {
        runs,
        findings: findings.into_iter().flatten().collect(),
    })
}

async fn awaited(
    handle: &TaskHandle,
    open: &OpenCase,
    specialty: Specialty,
) -> (Option<Findings>, u64, Option<String>) {
    let outcome: TaskOutcome = match handle.outcome().await {
        Ok(outcome) => outcome,
        Err(error) => return (None, 0, Some(error.to_string())),
    };
    let elapsed = u64::try_from(outcome.run_time().as_micros()).unwrap_or(u64::MAX);
    if let Some(failure) = outcome.failure() {
        return (None, elapsed, Some(failure.to_string()));
    }
    match open.take(specialty) {
        Some(findings) => (Some(findings), elapsed, None),
        None => (None, elapsed, Some("it handed in nothing".to_owned())),
    }
}
