//! So many that succeed, perhaps with the same answer.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};
use crate::strategy::fan_out::{How, Judge, fan_out, jobs};
use crate::strategy::report::{NamedStep, RunReport, StopReason};
use crate::strategy::{Required, steps};

type Agree<O> = Box<dyn Fn(&O, &O) -> bool + Send + Sync>;

/// All steps at the same time, until so many have succeeded, perhaps with answers that agree; the others are cancelled.
///
/// It ends early too when too few are left.
pub struct Quorum<I, O> {
    name: String,
    steps: Vec<SharedStep<I, O>>,
    needed: usize,
    agree: Agree<O>,
}

impl<I: Clone + Send + 'static, O: Send + 'static> Quorum<I, O> {
    /// No steps yet; so many must succeed. 0 is read as 1.
    pub fn new(name: impl Into<String>, needed: usize) -> Self {
        Self {
            name: name.into(),
            steps: Vec::new(),
            needed: needed.max(1),
            agree: Box::new(|_, _| true),
        }
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: impl Step<I, O> + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// Counts only answers that agree with each other, as the function says of two of them.
    #[must_use]
    /// Agreement is taken to be an equivalence. A panic of the function reaches the caller.
    pub fn agreeing(mut self, agree: impl Fn(&O, &O) -> bool + Send + Sync + 'static) -> Self {
        self.agree = Box::new(agree);
        self
    }

    /// Runs all steps until the quorum is reached or out of reach.
    ///
    /// # Cancel safety
    /// Dropping the future drops the steps at work.
    pub async fn report(&self, context: &OrchestrationContext, input: I) -> RunReport<O> {
        first_of(context, &self.steps, &input, self.needed, &self.agree).await
    }
}

#[async_trait]
impl<I, O> Step<I, RunReport<O>> for Quorum<I, O>
where
    I: Clone + Send + Sync + 'static,
    O: Serialize + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn estimate(&self) -> Amount {
        steps::estimate(&self.steps)
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<RunReport<O>> {
        let report = self.report(context, input).await;
        match report.stopped() {
            Some(StopReason::Enough) => report.into_step(Required::AtLeast(0)),
            _ => report.into_failed_step(),
        }
    }
}

impl<I, O> fmt::Debug for Quorum<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quorum")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .field("needed", &self.needed)
            .finish_non_exhaustive()
    }
}

/// Counts answers until so many agree.
struct Count<'a, F> {
    needed: usize,
    /// Steps whose result has not come.
    left: usize,
    /// The most answers that agree.
    best: usize,
    agree: &'a F,
}

impl<O, F: Fn(&O, &O) -> bool> Judge<O> for Count<'_, F> {
    fn judge(
        &mut self,
        results: &[Option<NamedStep<O>>],
        new: &NamedStep<O>,
    ) -> Option<StopReason> {
        self.left = self.left.saturating_sub(1);
        if let Some(answer) = new.result.data() {
            let earlier = results.iter().flatten().filter_map(|s| s.result.data());
            let agreeing = earlier.filter(|other| (self.agree)(other, answer));
            self.best = self.best.max(agreeing.count() + 1);
        }
        if self.best >= self.needed {
            return Some(StopReason::Enough);
        }
        (self.best + self.left < self.needed).then_some(StopReason::OutOfReach)
    }
}

/// Runs steps until so many answers agree.
pub(super) async fn first_of<I, O, F>(
    context: &OrchestrationContext,
    steps: &[SharedStep<I, O>],
    input: &I,
    needed: usize,
    agree: F,
) -> RunReport<O>
where
    I: Clone + Send + 'static,
    O: Send + 'static,
    F: Fn(&O, &O) -> bool,
{
    let started = Instant::now();
    let mut count = Count {
        needed,
        left: steps.len(),
        best: 0,
        agree: &agree,
    };
    let how = How {
        at_most: usize::MAX,
        done_before: 0,
        cancels: true,
        judge: &mut count,
    };
    let fanned = fan_out(context, jobs(steps, input), how).await;
    RunReport {
        steps: fanned.steps,
        stopped: fanned.stopped,
        decisions: Vec::new(),
        duration: started.elapsed(),
    }
}
