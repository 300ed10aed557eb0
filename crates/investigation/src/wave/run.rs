//! Runs the waves and says what became of every specialist.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use universal_orchestrator::{Limits, UniversalOrchestrator, Value};
use universal_orchestrator_patterns::{
    ContextError, NamedStep, OrchestrationContext, StepOutcome, StopReason, WaveLimits, Waves,
};

use super::planner::{Asked, CONFIDENCE_ENOUGH, Planner};
use crate::evidence::Findings;
use crate::specialist::{Expert, OpenCase};

/// What became of one specialist in one wave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecialistRun {
    /// Its name.
    pub specialist: String,
    /// The wave in which it was asked, counted from 1; `null` when it was never asked.
    pub wave: Option<usize>,
    /// Nodes that it was asked about.
    pub nodes: usize,
    /// Whether it handed in its findings.
    pub completed: bool,
    /// Why it did not.
    pub reason: Option<String>,
    /// Series that it judged.
    pub observations: usize,
    /// Facts that it found.
    pub facts: usize,
    /// What it could not read or judge.
    pub unknown: usize,
    /// Time that it worked, in microseconds.
    pub elapsed_us: u64,
}

/// What came out of all waves, in the order of waves and, within one, of planning.
pub(crate) struct WavesResult {
    pub(crate) runs: Vec<SpecialistRun>,
    pub(crate) findings: Vec<Findings>,
}

/// Runs waves until they are sure, have nothing left to ask, or are out of budget or time.
pub(crate) async fn run_waves(
    orchestrator: &UniversalOrchestrator,
    open: &OpenCase,
    deadline: Duration,
    budget: Limits,
) -> Result<WavesResult, ContextError> {
    let context = OrchestrationContext::builder(orchestrator)
        .budget(budget)
        .deadline_in(deadline)
        .build()?;
    let until = context.deadline().unwrap_or_else(Instant::now);
    let limits = WaveLimits {
        confidence: CONFIDENCE_ENOUGH,
        ..WaveLimits::default()
    };
    let waves = Waves::new("investigation", Planner::new(open, until)).limits(limits);
    let report = waves.report(&context, ()).await;
    let stopped = report.stopped().cloned();
    let (asked, never) = waves.into_planner().into_asked();
    let mut findings = Vec::new();
    let mut runs = Vec::with_capacity(asked.len() + never.len());
    let mut steps = report.into_steps().into_iter();
    for asked in asked {
        let (run, found) = run_of(asked, steps.next(), stopped.as_ref());
        runs.push(run);
        findings.extend(found);
    }
    runs.extend(never.into_iter().map(|e| not_asked(e, stopped.as_ref())));
    Ok(WavesResult { runs, findings })
}

fn run_of(
    asked: Asked,
    step: Option<NamedStep<Value>>,
    stopped: Option<&StopReason>,
) -> (SpecialistRun, Option<Findings>) {
    let Asked {
        specialist,
        wave,
        nodes,
        findings,
        ..
    } = asked;
    let elapsed = step
        .as_ref()
        .map_or(Duration::ZERO, |s| s.result().cost().busy);
    let reason = match step.map(|step| step.into_result().into_outcome()) {
        None => Some(why_not(stopped)),
        Some(StepOutcome::Skipped { skipped }) => Some(skipped.to_string()),
        Some(StepOutcome::Failure { failure }) => Some(failure.to_string()),
        Some(StepOutcome::Success { .. }) if findings.is_none() => {
            Some("it handed in nothing".to_owned())
        }
        Some(StepOutcome::Success { .. }) => None,
    };
    // What somebody hands in who then fails is not used: it may be incomplete.
    let findings = findings.filter(|_| reason.is_none());
    let count = |of: fn(&Findings) -> usize| findings.as_ref().map_or(0, of);
    let run = SpecialistRun {
        specialist: specialist.name().to_owned(),
        wave: Some(wave),
        nodes: nodes.len(),
        completed: findings.is_some(),
        reason,
        observations: count(|findings| findings.observations.len()),
        facts: count(|findings| findings.facts.len()),
        unknown: count(|findings| findings.unknown.len()),
        elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
    };
    (run, findings)
}

/// A relevant specialist that no wave asked.
fn not_asked(specialist: Expert, stopped: Option<&StopReason>) -> SpecialistRun {
    SpecialistRun {
        specialist: specialist.name().to_owned(),
        wave: None,
        nodes: 0,
        completed: false,
        reason: Some(why_not(stopped)),
        observations: 0,
        facts: 0,
        unknown: 0,
        elapsed_us: 0,
    }
}

fn why_not(stopped: Option<&StopReason>) -> String {
    match stopped {
        None => "nothing that was found points to a node that it knows about".to_owned(),
        Some(reason) => format!("it was not asked: {reason}"),
    }
}
