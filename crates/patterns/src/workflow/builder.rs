//! A workflow described in Rust.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use universal_orchestrator::{Amount, RetryPolicy};

use crate::step::{SharedStep, Step};
use crate::workflow::check;
use crate::workflow::compiled::Workflow;
use crate::workflow::library::{StepLibrary, json_step};
use crate::workflow::problem::WorkflowErrors;
use crate::workflow::spec::{GateSpec, Join, StepOnFailure, StepSpec, WorkflowSpec, choices};
use crate::workflow::value_type::ValueType;

/// Describes a workflow in Rust. What is wrong with it is reported by [`build`](Self::build), all at once.
#[derive(Debug)]
#[must_use = "a builder does nothing until build is called"]
pub struct WorkflowBuilder {
    spec: WorkflowSpec,
    works: Vec<Given>,
}

/// What Rust gives a step beyond what can be written down.
#[derive(Default)]
pub(super) struct Given {
    pub(super) work: Option<SharedStep<Value, Value>>,
    pub(super) retry: Option<RetryPolicy>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let work = self.work.as_ref().map(|work| work.name());
        f.debug_struct("Given")
            .field("work", &work)
            .field("retry", &self.retry)
            .finish()
    }
}

impl WorkflowBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            spec: WorkflowSpec::new(name),
            works: Vec::new(),
        }
    }

    /// What it is for, for people.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.spec.description = text.into();
        self
    }

    /// What its input is; unset: anything.
    pub fn takes(mut self, input: ValueType) -> Self {
        self.spec.takes = input;
        self
    }

    /// How many steps run at once; 32 unless set. A gate that waits is not counted.
    pub const fn at_most(mut self, steps: usize) -> Self {
        self.spec.at_most = steps;
        self
    }

    /// Whether the failure of any step ends the run: nothing new begins, and what runs is dropped.
    pub const fn fail_fast(mut self, fast: bool) -> Self {
        self.spec.fail_fast = fast;
        self
    }

    /// Adds a step. The order in which steps are added is the order of the report, not of the run.
    pub fn step(mut self, step: WorkflowStep) -> Self {
        self.spec.steps.push(step.spec);
        self.works.push(step.given);
        self
    }

    /// Adds an output: a name, and the reference that it is read from, for example `steps.classify.level`.
    pub fn output(mut self, name: impl Into<String>, reference: impl Into<String>) -> Self {
        self.spec.outputs.insert(name.into(), reference.into());
        self
    }

    /// Checks and builds the workflow.
    ///
    /// # Errors
    /// [`WorkflowErrors`] lists everything that is wrong with it.
    pub fn build(self) -> Result<Workflow, WorkflowErrors> {
        check::build(self.spec, self.works, &StepLibrary::new())
    }
}

impl WorkflowSpec {
    /// Checks and builds the workflow. Steps that run a function find it in the library.
    ///
    /// # Errors
    /// [`WorkflowErrors`] lists everything that is wrong with it.
    pub fn build(self, library: &StepLibrary) -> Result<Workflow, WorkflowErrors> {
        check::build(self, Vec::new(), library)
    }
}

/// One step of a workflow.
///
/// Its input is a record of what [`input`](Self::input) reads and [`constant`](Self::constant) sets, or one value read by [`input_whole`](Self::input_whole), or null.
/// A reference is `input.FIELD…` or `steps.NAME.FIELD…`; in a loop `last.FIELD…` and `iteration` too, in a fan-out `item.FIELD…` and `index`.
/// A step depends on those that it names, reads from, or has in an expression.
#[derive(Debug)]
#[must_use = "a step is part of a workflow when it is added to it"]
pub struct WorkflowStep {
    spec: StepSpec,
    given: Given,
}

