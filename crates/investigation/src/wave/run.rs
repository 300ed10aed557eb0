//! Runs the waves and says what became of every specialist.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use universal_orchestrator::{Amount, Unit, UniversalOrchestrator, Value};
use universal_orchestrator_patterns::{
    ContextError, CostTable, NamedStep, OrchestrationContext, RunReport, StepOutcome, StopReason,
    WaveLimits, Waves,
};

use super::planner::{Asked, CONFIDENCE_ENOUGH, Planner};
use super::progress::ProgressListener;
use super::strategy::Strategy;
use crate::evidence::Findings;
use crate::investigator::InvestigationLimits;
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
    /// What it was billed, but for its time.
    pub cost: Cost,
    /// Time that it worked, in microseconds.
    pub elapsed_us: u64,
}

/// What was billed, without time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Calls.
    pub calls: u64,
    /// Tokens.
    pub tokens: u64,
    /// Money, an exact decimal number.
    pub money: String,
}

impl Cost {
    fn of(amount: &Amount) -> Self {
        Self {
            calls: amount.calls,
            tokens: amount.tokens,
            money: amount.money.normalize().to_string(),
        }
    }
}

/// What all specialists together cost, and how much of the budget that is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostSummary {
    /// The sum.
    pub total: Cost,
    /// How much of each limited unit was used.
    pub budget: Vec<BudgetUse>,
    /// Why no further specialist was asked before there was nothing left to ask; `null` otherwise.
    pub stopped: Option<String>,
}

/// How much of one limited unit was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetUse {
    /// The unit.
    pub unit: String,
    /// The share that was used, in percent, an exact decimal number; `null` when the limit is zero.
    pub percent: Option<String>,
}

/// What came out of all waves, in the order of waves and, within one, of planning.
pub(crate) struct WavesResult {
    pub(crate) runs: Vec<SpecialistRun>,
    pub(crate) findings: Vec<Findings>,
    pub(crate) costs: CostSummary,
}

/// Runs waves until they are sure, have nothing left to ask, or are out of budget or time.
pub(crate) async fn run_waves(
    orchestrator: &UniversalOrchestrator,
    open: &OpenCase,
    experts: &[Expert],
    asked_for: &InvestigationLimits,
    listener: Option<ProgressListener>,
) -> Result<WavesResult, ContextError> {
    let context = OrchestrationContext::builder(orchestrator)
        .budget(asked_for.budget)
        .deadline_in(asked_for.deadline)
        .build()?;
    let until = context.deadline().unwrap_or_else(Instant::now);
    let mut limits = WaveLimits {
        confidence: CONFIDENCE_ENOUGH,
        ..WaveLimits::default()
    };
    match asked_for.strategy {
        Strategy::Sequential => limits.at_most = 1,
        // One question a wave.
        Strategy::Adaptive => limits.waves_max = limits.steps_max,
        Strategy::Waves | Strategy::Parallel => {}
    }
    let planner = Planner::new(open, experts, until, asked_for.strategy, listener);
    let waves = Waves::new("investigation", planner).limits(limits);
    let report = waves.report(&context, ()).await;
    let stopped = report.stopped().cloned();
    let costs = costs(&report, &context, stopped.as_ref());
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
    Ok(WavesResult {
        runs,
        findings,
        costs,
    })
}

fn costs(
    report: &RunReport<Value>,
    context: &OrchestrationContext,
    stopped: Option<&StopReason>,
) -> CostSummary {
    let table = CostTable::of(report).within(context.account().as_ref());
    let budget = table.utilisation().iter();
    CostSummary {
        total: Cost::of(&table.actual()),
        budget: budget
            // Time is different in every run; what it was is told beside each specialist.
            .filter(|used| used.unit != Unit::Busy)
            .map(|used| BudgetUse {
                unit: used.unit.to_string(),
                percent: used.percent.map(|percent| percent.normalize().to_string()),
            })
            .collect(),
        stopped: stopped.map(ToString::to_string),
    }
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
    let bill = step.as_ref().map(|step| step.result().cost());
    let bill = bill.unwrap_or_default();
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
        cost: Cost::of(&bill),
        elapsed_us: u64::try_from(bill.busy.as_micros()).unwrap_or(u64::MAX),
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
        cost: Cost::of(&Amount::default()),
        elapsed_us: 0,
    }
}

fn why_not(stopped: Option<&StopReason>) -> String {
    match stopped {
        None => "nothing that was found points to a node that it knows about".to_owned(),
        Some(reason) => format!("it was not asked: {reason}"),
    }
}
