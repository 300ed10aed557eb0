//! Checks C2 and C3: time limits, and what parallel costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use proptest::prelude::*;
use serde_json::json;
use universal_orchestrator::Task;
use universal_orchestrator_patterns::{
    ErrorCategory, Parallel, Sequential, Specialist, Step, StepContext, StepFailure, StopReason,
};
use universal_orchestrator_testkit::{ScriptedAgent, Step as Act, settle};

use crate::common::{Behaviour, after, context, function, orchestrator};

async fn hangs_with_progress(
    o: &universal_orchestrator::UniversalOrchestrator,
) -> Specialist<u32, u32> {
    use universal_orchestrator::{AgentRole, AgentSpec};
    let script = ScriptedAgent::steps([Act::Progress(json!("half")), Act::Stall]);
    let spec = AgentSpec::new("hangs", AgentRole::Specialist)
        .capabilities(["hang"])
        .in_process(script);
    o.register_agent(spec).await.unwrap();
    Specialist::agent("hangs", Task::new("hang").requires(["hang"]))
}

#[tokio::test(start_paused = true)]
async fn c2_a_timeout_fires_cancels_and_frees_the_slot() {
    let o = orchestrator().await;
    let context = context(&o);
    let hangs = hangs_with_progress(&o)
        .await
        .timeout(Duration::from_secs(5));
    for _ in 0..2 {
        // The second run needs the slot that the first one had.
        let result = hangs.run(&context, 1).await;
        let failure = result.failure().unwrap();
        assert_eq!(
            (failure.category(), failure.partial()),
            (ErrorCategory::Timeout, Some(&json!("half")))
        );
        assert_eq!(result.duration(), Duration::from_secs(5));
        settle().await;
        assert_eq!(o.status().tasks.running, 0);
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn c2_the_deadline_ends_everything_within_a_tick_and_keeps_what_was_found() {
    let o = orchestrator().await;
    let root = context(&o);
    let agent = hangs_with_progress(&o).await;
    let (function, _) = function("function", Behaviour::Hanging);
    let all = Parallel::new("all")
        .step(agent)
        .step(after("quick", 10, 1))
        .step(function)
        .step(after("late", 4_000, 2));
    let context = root
        .child()
        .deadline_in(Duration::from_secs(3))
        .build()
        .unwrap();
    let report = all.report(&context, 1).await;
    assert!(
        report.duration() <= Duration::from_millis(3_001),
        "{:?}",
        report.duration()
    );
    assert_eq!(report.found().collect::<Vec<_>>(), [("quick", &1)]);
    assert_eq!(report.stopped(), Some(&StopReason::Deadline));
    let partial = report.steps()[0]
        .result()
        .failure()
        .and_then(StepFailure::partial);
    assert_eq!(partial, Some(&json!("half")));
    let step = report.into_step(universal_orchestrator_patterns::Required::All);
    let failure = step.failure().unwrap();
    assert_eq!(failure.category(), ErrorCategory::Timeout);
    assert_eq!(
        failure.partial().map(|p| &p["steps"][1]["data"]),
        Some(&json!(1))
    );

    let (hangs, _) = crate::common::function("hangs", Behaviour::Hanging);
    let one_by_one = Sequential::new("all")
        .step(after("quick", 10, 1))
        .step(hangs)
        .step(after("never", 0, 2));
    let context = root
        .child()
        .deadline_in(Duration::from_secs(3))
        .build()
        .unwrap();
    let report = one_by_one.report(&context, 1).await;
    assert_eq!(
        (report.found().count(), report.stopped()),
        (1, Some(&StopReason::Deadline))
    );
    assert_eq!(
        report.missing()[1],
        ("never", "the deadline had passed".to_owned())
    );
    o.shutdown().await;
}

/// Counts itself while it lives.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn c2_a_cancelled_run_leaves_nothing_running() {
    let o = orchestrator().await;
    let alive = Arc::new(AtomicUsize::new(0));
    let mut all = Parallel::new("all");
    for n in 0..5 {
        let alive = Arc::clone(&alive);
        all = all.step(Specialist::function(
            format!("f{n}"),
            move |_: u32, _: StepContext| {
                alive.fetch_add(1, Ordering::SeqCst);
                let alive = Alive(Arc::clone(&alive));
                async move {
                    let _alive = alive;
                    std::future::pending::<Result<u32, StepFailure>>().await
                }
            },
        ));
    }
    let all = all.step(hangs_with_progress(&o).await);
    for drops in [false, true] {
        let context = context(&o);
        let mut run = Box::pin(all.report(&context, 1));
        assert!((&mut run).now_or_never().is_none());
        settle().await;
        assert_eq!(
            (alive.load(Ordering::SeqCst), o.status().tasks.running),
            (5, 1)
        );
        if drops {
            drop(run);
        } else {
            context.cancel();
            let report = run.await;
            assert_eq!(report.stopped(), Some(&StopReason::Cancelled));
            assert_eq!(
                report
                    .failures()
                    .filter(|(_, f)| f.category() == ErrorCategory::Cancelled)
                    .count(),
                6
            );
        }
        settle().await;
        assert_eq!(
            (alive.load(Ordering::SeqCst), o.status().tasks.running),
            (0, 0)
        );
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn c3_parallel_takes_as_long_as_the_slowest() {
    let o = orchestrator().await;
    let context = context(&o);
    let times = [200, 50, 400, 100, 300];
    let mut parallel = Parallel::new("p");
    let mut sequential = Sequential::new("s");
    for (n, ms) in times.into_iter().enumerate() {
        parallel = parallel.step(after(&format!("{n}"), ms, n as u32));
        sequential = sequential.step(after(&format!("{n}"), ms, n as u32));
    }
    let parallel = parallel.report(&context, 1).await;
    let sequential = sequential.report(&context, 1).await;
    assert_eq!(parallel.duration(), Duration::from_millis(400));
    assert_eq!(sequential.duration(), Duration::from_millis(1_050));
    let order = |r: &universal_orchestrator_patterns::RunReport<u32>| {
        r.found()
            .map(|(n, d)| (n.to_owned(), *d))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        order(&parallel),
        order(&sequential),
        "in declared order, whatever finished first"
    );
    let narrow = (0..10)
        .fold(Parallel::new("n"), |p, n| {
            p.step(after(&n.to_string(), 100, n))
        })
        .at_most(3);
    let report = narrow.report(&context, 1).await;
    assert_eq!(
        report.duration(),
        Duration::from_millis(400),
        "ten in four rounds of at most three"
    );
    o.shutdown().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn c3_results_do_not_depend_on_who_finishes_first(
        first in proptest::collection::vec(0_u64..500, 1..12),
        rotate in 0_usize..12,
        at_most in 1_usize..6,
    ) {
        let mut second = first.clone();
        let by = rotate % second.len();
        second.rotate_left(by);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let o = orchestrator().await;
            let context = context(&o);
            let mut seen = Vec::new();
            for times in [&first, &second] {
                let mut all = Parallel::new("p").at_most(at_most);
                for (n, ms) in times.iter().enumerate() {
                    all = all.step(after(&n.to_string(), *ms, n as u32));
                }
                let report = all.report(&context, 1).await;
                let found: Vec<_> = report.found().map(|(n, d)| (n.to_owned(), *d)).collect();
                seen.push(found);
            }
            o.shutdown().await;
            assert_eq!(seen[0], seen[1]);
        });
    }
}
