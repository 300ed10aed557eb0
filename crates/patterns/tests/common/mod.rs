//! What the tests of this crate share.

#![allow(dead_code, reason = "each test program uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Amount, Limits, RetryPolicy, Task, TaskContext,
    UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_patterns::{OrchestrationContext, Specialist, StepContext, StepFailure};
use universal_orchestrator_testkit::{quiet_config, test_orchestrator};

/// A seed, so that jitter is the same in every run.
pub(crate) const SEED: u64 = 7;

pub(crate) async fn orchestrator() -> UniversalOrchestrator {
    test_orchestrator(quiet_config()).await
}

pub(crate) fn context(o: &UniversalOrchestrator) -> OrchestrationContext {
    OrchestrationContext::builder(o)
        .request("test")
        .seed(SEED)
        .build()
        .expect("the parts are valid")
}

pub(crate) fn tokens(limit: u64) -> Limits {
    Limits::unlimited().with_tokens(limit)
}

pub(crate) fn with_budget(o: &UniversalOrchestrator, limits: Limits) -> OrchestrationContext {
    OrchestrationContext::builder(o)
        .request("test")
        .seed(SEED)
        .budget(limits)
        .build()
        .expect("the parts are valid")
}

/// How a specialist of the table tests behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers at once.
    Healthy,
    /// Fails retryably, always.
    Failing,
    /// Answers after ten seconds.
    Slow,
    /// Fails retryably every other time, the first time included.
    Flapping,
    /// Never answers.
    Hanging,
}

pub(crate) const BEHAVIOURS: [Behaviour; 5] = [
    Behaviour::Healthy,
    Behaviour::Failing,
    Behaviour::Slow,
    Behaviour::Flapping,
    Behaviour::Hanging,
];

/// What one attempt of that behaviour comes to.
pub(crate) async fn attempt(behaviour: Behaviour, calls: &AtomicU32) -> Result<u32, &'static str> {
    let call = calls.fetch_add(1, Ordering::SeqCst);
    match behaviour {
        Behaviour::Healthy => Ok(1),
        Behaviour::Failing => Err("told to fail"),
        Behaviour::Slow => {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Ok(1)
        }
        Behaviour::Flapping if call.is_multiple_of(2) => Err("told to flap"),
        Behaviour::Flapping => Ok(1),
        Behaviour::Hanging => std::future::pending().await,
    }
}

/// A function that behaves so, and how often it was called.
pub(crate) fn function(name: &str, behaviour: Behaviour) -> (Specialist<u32, u32>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let specialist = Specialist::function(name, move |_: u32, _: StepContext| {
        let calls = Arc::clone(&counter);
        async move {
            attempt(behaviour, &calls)
                .await
                .map_err(StepFailure::retryable)
        }
    });
    (specialist, calls)
}

/// An agent that behaves so, registered under the name, which is its capability too.
pub(crate) async fn agent(
    o: &UniversalOrchestrator,
    name: &str,
    behaviour: Behaviour,
) -> (Specialist<u32, u32>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let work = agent_fn(move |_: u32, _: TaskContext| {
        let calls = Arc::clone(&counter);
        async move {
            attempt(behaviour, &calls)
                .await
                .map_err(AgentError::retryable)
        }
    });
    let spec = AgentSpec::new(name, AgentRole::Specialist)
        .capabilities([name])
        .concurrency(4)
        .in_process(work);
    o.register_agent(spec).await.expect("it is new");
    let task = Task::new(name).requires([name]).retry(RetryPolicy::never());
    (Specialist::agent(name, task), calls)
}

/// A function that answers with a number after so many milliseconds.
pub(crate) fn after(name: &str, ms: u64, answer: u32) -> Specialist<u32, u32> {
    Specialist::function(name, move |_: u32, _: StepContext| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok::<_, StepFailure>(answer)
    })
}

/// A function that buys tokens.
pub(crate) fn buys(name: &str, reserved: u64, charged: u64) -> Specialist<u32, u32> {
    let work = move |_: u32, step: StepContext| async move {
        tokio::task::yield_now().await;
        step.charge(Amount::tokens(charged))?;
        Ok::<_, StepFailure>(1)
    };
    Specialist::function(name, work).estimate(Amount::tokens(reserved))
}
