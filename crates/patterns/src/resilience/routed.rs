//! The provider that does best.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Serialize;
use universal_orchestrator::Amount;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, StepFailure, StepOutcome, StepResult};
use crate::step::{SharedStep, Step, contained};

/// The weight of the newest result.
const WEIGHT: f64 = 0.2;

/// Sends each call to one of several providers that do the same: the one with the least expected time, of which each failure costs a penalty.
///
/// Those never tried come first, in declared order. Every so often the one that was longest without a call gets one, so that a recovery is noticed.
/// A failure is not tried elsewhere: put [`Retry`](crate::Retry) around it for that. Choices follow measured time.
pub struct Routed<I, O> {
    name: String,
    arms: Vec<SharedStep<I, O>>,
    penalty: Duration,
    probe_every: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    arms: Vec<Arm>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Arm {
    calls: u64,
    last_call: u64,
    seconds: f64,
    failure_share: f64,
}

/// What is known of one provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ArmView {
    /// Its name.
    pub name: String,
    /// Calls so far.
    pub calls: u64,
    /// Moving average of the seconds that a success took.
    pub seconds: f64,
    /// Moving share of failures, 0 to 1.
    pub failure_share: f64,
}

impl<I: Send + 'static, O: Send + 'static> Routed<I, O> {
    /// No providers yet; a failure costs as much as 30 seconds, and every 20th call is a probe.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            arms: Vec::new(),
            penalty: Duration::from_secs(30),
            probe_every: 20,
            state: Mutex::default(),
        }
    }

    /// Adds a provider.
    #[must_use]
    pub fn to(mut self, step: impl Step<I, O> + 'static) -> Self {
        self.arms.push(Arc::new(step));
        self.state.get_mut().arms.push(Arm::default());
        self
    }

    /// What a certain failure would cost in time.
    #[must_use]
    pub const fn penalty(mut self, time: Duration) -> Self {
        self.penalty = time;
        self
    }

    /// Every how many calls one is a probe; 0: never.
    #[must_use]
    pub const fn probe_every(mut self, calls: u64) -> Self {
        self.probe_every = calls;
        self
    }

    /// What is known of the providers, in declared order.
    #[must_use]
    pub fn arms(&self) -> Vec<ArmView> {
        let state = self.state.lock();
        let view = |(step, arm): (&SharedStep<I, O>, &Arm)| ArmView {
            name: step.name().to_owned(),
            calls: arm.calls,
            seconds: arm.seconds,
            failure_share: arm.failure_share,
        };
        self.arms.iter().zip(&state.arms).map(view).collect()
    }

    fn choose(&self) -> Option<usize> {
        let mut state = self.state.lock();
        state.calls += 1;
        let call = state.calls;
        let probes = call.is_multiple_of(self.probe_every);
        let numbered = || state.arms.iter().enumerate();
        let never_tried = numbered().find(|(_, arm)| arm.calls == 0);
        let expected = |arm: &Arm| arm.seconds + arm.failure_share * self.penalty.as_secs_f64();
        let chosen = match never_tried {
            Some((at, _)) => at,
            None if probes => numbered().min_by_key(|(_, arm)| arm.last_call)?.0,
            None => {
                numbered()
                    .min_by(|(_, a), (_, b)| expected(a).total_cmp(&expected(b)))?
                    .0
            }
        };
        let arm = &mut state.arms[chosen];
        arm.calls += 1;
        arm.last_call = call;
        Some(chosen)
    }

    fn learn(&self, at: usize, result: &StepResult<O>) {
        let failed = match result.outcome() {
            StepOutcome::Success { .. } => 0.0,
            StepOutcome::Failure { failure } if !is_callers(failure.category()) => 1.0,
            _ => return,
        };
        let mut state = self.state.lock();
        let arm = &mut state.arms[at];
        arm.failure_share += WEIGHT * (failed - arm.failure_share);
        if failed == 0.0 {
            let seconds = result.duration().as_secs_f64();
            let first = arm.seconds == 0.0;
            arm.seconds += if first { 1.0 } else { WEIGHT } * (seconds - arm.seconds);
        }
    }
}

/// Failures that no other provider would have spared.
const fn is_callers(category: ErrorCategory) -> bool {
    matches!(
        category,
        ErrorCategory::Invalid | ErrorCategory::Budget | ErrorCategory::Cancelled
    )
}

#[async_trait]
impl<I: Send + 'static, O: Send + Sync + 'static> Step<I, O> for Routed<I, O> {
    fn name(&self) -> &str {
        &self.name
    }

    /// The largest of its providers, unit by unit.
    fn estimate(&self) -> Amount {
        self.arms.iter().fold(Amount::default(), |most, arm| {
            let arm = arm.estimate();
            most.plus(&arm.minus(&most))
        })
    }

    async fn run(&self, context: &OrchestrationContext, input: I) -> StepResult<O> {
        let Some(at) = self.choose() else {
            let text = format!("{} has no provider: add one with to", self.name);
            return StepFailure::new(ErrorCategory::NotFound, text).into();
        };
        let result = contained(&*self.arms[at], context, input).await;
        self.learn(at, &result);
        result
    }
}

impl<I, O> fmt::Debug for Routed<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed")
            .field("name", &self.name)
            .field("state", &*self.state.lock())
            .finish_non_exhaustive()
    }
}
