//! Hypotheses meet real attempts to disprove them: against recorded series, with an outcome of their own for what cannot be tried.

mod support;

use support::long::{ONSET, ROWS, incident};
use support::{first, graph, report};
use universal_orchestrator_investigation::{
    Attempt, Category, Hypothesis, Outcome, Report, ResourceMetric, Signal, Standing, Statistic,
    Test, Verdict,
};

fn about<'a>(report: &'a Report, node: &str) -> &'a Hypothesis {
    let mut all = report.hypotheses.iter();
    all.find(|hypothesis| hypothesis.node == node)
        .expect("there is a hypothesis about the node")
}

fn attempt(hypothesis: &Hypothesis, test: Test) -> &Attempt {
    let mut all = hypothesis.attempts.iter();
    all.find(|attempt| attempt.test == test)
        .expect("all attempts are listed")
}

#[tokio::test(start_paused = true)]
async fn c5_who_changes_after_the_symptom_is_disproven_and_hands_on_to_the_next() {
    // `late` explains more of what the front shows at its worst, but the front was slow before it.
    let report = report(incident(&[
        ("early", ONSET, 0.15),
        ("late", ONSET + 6, 0.3),
        ("front", ONSET, 0.15),
        ("front", ONSET + 6, 0.3),
    ]))
    .await;
    let late = about(&report, "late");
    let order = attempt(late, Test::TemporalOrder);
    assert_eq!(order.outcome, Outcome::Disproven, "{order:?}");
    assert!(order.reason.contains("6 intervals after"), "{order:?}");
    assert_eq!(late.standing, Standing::Disproven);
    assert_eq!(first(&report), Some("early"), "{:#?}", report.root_cause);
}

#[tokio::test(start_paused = true)]
async fn c5_what_could_not_be_tried_is_not_survived() {
    let report = report(incident(&[("early", ONSET, 0.3), ("front", ONSET, 0.3)])).await;
    let early = about(&report, "early");
    assert_eq!(early.standing, Standing::Survived);
    let outcome = |test| attempt(early, test).outcome;
    assert_eq!(outcome(Test::TemporalOrder), Outcome::Survived);
    assert_eq!(outcome(Test::Scope), Outcome::Survived);
    assert_eq!(outcome(Test::Threshold), Outcome::Unknown);
    assert!(attempt(early, Test::Scope).reason.contains("front"));
}

#[tokio::test(start_paused = true)]
async fn c5_a_node_whose_callers_are_fine_is_disproven_by_its_scope() {
    // `late` is slow, but whoever calls it (a job that nobody waits for) is not; the front waits for `early`.
    let mut incident = incident(&[
        ("early", ONSET, 0.3),
        ("late", ONSET, 0.9),
        ("front", ONSET, 0.3),
    ]);
    incident.graph = graph(&[("front", "early"), ("front", "job"), ("job", "late")]);
    let falling = (0..ROWS).map(|row| if row < ONSET { 0.2 } else { 0.19 });
    incident
        .telemetry
        .insert("job", Signal::LatencyAverage, falling.collect());
    let report = report(incident).await;
    assert_eq!(first(&report), Some("early"));
    let scope = attempt(about(&report, "late"), Test::Scope);
    assert_eq!(scope.outcome, Outcome::Disproven, "{scope:?}");
    assert!(scope.reason.contains("job"), "{scope:?}");
}

#[tokio::test(start_paused = true)]
async fn c5_a_claim_of_a_value_is_looked_at_again() {
    let used = |of: &dyn Fn(usize) -> f64| {
        let mut incident = incident(&[("early", ONSET, 0.3), ("front", ONSET, 0.3)]);
        let values = (0..ROWS).map(of).collect();
        incident.telemetry.insert_resource(
            "early",
            ResourceMetric::LocksWaiting,
            Statistic::Average,
            values,
        );
        incident
    };
    let lasting = report(used(&|row| if row < ONSET { 0.0 } else { 9.0 })).await;
    let early = about(&lasting, "early");
    assert_eq!(early.category, Category::Saturation);
    assert_eq!(early.supporting_facts, [0]);
    assert_eq!(attempt(early, Test::Threshold).outcome, Outcome::Survived);
}

#[tokio::test(start_paused = true)]
async fn when_everything_is_disproven_the_cause_is_elsewhere() {
    // The only node that differs came too late; the front itself has what it has from nobody.
    let mut incident = incident(&[("late", ONSET + 8, 0.3), ("front", ONSET, 0.3)]);
    incident.graph = graph(&[("front", "late")]);
    let report = report(incident).await;
    let late = about(&report, "late");
    assert_eq!(
        attempt(late, Test::TemporalOrder).outcome,
        Outcome::Disproven
    );
    assert_ne!(first(&report), Some("late"));
    assert!(report.verdict != Verdict::NoFault, "{:?}", report.verdict);
}