impl WorkflowStep {
    fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            spec: StepSpec {
                name,
                ..StepSpec::default()
            },
            given: Given::default(),
        }
    }

    /// A step that runs a specialist, a strategy, or another workflow. Its input is read from JSON, its result written as JSON.
    pub fn run<I, O>(name: impl Into<String>, step: impl Step<I, O> + 'static) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
    {
        let mut made = Self::named(name);
        made.given.work = Some(json_step(step));
        made
    }

    /// A step that waits for a decision: `approve` or `reject`, unless [`choices`](Self::choices) says otherwise.
    ///
    /// What it gives is a record with the texts `decision`, `by` and `comment`, and the boolean `defaulted`.
    pub fn gate(name: impl Into<String>, question: impl Into<String>) -> Self {
        let mut made = Self::named(name);
        made.spec.gate = Some(GateSpec {
            question: question.into(),
            choices: choices(),
            default: None,
            deadline_ms: None,
        });
        made
    }

    /// A step that gives its own input: where branches come together, or values are renamed.
    pub fn collect(name: impl Into<String>) -> Self {
        Self::named(name)
    }

    /// What is shown to people in its place.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.spec.title = title.into();
        self
    }

    /// Runs after these steps.
    pub fn needs<N: Into<String>>(mut self, steps: impl IntoIterator<Item = N>) -> Self {
        self.spec.needs.extend(steps.into_iter().map(Into::into));
        self
    }

    /// What must have become of the steps that it depends on.
    pub const fn join(mut self, join: Join) -> Self {
        self.spec.join = join;
        self
    }

    /// What its input is; unset: anything.
    pub fn takes(mut self, input: ValueType) -> Self {
        self.spec.takes = input;
        self
    }

    /// What it gives; unset: anything. A result that is something else is a failure.
    pub fn gives(mut self, output: ValueType) -> Self {
        self.spec.gives = output;
        self
    }

    /// A field of its input that is read from a reference.
    pub fn input(mut self, field: impl Into<String>, reference: impl Into<String>) -> Self {
        self.spec.inputs.insert(field.into(), reference.into());
        self
    }

    /// Its whole input, read from one reference.
    pub fn input_whole(mut self, reference: impl Into<String>) -> Self {
        self.spec.input = Some(reference.into());
        self
    }

    /// A field of its input that is always the same.
    pub fn constant(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.spec.constants.insert(field.into(), value.into());
        self
    }

    /// Runs only if this expression is true.
    pub fn when(mut self, expression: impl Into<String>) -> Self {
        self.spec.when = Some(expression.into());
        self
    }

    /// Runs again until this expression is true after an iteration. It fails when it is not after the last that it may have.
    pub fn until(mut self, expression: impl Into<String>) -> Self {
        self.spec.until = Some(expression.into());
        self
    }

    /// Runs again as long as this expression is true before an iteration. It fails when it is after the last that it may have.
    pub fn repeat_while(mut self, expression: impl Into<String>) -> Self {
        self.spec.while_ = Some(expression.into());
        self
    }

    /// How often a loop may run; 100 unless set, at most [`ITERATIONS_MAX`](crate::ITERATIONS_MAX).
    pub const fn iterations_max(mut self, iterations: u32) -> Self {
        self.spec.iterations_max = Some(iterations);
        self
    }

    /// Runs once for each element of a list, which is its `item`. What it gives is the list of the results, in the order of the elements.
    pub fn for_each(mut self, reference: impl Into<String>) -> Self {
        self.spec.for_each = Some(reference.into());
        self
    }

    /// How many items of a fan-out run at once; 32 unless set.
    pub const fn at_most(mut self, items: usize) -> Self {
        self.spec.at_most = Some(items);
        self
    }

    /// How many items of a fan-out must succeed; all unless set. One that did not is null in the list.
    pub const fn items_required(mut self, items: usize) -> Self {
        self.spec.items_required = Some(items);
        self
    }

    /// How often it is tried. The step must bear being run twice.
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.given.retry = Some(policy);
        self
    }

    /// The longest that one attempt may take.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.spec.timeout_ms = Some(millis(time));
        self
    }

    /// What its failure means for the rest.
    pub const fn on_failure(mut self, policy: StepOnFailure) -> Self {
        self.spec.on_failure = policy;
        self
    }

    /// What is read from it when it fails; its failure is tolerated then.
    pub fn fallback(mut self, value: impl Into<Value>) -> Self {
        self.spec.fallback = Some(value.into());
        self
    }

    /// How long it is expected to take.
    pub fn expected_duration(mut self, time: Duration) -> Self {
        self.spec.estimate.duration_ms = Some(millis(time));
        self
    }

    /// What it is expected to cost, for tables and the dry run; unset: what the step itself says. Nothing is reserved by it.
    pub const fn expected_cost(mut self, amount: Amount) -> Self {
        self.spec.estimate.money = Some(amount.money);
        self.spec.estimate.tokens = Some(amount.tokens);
        self.spec.estimate.calls = Some(amount.calls);
        self
    }

    /// Who may decide at a gate otherwise than by approving or rejecting: the choices.
    pub fn choices<C: Into<String>>(mut self, choices: impl IntoIterator<Item = C>) -> Self {
        if let Some(gate) = &mut self.spec.gate {
            gate.choices = choices.into_iter().map(Into::into).collect();
        }
        self
    }

    /// The decision that a gate takes by itself when nobody has decided for so long.
    pub fn decides_after(mut self, time: Duration, choice: impl Into<String>) -> Self {
        if let Some(gate) = &mut self.spec.gate {
            gate.deadline_ms = Some(millis(time));
            gate.default = Some(choice.into());
        }
        self
    }

    /// How long a gate waits; then it fails, unless it has a default decision. 24 hours unless set.
    pub fn waits(mut self, time: Duration) -> Self {
        if let Some(gate) = &mut self.spec.gate {
            gate.deadline_ms = Some(millis(time));
        }
        self
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
