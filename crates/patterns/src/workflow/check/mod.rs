//! Finds everything that is wrong with a workflow before anything runs.

mod links;
mod order;
mod reach;
mod settings;
mod types;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use universal_orchestrator::{Amount, RetryPolicy, Task};

use crate::resilience::Retry;
use crate::step::{SharedStep, Specialist};
use crate::strategy::STEPS_MAX;
use crate::workflow::builder::Given;
use crate::workflow::compiled::{Compiled, CompiledStep, Each, Repeat, Work, Workflow};
use crate::workflow::expression::{Evaluator, parse_all};
use crate::workflow::gate::{GatePlan, Gates};
use crate::workflow::library::StepLibrary;
use crate::workflow::problem::{Problem, ProblemKind, Problems, WorkflowErrors, meant};
use crate::workflow::run::Timed;
use crate::workflow::spec::{EstimateSpec, StepSpec, WorkflowSpec};
use crate::workflow::value_type::ValueType;

use links::Links;

/// The most iterations of a loop.
pub const ITERATIONS_MAX: u32 = 10_000;
/// The iterations of a loop that says nothing.
const ITERATIONS: u32 = 100;
/// The most links between steps.
pub const LINKS_MAX: usize = 100_000;

/// Where a step stands in the list, for problems.
#[derive(Clone, Copy)]
struct At<'s> {
    index: usize,
    spec: &'s StepSpec,
}

impl At<'_> {
    fn problem(
        self,
        key: &str,
        kind: ProblemKind,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        let place = match key {
            "" => format!("steps[{}]", self.index),
            key => format!("steps[{}].{key}", self.index),
        };
        Problem::new(place, kind, message, remedy).of_step(&self.spec.name)
    }
}

fn places(spec: &WorkflowSpec) -> impl Iterator<Item = At<'_>> {
    let steps = spec.steps.iter().enumerate();
    steps.map(|(index, spec)| At { index, spec })
}

/// Checks a workflow and makes it ready to run.
pub(super) fn build(
    spec: WorkflowSpec,
    given: Vec<Given>,
    library: &StepLibrary,
) -> Result<Workflow, WorkflowErrors> {
    let mut problems = Problems::default();
    if spec.steps.len() > STEPS_MAX {
        problems.add(Problem::new(
            "steps",
            ProblemKind::Limit,
            format!("{} steps", spec.steps.len()),
            format!("write at most {STEPS_MAX}, and put a part into a workflow of its own"),
        ));
        problems.into_result(&spec.name)?;
        unreachable!("there is a problem");
    }
    settings::check(&spec, &mut problems);
    let works = works(&spec, given, library, &mut problems);
    let expressions: Vec<&str> = places(&spec).flat_map(|at| at.spec.expressions()).collect();
    let parsed = parse_all(&expressions)
        .into_iter()
        .map(|(text, read)| (text, read.map(Arc::new)))
        .collect::<HashMap<_, _>>();
    let evaluator = match expressions.is_empty() {
        true => None,
        false => Some(Evaluator::default()),
    };
    let links = Links::of(&spec, &parsed, &mut problems);
    let order = order::order(&spec, &links.needs, &mut problems);
    let collects = |(work, step): (&Work, &StepSpec)| {
        matches!(work, Work::Collect) && step.run.is_none() && step.gives == ValueType::Any
    };
    let collects: Vec<bool> = works.iter().zip(&spec.steps).map(collects).collect();
    let types = types::check(&spec, &links, &order, &collects, &mut problems);
    if let Some(evaluator) = &evaluator {
        reach::check(&spec, &links, &order, evaluator, &mut problems);
    }
    problems.into_result(&spec.name)?;
    Ok(compiled(spec, works, links, order, types, evaluator))
}

impl StepSpec {
    fn expressions(&self) -> impl Iterator<Item = &str> {
        let all = [&self.when, &self.until, &self.while_];
        all.into_iter().flatten().map(String::as_str)
    }

    fn is_loop(&self) -> bool {
        self.until.is_some() || self.while_.is_some()
    }
}

