//! The figures.

use std::collections::BTreeMap;

use serde::Serialize;
use universal_orchestrator::{AccountView, Amount, Decimal, Limits, Unit};

use crate::result::{StepOutcome, StepResult};
use crate::step::{SharedStep, Step as _};
use crate::strategy::RunReport;

/// What one step, or one agent, cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CostRow {
    /// The step, or the agent.
    pub name: String,
    /// The agent that did the step; `None` for a function, and in rows of agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What became of it: `planned`, `success`, `failure` or `skipped`; of several steps of an agent, how many there were.
    pub status: String,
    /// What was expected.
    pub estimate: Amount,
    /// What was spent.
    pub actual: Amount,
}

/// How much of a limit is spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Utilisation {
    /// The unit that is limited.
    pub unit: Unit,
    /// Percent of the limit, to one decimal place; `None` of a limit of zero.
    pub percent: Option<Decimal>,
}

/// What a run cost, by step and by agent, with what is left of its budget. Written, it is a table; serialised, the same as JSON.
///
/// ```
/// # use universal_orchestrator::{Amount, Decimal, Limits, UniversalOrchestrator};
/// # use universal_orchestrator_patterns::{CostTable, OrchestrationContext, Sequential, Specialist, StepContext, StepFailure};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let orchestrator = UniversalOrchestrator::builder().start().await?;
/// # let cents = |cents| Amount::money(Decimal::new(cents, 2));
/// # let pays = move |name, price| Specialist::function(name, move |(): (), step: StepContext| async move {
/// #     step.charge(cents(price)).map_err(StepFailure::from)
/// # }).estimate(cents(price + 25));
/// # let observe = Sequential::new("observe").step(pays("application", 125)).step(pays("database", 235)).step(pays("network", 85));
/// # let limits = Limits::unlimited().with_money(Decimal::from(10));
/// # let context = OrchestrationContext::builder(&orchestrator).budget(limits).build()?;
/// let report = observe.report(&context, ()).await;
/// let table = CostTable::of(&report).within(context.account().as_ref()).currency("$");
/// let text = table.to_string();
/// assert!(text.contains("application"));
/// assert!(text.contains("total"));
/// assert!(text.contains("$4.4500"));
/// assert!(text.contains("44.5 %"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CostTable {
    pub(super) steps: Vec<CostRow>,
    pub(super) agents: Vec<CostRow>,
    pub(super) estimate: Amount,
    pub(super) actual: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Limits>,
    /// What the whole run has spent, which may be more than this report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spent: Option<Amount>,
    pub(super) utilisation: Vec<Utilisation>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) currency: String,
}

impl CostRow {
    /// What came of a step.
    pub(crate) fn of<O>(name: String, estimate: Amount, result: &StepResult<O>) -> Self {
        Self {
            name,
            agent: result.agent().map(ToString::to_string),
            status: status(result.outcome()).to_owned(),
            estimate,
            actual: result.cost(),
        }
    }
}

impl CostTable {
    /// What a run cost.
    #[must_use]
    pub fn of<O>(report: &RunReport<O>) -> Self {
        let row = |step: &crate::strategy::NamedStep<O>| {
            CostRow::of(step.name().to_owned(), step.estimate(), step.result())
        };
        Self::of_rows(report.steps().iter().map(row).collect())
    }

    /// What steps are expected to cost, before they run.
    #[must_use]
    pub fn planned<I: Send + 'static, O: Send + 'static>(steps: &[SharedStep<I, O>]) -> Self {
        let row = |step: &SharedStep<I, O>| CostRow {
            name: step.name().to_owned(),
            agent: None,
            status: "planned".to_owned(),
            estimate: step.estimate(),
            actual: Amount::default(),
        };
        Self::of_rows(steps.iter().map(row).collect())
    }

    pub(crate) fn of_rows(steps: Vec<CostRow>) -> Self {
        let sum = |of: fn(&CostRow) -> Amount| {
            steps
                .iter()
                .fold(Amount::default(), |sum, row| sum.plus(&of(row)))
        };
        Self {
            estimate: sum(|row| row.estimate),
            actual: sum(|row| row.actual),
            agents: by_agent(&steps),
            steps,
            limits: None,
            spent: None,
            utilisation: Vec::new(),
            currency: String::new(),
        }
    }

    /// With the limits of a run, and how much of them is spent.
    #[must_use]
    pub fn within(mut self, account: Option<&AccountView>) -> Self {
        if let Some(account) = account {
            self.utilisation = utilisation(&account.limits, &account.spent);
            self.limits = Some(account.limits);
            self.spent = Some(account.spent);
        }
        self
    }

    /// What stands before an amount of money.
    #[must_use]
    pub fn currency(mut self, sign: impl Into<String>) -> Self {
        self.currency = sign.into();
        self
    }

    /// A row for each step.
    #[must_use]
    pub fn steps(&self) -> &[CostRow] {
        &self.steps
    }

    /// A row for each agent, by name. Functions are no agents.
    #[must_use]
    pub fn agents(&self) -> &[CostRow] {
        &self.agents
    }

    /// What all steps cost together.
    #[must_use]
    pub const fn actual(&self) -> Amount {
        self.actual
    }

    /// What all steps were expected to cost together.
    #[must_use]
    pub const fn estimate(&self) -> Amount {
        self.estimate
    }

    /// How much of each limit is spent.
    #[must_use]
    pub fn utilisation(&self) -> &[Utilisation] {
        &self.utilisation
    }
}

const fn status<O>(outcome: &StepOutcome<O>) -> &'static str {
    match outcome {
        StepOutcome::Success { .. } => "success",
        StepOutcome::Failure { .. } => "failure",
        StepOutcome::Skipped { .. } => "skipped",
    }
}

fn by_agent(steps: &[CostRow]) -> Vec<CostRow> {
    let mut agents: BTreeMap<&str, (usize, Amount, Amount)> = BTreeMap::new();
    for row in steps {
        if let Some(agent) = &row.agent {
            let sum = agents.entry(agent).or_default();
            *sum = (
                sum.0 + 1,
                sum.1.plus(&row.estimate),
                sum.2.plus(&row.actual),
            );
        }
    }
    let row = |(name, (count, estimate, actual)): (&str, (usize, Amount, Amount))| CostRow {
        name: name.to_owned(),
        agent: None,
        status: format!("{count} step{}", if count == 1 { "" } else { "s" }),
        estimate,
        actual,
    };
    agents.into_iter().map(row).collect()
}

fn utilisation(limits: &Limits, spent: &Amount) -> Vec<Utilisation> {
    let nanos = |time: std::time::Duration| {
        Decimal::from(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    };
    let units = [
        (Unit::Money, limits.money, spent.money),
        (
            Unit::Tokens,
            limits.tokens.map(Decimal::from),
            spent.tokens.into(),
        ),
        (
            Unit::Calls,
            limits.calls.map(Decimal::from),
            spent.calls.into(),
        ),
        (Unit::Busy, limits.busy.map(nanos), nanos(spent.busy)),
    ];
    let limited = units
        .into_iter()
        .filter_map(|(unit, limit, spent)| Some((unit, limit?, spent)));
    limited
        .map(|(unit, limit, spent)| Utilisation {
            unit,
            percent: spent
                .checked_mul(Decimal::ONE_HUNDRED)
                .and_then(|hundredfold| hundredfold.checked_div(limit))
                .map(|percent| percent.round_dp(1)),
        })
        .collect()
}
