//! What a run found, what it missed, and what it cost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use universal_orchestrator::Amount;

use crate::cost::{CostRow, CostTable};
use crate::result::{ErrorCategory, RetryAdvice, StepFailure, StepResult};
use crate::strategy::{NamedStep, RunReport, StopReason};
use crate::workflow::compiled::Compiled;
use crate::workflow::critical_path::{CriticalPath, critical_path};

/// What came of one run of a workflow.
#[must_use = "what is missing is said here and nowhere else"]
#[derive(Debug, Clone, Serialize)]
pub struct WorkflowReport {
    workflow: String,
    success: bool,
    outputs: Map<String, Value>,
    #[serde(flatten)]
    run: RunReport,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    items: BTreeMap<String, Vec<StepResult>>,
    critical_path: CriticalPath,
    /// Failures that are no failures of the workflow.
    tolerated: Vec<String>,
}

impl WorkflowReport {
    pub(super) fn new(
        workflow: &Compiled,
        results: Vec<StepResult>,
        items: BTreeMap<String, Vec<StepResult>>,
        outputs: Map<String, Value>,
        stopped: Option<StopReason>,
        duration: Duration,
    ) -> Self {
        let took = |step: usize| {
            let result: &StepResult = results.get(step)?;
            result.skip_reason().is_none().then(|| result.duration())
        };
        let critical_path = critical_path(workflow, took);
        let failed = workflow.steps.iter().zip(&results);
        let failed = failed.filter(|(_, result)| result.failure().is_some());
        let (tolerated, failed): (Vec<_>, Vec<_>) = failed.partition(|(step, _)| step.tolerates());
        let success = failed.is_empty() && stopped.is_none();
        let tolerated = tolerated
            .into_iter()
            .map(|(step, _)| step.name.clone())
            .collect();
        let named = workflow
            .steps
            .iter()
            .zip(results)
            .map(|(step, result)| NamedStep {
                name: step.name.clone(),
                estimate: step.estimate,
                result,
            });
        Self {
            workflow: workflow.name.clone(),
            success,
            outputs,
            run: RunReport {
                steps: named.collect(),
                stopped,
                decisions: Vec::new(),
                duration,
            },
            items,
            critical_path,
            tolerated,
        }
    }

    /// The workflow.
    #[must_use]
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// Whether it succeeded: nothing ended it early, and no step failed but those whose failure is tolerated.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.success
    }

    /// Its outputs; null where the step that gives one did not.
    #[must_use]
    pub const fn outputs(&self) -> &Map<String, Value> {
        &self.outputs
    }

    pub(super) fn into_outputs(self) -> Map<String, Value> {
        self.outputs
    }

    /// Every step with its result, in the order in which they were added.
    pub const fn run(&self) -> &RunReport {
        &self.run
    }

    /// What came of a step; `None` when there is none of this name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&StepResult> {
        let steps = self.run.steps().iter();
        let mut named = steps.filter(|step| step.name() == name);
        named.next().map(NamedStep::result)
    }

    /// What came of each item of a fan-out, in the order of the list; empty of any other step.
    pub fn items(&self, step: &str) -> &[StepResult] {
        self.items.get(step).map_or(&[], Vec::as_slice)
    }

    /// The steps that decided how long it took, by what was measured.
    #[must_use]
    pub const fn critical_path(&self) -> &CriticalPath {
        &self.critical_path
    }

    /// The steps that failed without failing the workflow.
    #[must_use]
    pub fn tolerated(&self) -> &[String] {
        &self.tolerated
    }

    /// What it cost, by step and by agent; a fan-out has a row for each of its items.
    #[must_use]
    pub fn costs(&self) -> CostTable {
        let mut rows = Vec::with_capacity(self.run.steps().len());
        for step in self.run.steps() {
            let (name, estimate) = (step.name(), step.estimate());
            match self.items(name) {
                [] => rows.push(CostRow::of(name.to_owned(), estimate, step.result())),
                items => rows.extend(
                    items
                        .iter()
                        .enumerate()
                        .map(|(at, item)| CostRow::of(format!("{name}[{at}]"), estimate, item)),
                ),
            }
        }
        CostTable::of_rows(rows)
    }

    /// The report as the result of one step: a failure that keeps the report as what was done so far unless the workflow succeeded.
    pub fn into_step(self) -> StepResult<Self> {
        let (cost, duration, attempts) =
            (self.run.cost(), self.run.duration(), self.run.attempts());
        let result = match self.success {
            true => StepResult::success(self),
            false => StepResult::failed(self.as_failure()),
        };
        result
            .with_cost(cost)
            .with_duration(duration)
            .with_attempts(attempts)
    }

    fn as_failure(&self) -> StepFailure {
        /// So many failures are named.
        const NAMED: usize = 8;
        let count = self.run.steps().len();
        let successes = self.run.found().count();
        let mut text = format!(
            "{successes} of {count} steps of {} succeeded",
            self.workflow
        );
        if let Some(reason) = self.run.stopped() {
            text.push_str(&format!(", stopped because {reason}"));
        }
        let untolerated =
            |(name, _): &(&str, &StepFailure)| !self.tolerated.iter().any(|t| t == name);
        let mut failures = self.run.failures().filter(untolerated).peekable();
        let first = failures
            .peek()
            .map(|(_, failure)| (failure.category(), failure.retry()));
        for (name, failure) in failures.take(NAMED) {
            text.push_str(&format!("; {name}: {failure}"));
        }
        let (category, retry) = match self.run.stopped() {
            Some(StopReason::Budget { .. }) => (ErrorCategory::Budget, RetryAdvice::Never),
            Some(StopReason::Deadline) => (ErrorCategory::Timeout, RetryAdvice::Never),
            Some(StopReason::Cancelled) => (ErrorCategory::Cancelled, RetryAdvice::Never),
            _ => first.unwrap_or((ErrorCategory::Dependency, RetryAdvice::Never)),
        };
        StepFailure::new(category, text)
            .with_retry(retry)
            .with_partial(serde_json::to_value(self).ok())
    }

    /// What all steps cost together.
    #[must_use]
    pub fn cost(&self) -> Amount {
        self.run.cost()
    }
}