/// What each step does, with timeout and retries around it.
fn works(
    spec: &WorkflowSpec,
    given: Vec<Given>,
    library: &StepLibrary,
    problems: &mut Problems,
) -> Vec<Work> {
    let mut given = given.into_iter();
    let mut works = Vec::with_capacity(spec.steps.len());
    for at in places(spec) {
        let Given { work, retry } = given.next().unwrap_or_default();
        let step = at.spec;
        let timeout = step.timeout_ms.map(Duration::from_millis);
        let timed = |work: SharedStep<_, _>| match timeout {
            Some(time) => Arc::new(Timed::new(work, time)),
            None => work,
        };
        let work = match (work, &step.run, &step.agent, &step.gate) {
            (Some(work), ..) => Some(timed(work)),
            (None, Some(name), ..) => match library.get(name) {
                Some(work) => Some(timed(Arc::clone(work))),
                None => {
                    let known: Vec<&str> = library.names().take(8).collect();
                    let otherwise = match known.is_empty() {
                        true => "add it to the library that the workflow is built with".to_owned(),
                        false => format!("the library has {}", known.join(", ")),
                    };
                    let remedy = meant(name, library.names(), &otherwise);
                    let message = format!("unknown function {name:?}");
                    problems.add(at.problem("run", ProblemKind::Unknown, message, remedy));
                    None
                }
            },
            (None, None, Some(agent), _) => {
                let kind = agent.task.as_deref().unwrap_or(&step.name);
                let task = Task::new(kind).requires(&agent.requires);
                let mut made = Specialist::agent(step.name.as_str(), task);
                if let Some(time) = timeout {
                    made = made.timeout(time);
                }
                Some(Arc::new(made) as SharedStep<_, _>)
            }
            (None, None, None, Some(gate)) => {
                works.push(Work::Gate(GatePlan::new(gate)));
                continue;
            }
            (None, None, None, None) => None,
        };
        let policy = retry.or_else(|| {
            let retry = step.retry.as_ref()?;
            let base = Duration::from_millis(retry.delay_ms);
            let longest = retry.delay_ms_max.map(Duration::from_millis);
            let longest = longest.unwrap_or(base.saturating_mul(32));
            Some(RetryPolicy::exponential(retry.attempts, base, longest))
        });
        if work.is_none() && step.run.is_none() && (policy.is_some() || timeout.is_some()) {
            let key = if policy.is_some() {
                "retry"
            } else {
                "timeout_ms"
            };
            let message = format!("{key} of a step that does nothing by itself");
            let remedy = "leave it out, or write run or agent";
            problems.add(at.problem(key, ProblemKind::Conflict, message, remedy));
        }
        works.push(match (work, policy) {
            (None, _) => Work::Collect,
            (Some(work), None) => Work::Step(work),
            (Some(work), Some(policy)) => Work::Step(Arc::new(Retry::new(work, policy))),
        });
    }
    works
}

fn compiled(
    spec: WorkflowSpec,
    works: Vec<Work>,
    links: Links,
    order: Vec<usize>,
    types: Vec<types::StepTypes>,
    evaluator: Option<Evaluator>,
) -> Workflow {
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); spec.steps.len()];
    for (step, needs) in links.needs.iter().enumerate() {
        for need in needs {
            dependents[*need].push(step);
        }
    }
    let parts = spec.steps.into_iter().zip(works).zip(links.steps);
    let edges = links.needs.into_iter().zip(dependents);
    let mut steps = Vec::with_capacity(order.len());
    for ((((step, work), link), types), edges) in parts.zip(types).zip(edges) {
        steps.push(compiled_step(step, work, link, types, edges));
    }
    Workflow(Arc::new(Compiled {
        name: spec.name,
        description: spec.description,
        takes: spec.takes,
        at_most: spec.at_most,
        fail_fast: spec.fail_fast,
        steps,
        order,
        outputs: links.outputs,
        evaluator,
        gates: Gates::new(),
    }))
}

/// One step; its edges are what it needs and what depends on it.
fn compiled_step(
    step: StepSpec,
    work: Work,
    link: links::StepLinks,
    types: types::StepTypes,
    (needs, dependents): (Vec<usize>, Vec<usize>),
) -> CompiledStep {
    let own = match &work {
        Work::Step(work) => work.estimate(),
        _ => Amount::default(),
    };
    let until = link.until.is_some();
    let repeat = link.until.or(link.while_).map(|condition| Repeat {
        condition,
        until,
        iterations_max: step.iterations_max.unwrap_or(ITERATIONS),
    });
    CompiledStep {
        title: match step.title.is_empty() {
            true => step.name.clone(),
            false => step.title,
        },
        name: step.name,
        work,
        join: step.join,
        needs,
        dependents,
        input: link.input,
        takes: step.takes,
        gives: types.gives,
        seen: types.seen,
        when: link.when,
        repeat,
        each: link.each.map(|list| Each {
            list,
            at_most: step.at_most.unwrap_or(crate::workflow::spec::AT_MOST),
            required: step.items_required,
        }),
        on_failure: step.on_failure,
        fallback: step.fallback,
        estimate: step.estimate.amount(own),
        expected: step.estimate.duration_ms.map(Duration::from_millis),
    }
}

impl EstimateSpec {
    /// What is expected, unit by unit; the step's own estimate where nothing is written.
    fn amount(&self, own: Amount) -> Amount {
        Amount {
            money: self.money.unwrap_or(own.money),
            tokens: self.tokens.unwrap_or(own.tokens),
            calls: self.calls.unwrap_or(own.calls),
            busy: own.busy,
        }
    }
}
