//! Adaptive: the recorded decision criteria, there and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use universal_orchestrator::Amount;
use universal_orchestrator_patterns::{
    Adaptive, Mode, OrchestrationContext, RunReport, Specialist, StepContext, StepFailure,
};

use crate::common::{context, orchestrator, tokens, with_budget};

/// Three specialists that take so many seconds each, as set; a tenth of the usual in brackets of the test.
fn three(seconds: &Arc<AtomicU64>, estimate: u64) -> Adaptive<u32, u32> {
    ["application", "database", "network"].into_iter().fold(
        Adaptive::new("observe"),
        |all, name| {
            let seconds = Arc::clone(seconds);
            let work = move |n: u32, _: StepContext| {
                let seconds = Arc::clone(&seconds);
                async move {
                    tokio::time::sleep(Duration::from_secs(seconds.load(Ordering::SeqCst))).await;
                    Ok::<_, StepFailure>(n)
                }
            };
            all.step(Specialist::function(name, work).estimate(Amount::tokens(estimate)))
        },
    )
}

async fn run(all: &Adaptive<u32, u32>, context: &OrchestrationContext) -> (Mode, u64, String) {
    let report: RunReport<u32> = all.report(context, 1).await;
    assert!(report.is_complete());
    let decision = report.decisions().last().unwrap();
    (
        decision.mode,
        report.duration().as_secs(),
        decision.reason.clone(),
    )
}

#[tokio::test(start_paused = true)]
async fn it_goes_parallel_after_three_runs_beyond_three_minutes_and_back_again() {
    let o = orchestrator().await;
    let context = context(&o);
    let seconds = Arc::new(AtomicU64::new(45));
    let all = three(&seconds, 0);
    // 3 x 45 s is within three minutes: one by one, as the recorded decision says.
    for _ in 0..5 {
        assert_eq!(run(&all, &context).await.1, 135);
    }
    assert_eq!(all.mode(), Mode::Sequential);
    seconds.store(70, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(run(&all, &context).await.1, 210);
    }
    let (mode, took, reason) = run(&all, &context).await;
    assert_eq!(
        (mode, took, &*reason),
        (Mode::Parallel, 70, "one by one would still take too long")
    );
    seconds.store(20, Ordering::SeqCst);
    assert_eq!(
        run(&all, &context).await.0,
        Mode::Parallel,
        "not measured yet"
    );
    for _ in 0..3 {
        let _ = run(&all, &context).await;
    }
    assert_eq!(run(&all, &context).await.1, 60, "one by one again");
    assert_eq!(all.mode(), Mode::Sequential);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_one_by_one_would_pass_makes_it_parallel_even_on_the_way() {
    let o = orchestrator().await;
    let root = context(&o);
    let seconds = Arc::new(AtomicU64::new(10));
    let all = three(&seconds, 0);
    let short = root
        .child()
        .deadline_in(Duration::from_secs(25))
        .build()
        .unwrap();
    let report = all.report(&short, 1).await;
    assert!(report.is_complete(), "{:?}", report.missing());
    let decisions: Vec<_> = report
        .decisions()
        .iter()
        .map(|d| (d.after_steps, d.mode))
        .collect();
    assert_eq!(decisions, [(0, Mode::Sequential), (1, Mode::Parallel)]);
    assert_eq!(report.duration().as_secs(), 20);
    let short = root
        .child()
        .deadline_in(Duration::from_secs(25))
        .build()
        .unwrap();
    let (mode, took, reason) = run(&all, &short).await;
    assert_eq!(
        (mode, took, &*reason),
        (Mode::Parallel, 10, "one by one would pass the deadline")
    );
    assert_eq!(
        run(&all, &root).await.1,
        30,
        "without a deadline it has time"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_does_not_cover_all_at_once_makes_it_one_by_one() {
    let o = orchestrator().await;
    let seconds = Arc::new(AtomicU64::new(10));
    let all = three(&seconds, 10);
    let _ = run(&all, &context(&o)).await;
    let tight = with_budget(&o, tokens(29));
    let short = tight
        .child()
        .deadline_in(Duration::from_secs(25))
        .build()
        .unwrap();
    let report = all.report(&short, 1).await;
    assert_eq!(report.decisions()[0].mode, Mode::Sequential);
    assert_eq!(
        report.decisions()[0].reason,
        "the budget that is left does not cover all at once"
    );
    drop((tight, short));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn one_slow_specialist_among_quick_ones_is_no_reason() {
    let o = orchestrator().await;
    let context = context(&o);
    let slow = Specialist::function("slow", |n: u32, _: StepContext| async move {
        tokio::time::sleep(Duration::from_secs(300)).await;
        Ok::<_, StepFailure>(n)
    });
    let all = Adaptive::new("a")
        .step(slow.timeout(Duration::from_secs(900)))
        .step(crate::common::after("quick", 10, 1));
    for _ in 0..5 {
        assert_eq!(run(&all, &context).await.0, Mode::Sequential);
    }
    assert_eq!(
        run(&all, &context).await.2,
        "parallel would save too little"
    );
    o.shutdown().await;
}
