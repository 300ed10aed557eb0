//! What would run, in which order, and what it is expected to take: a dry run.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use universal_orchestrator::Amount;

use crate::cost::{CostRow, CostTable};
use crate::workflow::compiled::{Compiled, CompiledStep, Condition, Work, Workflow};
use crate::workflow::critical_path::{CriticalPath, critical_path};
use crate::workflow::expression::Readings;
use crate::workflow::run::is_true;
use crate::workflow::spec::Join;

/// What would run if a workflow were run now.
///
/// ```
/// use std::time::Duration;
/// use serde_json::json;
/// use universal_orchestrator_patterns::{Certainty, Workflow, WorkflowStep};
/// let collect = |name: &str, ms| WorkflowStep::collect(name).expected_duration(Duration::from_millis(ms));
/// let workflow = Workflow::builder("deploy")
///     .step(collect("build", 300))
///     .step(collect("test", 500).needs(["build"]))
///     .step(collect("lint", 50).needs(["build"]))
///     .step(collect("publish", 100).needs(["test", "lint"]).when("input.publish == true"))
///     .build()?;
/// let plan = workflow.plan();
/// assert_eq!(plan.waves(), [vec!["build"], vec!["test", "lint"], vec!["publish"]]);
/// assert_eq!(plan.critical_path().duration, Duration::from_millis(900));
/// assert!(matches!(plan.steps()[3].certainty, Certainty::Depends { .. }));
/// let plan = workflow.plan_for(&json!({"publish": false}));
/// assert_eq!(plan.critical_path().duration, Duration::from_millis(800));
/// # Ok::<_, universal_orchestrator_patterns::WorkflowErrors>(())
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    workflow: String,
    steps: Vec<PlannedStep>,
    cost: Amount,
    critical_path: CriticalPath,
    /// Steps without an expected duration, which the critical path takes as zero.
    unknown_durations: usize,
}

/// One step of a plan.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlannedStep {
    /// Its name.
    pub name: String,
    /// In which wave it can begin at the earliest, from 1.
    pub wave: usize,
    /// Whether it will run.
    #[serde(flatten)]
    pub certainty: Certainty,
    /// What it is expected to cost, once: of a loop for one iteration, of a fan-out for one item.
    pub cost: Amount,
    /// How long it is expected to take, once; `None` when nothing is known.
    pub duration: Option<Duration>,
    /// How often it may run: once, of a loop up to its bound; `None` of a fan-out, whose list is not known yet.
    pub runs_max: Option<u32>,
    /// Whether it waits for a decision.
    pub gate: bool,
}

/// Whether a step will run, as far as is known before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "certainty", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Certainty {
    /// It will, unless something fails.
    Certain,
    /// It depends on what is not known yet.
    Depends {
        /// The steps whose conditions decide, itself perhaps among them; at most eight.
        on: Vec<String>,
    },
    /// It will not: its condition, or one before it, is false.
    Skipped {
        /// The step whose condition is false.
        by: String,
    },
}

impl Workflow {
    /// What would run, whatever the input: conditions are not known.
    #[must_use]
    pub fn plan(&self) -> Plan {
        plan(&self.0, None)
    }

    /// What would run on this input: conditions that read nothing but it are known.
    #[must_use]
    pub fn plan_for(&self, input: &Value) -> Plan {
        plan(&self.0, Some(input))
    }
}

impl Plan {
    /// The workflow.
    #[must_use]
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// The steps, in the order in which they were added.
    #[must_use]
    pub fn steps(&self) -> &[PlannedStep] {
        &self.steps
    }

    /// The names of the steps that may run, wave by wave: each step in the first wave in which all that it depends on is over.
    #[must_use]
    pub fn waves(&self) -> Vec<Vec<&str>> {
        let last = self.steps.iter().map(|step| step.wave).max();
        let mut waves = vec![Vec::new(); last.unwrap_or(0)];
        for step in self.steps.iter().filter(|step| step.may_run()) {
            waves[step.wave - 1].push(step.name.as_str());
        }
        waves.retain(|wave| !wave.is_empty());
        waves
    }

    /// What the steps that may run are expected to cost together, each once.
    #[must_use]
    pub const fn cost(&self) -> Amount {
        self.cost
    }

    /// The steps that decide how long it takes at least, by what is expected; a step of which nothing is known takes no time.
    #[must_use]
    pub const fn critical_path(&self) -> &CriticalPath {
        &self.critical_path
    }

    /// How many of the steps that may run have no expected duration.
    #[must_use]
    pub const fn unknown_durations(&self) -> usize {
        self.unknown_durations
    }

    /// What it is expected to cost, by step.
    #[must_use]
    pub fn costs(&self) -> CostTable {
        let steps = self.steps.iter().filter(|step| step.may_run());
        CostTable::of_rows(
            steps
                .map(|step| CostRow {
                    name: step.name.clone(),
                    agent: None,
                    status: "planned".to_owned(),
                    estimate: step.cost,
                    actual: Amount::default(),
                })
                .collect(),
        )
    }
}

impl PlannedStep {
    const fn may_run(&self) -> bool {
        !matches!(self.certainty, Certainty::Skipped { .. })
    }
}

