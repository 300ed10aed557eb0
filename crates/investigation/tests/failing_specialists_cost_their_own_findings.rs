//! A specialist that panics, hangs, fails, overspends or is not there: the others' findings are used, and the report says so.

mod support;

use std::time::Duration;

use support::{first, orchestrator, slow_search};
use universal_orchestrator::{AgentRole, AgentSpec, Limits, UniversalOrchestrator};
use universal_orchestrator_investigation::{
    InvestigationLimits, Investigator, Report, Strategy, Verdict, capability_of, specialists,
};
use universal_orchestrator_testkit::ScriptedAgent;

/// Investigates a slow search with `agent` in the place of a specialist.
async fn with(agent: Option<ScriptedAgent>, place: &str) -> Report {
    let orchestrator = orchestrator().await;
    let others: Vec<&str> = specialists()
        .into_iter()
        .filter(|own| *own != place)
        .collect();
    let investigator = Investigator::with_specialists(orchestrator.clone(), &others)
        .await
        .expect("the specialists register");
    if let Some(agent) = agent {
        let spec = AgentSpec::new("troublemaker", AgentRole::Specialist)
            .capabilities([capability_of(place).expect("it is in the table")])
            .in_process(agent);
        orchestrator
            .register_agent(spec)
            .await
            .expect("the agent is new");
    }
    investigate(&orchestrator, &investigator, InvestigationLimits::default()).await
}

async fn investigate(
    orchestrator: &UniversalOrchestrator,
    investigator: &Investigator,
    limits: InvestigationLimits,
) -> Report {
    let report = investigator
        .investigate(slow_search(), &limits)
        .await
        .expect("the investigation runs");
    orchestrator.shutdown_within(Duration::ZERO).await;
    report
}

fn missing<'a>(report: &'a Report, place: &str) -> &'a str {
    for run in &report.specialists {
        assert_eq!(run.completed, run.specialist != place, "{run:?}");
    }
    let run = report
        .specialists
        .iter()
        .find(|run| run.specialist == place)
        .expect("there is a run of each specialist");
    run.reason.as_deref().expect("what is missing has a reason")
}

#[tokio::test(start_paused = true)]
async fn trouble_of_one_specialist_leaves_the_diagnosis() {
    for (agent, words) in [
        (ScriptedAgent::panics(), "panicked"),
        (ScriptedAgent::stalls_forever(), "time"),
        (ScriptedAgent::fails(), "told to fail"),
        (
            ScriptedAgent::succeeds("nothing of use"),
            "handed in nothing",
        ),
    ] {
        for place in ["errors", "traffic"] {
            let report = with(Some(agent.clone()), place).await;
            assert_eq!(
                (report.verdict, first(&report)),
                (Verdict::Diagnosed, Some("search"))
            );
            let reason = missing(&report, place);
            assert!(reason.contains(words), "{reason}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_specialist_that_nobody_registered_is_reported() {
    let report = with(None, "traffic").await;
    assert_eq!(first(&report), Some("search"));
    assert!(missing(&report, "traffic").contains("investigate.traffic"));
}

#[tokio::test(start_paused = true)]
async fn without_the_metric_of_the_symptom_nothing_is_claimed() {
    let report = with(Some(ScriptedAgent::panics()), "latency").await;
    assert_eq!(report.verdict, Verdict::InsufficientEvidence);
    assert!(report.root_cause.ranking.is_empty());
    assert!(!report.next_probes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_one_call_buys_the_metric_of_the_symptom() {
    let orchestrator = orchestrator().await;
    let investigator = Investigator::new(orchestrator.clone()).await.unwrap();
    let mut limits = InvestigationLimits::default();
    limits.budget = Limits::unlimited().with_calls(1);
    let report = investigate(&orchestrator, &investigator, limits).await;
    let completed: Vec<&str> = report
        .specialists
        .iter()
        .filter(|run| run.completed)
        .map(|run| run.specialist.as_str())
        .collect();
    assert_eq!(completed, ["latency"]);
    assert_eq!(first(&report), Some("search"));
    for run in report.specialists.iter().filter(|run| !run.completed) {
        assert!(
            run.reason
                .as_deref()
                .unwrap()
                .contains("calls is at 1 of 1"),
            "{run:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_nothing_buys_nothing() {
    let orchestrator = orchestrator().await;
    let investigator = Investigator::new(orchestrator.clone()).await.unwrap();
    let mut limits = InvestigationLimits::default();
    limits.budget = Limits::unlimited().with_calls(0);
    let report = investigate(&orchestrator, &investigator, limits).await;
    assert!(report.specialists.iter().all(|run| !run.completed));
    assert_eq!(report.verdict, Verdict::InsufficientEvidence);
}

#[tokio::test(start_paused = true)]
async fn two_investigators_on_one_orchestrator_are_refused() {
    let orchestrator = orchestrator().await;
    let _first = Investigator::new(orchestrator.clone()).await.unwrap();
    let second = Investigator::new(orchestrator.clone()).await.unwrap_err();
    assert!(std::error::Error::source(&second).is_some(), "{second}");
    orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn c1_no_more_calls_are_made_than_the_budget_has_and_zero_is_zero() {
    for calls in 0..=4 {
        for strategy in Strategy::ALL {
            let orchestrator = orchestrator().await;
            let investigator = Investigator::new(orchestrator.clone()).await.unwrap();
            let mut limits = InvestigationLimits::default();
            limits.budget = Limits::unlimited().with_calls(calls);
            limits.strategy = strategy;
            let report = investigate(&orchestrator, &investigator, limits).await;
            let completed = report.specialists.iter().filter(|run| run.completed);
            let made = completed.count() as u64;
            assert_eq!(made, report.costs.total.calls, "{strategy} {calls}");
            // The adaptive strategy stops when it is sure, so it may need fewer.
            match strategy {
                Strategy::Adaptive => assert!(made <= calls, "{strategy} {calls}"),
                _ => assert_eq!(made, calls.min(3), "{strategy} {calls}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c2_a_specialist_that_hangs_is_ended_in_time_and_the_rest_is_kept() {
    let started = tokio::time::Instant::now();
    let report = with(Some(ScriptedAgent::stalls_forever()), "traffic").await;
    let deadline = InvestigationLimits::default().deadline;
    assert!(started.elapsed() < deadline, "{:?}", started.elapsed());
    assert_eq!(first(&report), Some("search"));
    let kept = report.specialists.iter().filter(|run| run.completed);
    assert_eq!(kept.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn c3_the_answer_does_not_depend_on_who_ends_first() {
    let mut answers = Vec::new();
    for strategy in [Strategy::Waves, Strategy::Sequential, Strategy::Parallel] {
        let orchestrator = orchestrator().await;
        let investigator = Investigator::new(orchestrator.clone()).await.unwrap();
        let mut limits = InvestigationLimits::default();
        limits.strategy = strategy;
        let report = investigate(&orchestrator, &investigator, limits).await;
        answers.push((report.root_cause, report.evidence, report.hypotheses));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}
