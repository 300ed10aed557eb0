//! Fallback, race and quorum.

use universal_orchestrator_patterns::{
    Fallback, FallbackCounts, Quorum, Race, Required, Sequential, SkipReason, Step, StepFailure,
    StopReason,
};

use crate::common::{Behaviour, after, context, function, orchestrator};

#[tokio::test(start_paused = true)]
async fn r1_a_fallback_is_not_counted_as_the_primary_s_success() {
    let o = orchestrator().await;
    let context = context(&o);
    let (primary, _) = function("primary", Behaviour::Flapping);
    let chain = Fallback::new("chain")
        .step(primary)
        .step(after("second", 0, 2))
        .step(after("third", 0, 3));
    for n in 1..=4_u64 {
        let result = chain.run(&context, 1).await;
        assert_eq!(result.data(), Some(if n % 2 == 0 { &1 } else { &2 }));
    }
    let counts = FallbackCounts {
        primary: 2,
        fallback: 2,
        nobody: 0,
    };
    assert_eq!(chain.counts(), counts);
    let report = chain.report(&context, 1).await;
    assert_eq!(
        report.steps()[2].result().skip_reason(),
        Some(&SkipReason::NotNeeded)
    );
    assert_eq!(report.stopped(), Some(&StopReason::Enough));

    let (fails, _) = function("fails", Behaviour::Failing);
    let alone = Fallback::new("alone").step(fails);
    let result = alone.run(&context, 1).await;
    let text = "work: 0 of 1 steps succeeded; fails: work: told to fail";
    assert_eq!(
        result.failure().map(ToString::to_string).as_deref(),
        Some(text)
    );
    assert!(result.failure().is_some_and(StepFailure::is_retryable));
    assert_eq!(alone.counts().nobody, 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_race_is_won_by_the_first_success_and_the_others_end() {
    let o = orchestrator().await;
    let context = context(&o);
    let (fails, _) = function("fails", Behaviour::Failing);
    let (hangs, _) = function("hangs", Behaviour::Hanging);
    let race = Race::new("race")
        .step(hangs)
        .step(after("late", 300, 1))
        .step(after("early", 100, 2))
        .step(fails);
    let started = tokio::time::Instant::now();
    let report = race.report(&context, 1).await;
    assert_eq!(report.found().collect::<Vec<_>>(), [("early", &2)]);
    assert_eq!(started.elapsed().as_millis(), 100);
    let why: Vec<_> = report
        .missing()
        .into_iter()
        .map(|(name, why)| format!("{name}: {why}"))
        .collect();
    assert_eq!(
        why,
        [
            "hangs: cancelled: hangs was cancelled",
            "late: cancelled: late was cancelled",
            "fails: work: told to fail"
        ]
    );
    assert!(!context.is_cancelled());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_quorum_wants_answers_that_agree() {
    let o = orchestrator().await;
    let context = context(&o);
    let agree = |a: &u32, b: &u32| a == b;
    let quorum = || {
        Quorum::new("q", 2)
            .agreeing(agree)
            .step(after("a", 10, 1))
            .step(after("b", 20, 2))
    };
    let reached = quorum().step(after("c", 30, 2)).step(after("d", 40, 1));
    let report = reached.report(&context, 1).await;
    assert_eq!(report.stopped(), Some(&StopReason::Enough));
    assert_eq!(report.duration().as_millis(), 30);
    assert!(report.into_step(Required::All).failure().is_some());
    let disagree = quorum().step(after("c", 30, 3));
    let result = disagree.run(&context, 1).await;
    assert!(result.failure().is_some(), "three answers and no two agree");
    let (hangs, _) = function("hangs", Behaviour::Hanging);
    let (fails, _) = function("fails", Behaviour::Failing);
    let (fails_too, _) = function("fails too", Behaviour::Failing);
    let lost = Quorum::new("lost", 2)
        .step(hangs)
        .step(fails)
        .step(fails_too);
    let report = lost.report(&context, 1).await;
    assert_eq!(report.stopped(), Some(&StopReason::OutOfReach));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn strategies_are_steps_of_strategies() {
    let o = orchestrator().await;
    let context = context(&o);
    let (fails, _) = function("fails", Behaviour::Failing);
    let race = Race::new("race")
        .step(after("slow", 50, 1))
        .step(after("fast", 10, 2));
    let chain = Fallback::new("chain").step(fails).step(race);
    let all = Sequential::new("all").step(chain).step(after("last", 0, 3));
    let report = all.report(&context, 1).await;
    assert_eq!(
        report.found().collect::<Vec<_>>(),
        [("chain", &2), ("last", &3)]
    );
    o.shutdown().await;
}
