//! A workflow that was checked and can run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use universal_orchestrator::Amount;

use crate::step::SharedStep;
use crate::workflow::builder::WorkflowBuilder;
use crate::workflow::expression::{Evaluator, Parsed};
use crate::workflow::gate::{GatePlan, Gates};
use crate::workflow::spec::{Join, StepOnFailure};
use crate::workflow::value_type::ValueType;

/// A graph of steps that was checked and can run, as often as one likes and at the same time. A cheap clone.
///
/// It is a [`Step`](crate::Step), so that it can be a part of another one or of a strategy, and an [`Orchestration`](crate::Orchestration) that a
/// [`Facade`](crate::Facade) calls by name.
///
/// ```
/// use serde_json::json;
/// use universal_orchestrator::UniversalOrchestrator;
/// use universal_orchestrator_patterns::{OrchestrationContext, Specialist, StepContext, StepFailure, ValueType, Workflow, WorkflowStep};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let orchestrator = UniversalOrchestrator::builder().start().await?;
/// # let context = OrchestrationContext::builder(&orchestrator).build()?;
/// #[derive(serde::Deserialize)]
/// struct Line { text: String }
/// let words = Specialist::function("words", |line: Line, _: StepContext| async move {
///     Ok::<_, StepFailure>(line.text.split_whitespace().count())
/// });
/// let count = WorkflowStep::run("count", words)
///     .takes(ValueType::record([("text", ValueType::Text)]))
///     .gives(ValueType::Integer)
///     .input("text", "input.text");
/// let workflow = Workflow::builder("words")
///     .takes(ValueType::record([("text", ValueType::Text)]))
///     .step(count)
///     .output("words", "steps.count")
///     .build()?;
/// let report = workflow.report(&context, json!({"text": "one two three"})).await;
/// assert_eq!(report.outputs()["words"], json!(3));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Workflow(pub(super) Arc<Compiled>);

impl Workflow {
    /// Starts to describe a workflow.
    pub fn builder(name: impl Into<String>) -> WorkflowBuilder {
        WorkflowBuilder::new(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.0.description
    }

    /// The names of its steps, in the order in which they were added.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.steps.iter().map(|step| step.name.as_str())
    }

    /// The gates at which its runs wait, unless their context carries others.
    #[must_use]
    pub fn gates(&self) -> &Gates {
        &self.0.gates
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow")
            .field("name", &self.0.name)
            .field("steps", &self.0.steps.len())
            .finish_non_exhaustive()
    }
}

pub(super) struct Compiled {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) takes: ValueType,
    pub(super) at_most: usize,
    pub(super) fail_fast: bool,
    pub(super) steps: Vec<CompiledStep>,
    /// Each step after those that it depends on.
    pub(super) order: Vec<usize>,
    pub(super) outputs: Vec<(String, Source)>,
    /// `None` of a workflow without expressions.
    pub(super) evaluator: Option<Evaluator>,
    pub(super) gates: Gates,
}

pub(super) struct CompiledStep {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) work: Work,
    pub(super) join: Join,
    pub(super) needs: Vec<usize>,
    pub(super) dependents: Vec<usize>,
    pub(super) input: InputPlan,
    pub(super) takes: ValueType,
    /// What one run gives.
    pub(super) gives: ValueType,
    /// What is read from it: of a fan-out, a list.
    pub(super) seen: ValueType,
    pub(super) when: Option<Condition>,
    pub(super) repeat: Option<Repeat>,
    pub(super) each: Option<Each>,
    pub(super) on_failure: StepOnFailure,
    pub(super) fallback: Option<Value>,
    pub(super) estimate: Amount,
    pub(super) expected: Option<Duration>,
}

impl CompiledStep {
    /// Whether its failure leaves the others alone.
    pub(super) fn tolerates(&self) -> bool {
        self.on_failure == StepOnFailure::Continue || self.fallback.is_some()
    }
}

pub(super) enum Work {
    /// Gives its input.
    Collect,
    Step(SharedStep<Value, Value>),
    Gate(GatePlan),
}

/// An expression with the steps that it reads.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) text: String,
    pub(super) parsed: Arc<Parsed>,
    /// Whose data it reads.
    pub(super) steps: Vec<usize>,
    /// Whose status it reads.
    pub(super) status: Vec<usize>,
}

/// A loop.
#[derive(Debug, Clone)]
pub(super) struct Repeat {
    pub(super) condition: Condition,
    /// Whether the condition ends it; it keeps it going otherwise.
    pub(super) until: bool,
    pub(super) iterations_max: u32,
}

/// A fan-out.
#[derive(Debug, Clone)]
pub(super) struct Each {
    pub(super) list: Source,
    pub(super) at_most: usize,
    pub(super) required: Option<usize>,
}

/// Where a value is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) place: Place,
    pub(super) fields: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Input,
    Step(usize),
    Item,
    Index,
    Last,
    Iteration,
}

/// How the input of a step is put together.
#[derive(Debug, Clone)]
pub(super) enum InputPlan {
    Nothing,
    Whole(Source),
    Fields {
        constants: Map<String, Value>,
        read: Vec<(String, Source)>,
    },
}
