//! Each strategy with specialists that are healthy, failing, slow, flapping and hanging: agents and functions alike.
//!
//! Check R1, its table; the table of resilience is in the tests of that name.

use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator_patterns::{
    Adaptive, Assignment, Fallback, MapReduce, NamedStep, OnFailure, OrchestrationContext,
    Parallel, Quorum, Race, RunReport, Sequential, SharedStep, StopReason, WavePlanner, Waves,
};

use crate::common::{BEHAVIOURS, Behaviour, agent, context, function, orchestrator};

const STRATEGIES: [&str; 8] = [
    "sequential",
    "parallel",
    "adaptive",
    "waves",
    "fallback",
    "race",
    "quorum",
    "map_reduce",
];

/// Asks all in one wave.
struct Once(Vec<SharedStep<u32, u32>>);

impl WavePlanner for Once {
    type Start = u32;
    type Input = u32;
    type Output = u32;

    fn next(&self, input: &u32, found: &[NamedStep<u32>]) -> Vec<Assignment<u32, u32>> {
        let all = self
            .0
            .iter()
            .map(|s| Assignment::new(s.name(), s.clone(), *input));
        if found.is_empty() {
            all.collect()
        } else {
            Vec::new()
        }
    }
}

/// What a strategy over the odd one and two healthy ones found: successes, and seconds.
async fn run(
    strategy: &str,
    context: &OrchestrationContext,
    steps: Vec<SharedStep<u32, u32>>,
) -> (usize, Option<StopReason>, u64) {
    let started = Instant::now();
    let [a, b, c] = <[_; 3]>::try_from(steps).ok().unwrap();
    let report: RunReport<u32> = match strategy {
        "sequential" => {
            Sequential::new("s")
                .step(a)
                .step(b)
                .step(c)
                .report(context, 1)
                .await
        }
        "parallel" => {
            Parallel::new("p")
                .step(a)
                .step(b)
                .step(c)
                .report(context, 1)
                .await
        }
        "adaptive" => {
            Adaptive::new("a")
                .step(a)
                .step(b)
                .step(c)
                .report(context, 1)
                .await
        }
        "waves" => {
            Waves::new("w", Once(vec![a, b, c]))
                .report(context, 1)
                .await
        }
        "fallback" => {
            Fallback::new("f")
                .step(a)
                .step(b)
                .step(c)
                .report(context, 1)
                .await
        }
        "race" => {
            Race::new("r")
                .step(a)
                .step(b)
                .step(c)
                .report(context, 1)
                .await
        }
        "quorum" => {
            Quorum::new("q", 2)
                .step(a)
                .step(b)
                .step(c)
                .report(context, 1)
                .await
        }
        _ => {
            let mut inputs = 0..3;
            let reduced = MapReduce::new(a)
                .run_over(context, &mut inputs, (), |(), _| ())
                .await;
            return (
                reduced.succeeded as usize,
                reduced.stopped,
                started.elapsed().as_secs(),
            );
        }
    };
    assert_eq!(report.steps().len(), 3, "every step is in the report");
    (
        report.found().count(),
        report.stopped().cloned(),
        started.elapsed().as_secs(),
    )
}

/// What is expected: successes, whether the deadline stops it, and seconds. The deadline is a minute away.
fn expected(strategy: &str, behaviour: Behaviour) -> (usize, Option<StopReason>, u64) {
    use Behaviour::{Failing, Flapping, Hanging, Healthy, Slow};
    let deadline = Some(StopReason::Deadline);
    let enough = Some(StopReason::Enough);
    match (strategy, behaviour) {
        ("sequential" | "parallel" | "adaptive" | "waves", Healthy) => (3, None, 0),
        ("sequential" | "parallel" | "adaptive" | "waves", Failing | Flapping) => (2, None, 0),
        ("sequential" | "parallel" | "adaptive" | "waves", Slow) => (3, None, 10),
        // One by one nobody else gets his turn; at the same time the others do.
        ("sequential" | "adaptive", Hanging) => (0, deadline, 60),
        ("parallel" | "waves", Hanging) => (2, deadline, 60),
        ("fallback", Slow) => (1, enough, 10),
        ("fallback", Hanging) => (0, deadline, 60),
        ("fallback", _) => (1, enough, 0),
        ("race", _) => (1, enough, 0),
        ("quorum", _) => (2, enough, 0),
        ("map_reduce", Healthy) => (3, None, 0),
        ("map_reduce", Failing) => (0, None, 0),
        // The first and the third call fail.
        ("map_reduce", Flapping) => (1, None, 0),
        ("map_reduce", Slow) => (3, None, 10),
        _ => (0, deadline, 60),
    }
}

#[tokio::test(start_paused = true)]
async fn r1_each_strategy_with_each_behaviour() {
    for agents in [false, true] {
        for strategy in STRATEGIES {
            for behaviour in BEHAVIOURS {
                let o = orchestrator().await;
                let mut steps: Vec<SharedStep<u32, u32>> = Vec::new();
                for (name, behaviour) in [
                    ("odd", behaviour),
                    ("two", Behaviour::Healthy),
                    ("three", Behaviour::Healthy),
                ] {
                    let specialist = if agents {
                        agent(&o, name, behaviour).await.0
                    } else {
                        function(name, behaviour).0
                    };
                    steps.push(std::sync::Arc::new(
                        specialist.timeout(Duration::from_secs(300)),
                    ));
                }
                let context = context(&o)
                    .child()
                    .deadline_in(Duration::from_secs(60))
                    .build()
                    .unwrap();
                let found = run(strategy, &context, steps).await;
                let what = format!("{strategy} {behaviour:?} agents: {agents}");
                assert_eq!(found, expected(strategy, behaviour), "{what}");
                drop(context);
                universal_orchestrator_testkit::settle().await;
                let status = o.status();
                assert_eq!(
                    status.tasks.running + status.tasks.queued,
                    0,
                    "{what}: a task is left"
                );
                o.shutdown().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fail_fast_skips_what_has_not_begun_and_cancels_what_runs() {
    let o = orchestrator().await;
    let context = context(&o);
    let (fails, _) = function("fails", Behaviour::Failing);
    let (hangs, _) = function("hangs", Behaviour::Hanging);
    let (never, calls) = function("never", Behaviour::Healthy);
    let parallel = Parallel::new("p")
        .step(hangs)
        .step(fails)
        .step(never)
        .at_most(2)
        .on_failure(OnFailure::FailFast);
    let report = parallel.report(&context, 1).await;
    assert_eq!(
        report.stopped(),
        Some(&StopReason::FailedFast {
            step: "fails".to_owned()
        })
    );
    let missing = report.missing();
    assert_eq!(
        missing[0],
        ("hangs", "cancelled: hangs was cancelled".to_owned())
    );
    assert_eq!(missing[2], ("never", "step fails failed before".to_owned()));
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert!(!context.is_cancelled(), "the context goes on");

    let (fails, _) = function("fails", Behaviour::Failing);
    let (never, calls) = function("never", Behaviour::Healthy);
    let one_by_one = Sequential::new("s")
        .step(fails)
        .step(never)
        .on_failure(OnFailure::FailFast);
    let report = one_by_one.report(&context, 1).await;
    assert_eq!(
        (
            report.found().count(),
            calls.load(std::sync::atomic::Ordering::SeqCst)
        ),
        (0, 0)
    );
    o.shutdown().await;
}