fn plan(workflow: &Compiled, input: Option<&Value>) -> Plan {
    let count = workflow.steps.len();
    let mut waves = vec![0_usize; count];
    let mut certainties: Vec<Certainty> = vec![Certainty::Certain; count];
    for step in workflow.order.iter().copied() {
        let of = &workflow.steps[step];
        let before = of.needs.iter().map(|need| waves[*need]).max();
        waves[step] = before.unwrap_or(0) + 1;
        certainties[step] = certainty(workflow, of, &certainties, input);
    }
    let runs = |step: usize| !matches!(certainties[step], Certainty::Skipped { .. });
    let takes = |step: usize| runs(step).then(|| workflow.steps[step].expected.unwrap_or_default());
    let critical_path = critical_path(workflow, takes);
    let known = workflow.steps.iter().enumerate();
    let unknown = known.filter(|(step, of)| runs(*step) && of.expected.is_none());
    let unknown_durations = unknown.count();
    let steps = workflow.steps.iter().zip(waves).zip(certainties);
    let steps: Vec<PlannedStep> = steps
        .map(|((of, wave), certainty)| PlannedStep {
            name: of.name.clone(),
            wave,
            certainty,
            cost: of.estimate,
            duration: of.expected,
            runs_max: match (&of.each, &of.repeat) {
                (Some(_), _) => None,
                (None, Some(repeat)) => Some(repeat.iterations_max),
                (None, None) => Some(1),
            },
            gate: matches!(of.work, Work::Gate(_)),
        })
        .collect();
    let costs = steps.iter().filter(|s| s.may_run()).map(|step| step.cost);
    Plan {
        workflow: workflow.name.clone(),
        cost: costs.fold(Amount::default(), |sum, cost| sum.plus(&cost)),
        steps,
        critical_path,
        unknown_durations,
    }
}

/// Whether a step will run, given that of those before it.
fn certainty(
    workflow: &Compiled,
    of: &CompiledStep,
    before: &[Certainty],
    input: Option<&Value>,
) -> Certainty {
    /// So many steps are named.
    const NAMED: usize = 8;
    let skipped = |need: &&usize| matches!(before[**need], Certainty::Skipped { .. });
    let by = match of.join {
        Join::All => of.needs.iter().find(skipped),
        Join::Any if of.needs.iter().all(|need| skipped(&need)) => of.needs.first(),
        Join::Any | Join::Done => None,
    };
    if let Some(Certainty::Skipped { by }) = by.map(|need| &before[*need]) {
        return Certainty::Skipped { by: by.clone() };
    }
    let mut on: Vec<String> = Vec::new();
    for need in of.needs.iter().filter(|_| of.join != Join::Done) {
        if let Certainty::Depends { on: further } = &before[*need] {
            for name in further {
                if on.len() < NAMED && !on.contains(name) {
                    on.push(name.clone());
                }
            }
        }
    }
    let loops = of.repeat.as_ref().filter(|repeat| !repeat.until);
    let conditions = of.when.iter().chain(loops.map(|repeat| &repeat.condition));
    for condition in conditions {
        match known(workflow, condition, input) {
            Some(true) => {}
            Some(false) => {
                return Certainty::Skipped {
                    by: of.name.clone(),
                };
            }
            None if on.len() < NAMED && !on.contains(&of.name) => on.push(of.name.clone()),
            None => {}
        }
    }
    match on.is_empty() {
        true => Certainty::Certain,
        false => Certainty::Depends { on },
    }
}

/// What a condition comes to, when all that it reads is known.
fn known(workflow: &Compiled, condition: &Condition, input: Option<&Value>) -> Option<bool> {
    let uses = condition.parsed.uses();
    if uses.loop_state || uses.waits_for().next().is_some() || (uses.input && input.is_none()) {
        return None;
    }
    let readings = Readings {
        input: (&workflow.takes, input.unwrap_or(&Value::Null)),
        steps: Vec::new(),
        status: Vec::new(),
        iteration: None,
    };
    is_true(workflow, &condition.parsed, &readings).ok()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan of {}", self.workflow)?;
        let mut steps: Vec<&PlannedStep> = self.steps.iter().collect();
        steps.sort_by_key(|step| step.wave);
        for step in steps {
            write!(f, "{:>4}  {}", step.wave, step.name)?;
            if step.gate {
                f.write_str(", waits for a decision")?;
            }
            match step.runs_max {
                Some(1) => {}
                Some(times) => write!(f, ", up to {times} times")?,
                None => f.write_str(", for each item")?,
            }
            if let Some(duration) = step.duration {
                write!(f, ", {duration:?}")?;
            }
            match &step.certainty {
                Certainty::Certain => writeln!(f)?,
                Certainty::Depends { on } => writeln!(f, ", depends on {}", on.join(", "))?,
                Certainty::Skipped { by } => writeln!(f, ", skipped by {by}")?,
            }
        }
        let path = &self.critical_path;
        write!(
            f,
            "critical path: {:?}, {}",
            path.duration,
            path.steps.join(" -> ")
        )?;
        match self.unknown_durations {
            0 => writeln!(f),
            count => writeln!(f, " ({count} steps without an expected duration)"),
        }
    }
}
