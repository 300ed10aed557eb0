//! Every form of the report says what is known, what is not, and what was disproven; and no name becomes markup.

mod support;

use support::long::{ONSET, ROWS, incident as long_incident};
use support::{graph, incident, orchestrator, report, slow_search};
use universal_orchestrator_investigation::{
    Incident, InvestigationLimits, Investigator, Report, Signal, Verdict, compare, html,
    post_mortem, render,
};

/// A slow node, and the front with it, for `ROWS - until` rows less.
fn over_at(until: usize) -> Incident {
    let mut incident = long_incident(&[("early", ONSET, 0.3), ("front", ONSET, 0.3)]);
    for (node, level) in [("early", 0.1), ("front", 0.4)] {
        let signal = Signal::LatencyAverage;
        let values = incident.telemetry.series(node, signal);
        let mut values = values.expect("the node has the series").to_vec();
        values[until..].fill(level);
        incident.telemetry.insert(node, signal, values);
    }
    incident
}

#[tokio::test(start_paused = true)]
async fn c8_a_resolved_case_says_that_it_is_over_and_an_open_one_that_it_is_not() {
    let resolved = post_mortem(&report(over_at(ROWS - 6)).await);
    assert!(resolved.contains("**Diagnosed**: early"), "{resolved}");
    assert!(
        resolved.contains("The symptom was over at 1970-01-01T00:18:00Z"),
        "{resolved}"
    );
    assert!(resolved.contains("1. early takes longer than its callees explain (survived)"));
    let open = post_mortem(&report(over_at(ROWS)).await);
    assert!(open.contains("Nothing that was recorded shows that the symptom is over."));
    assert!(!open.contains("was over at"), "{open}");
}

#[tokio::test(start_paused = true)]
async fn c8_a_disproven_hypothesis_is_written_as_disproven() {
    let report = report(long_incident(&[
        ("early", ONSET, 0.15),
        ("late", ONSET + 6, 0.3),
        ("front", ONSET, 0.15),
        ("front", ONSET + 6, 0.3),
    ]))
    .await;
    let text = post_mortem(&report);
    assert!(
        text.contains("### late takes longer than its callees explain (disproven)"),
        "{text}"
    );
    assert!(text.contains("- temporal order: **disproven**; its change begins 6 intervals after"));
    assert!(text.contains("- threshold: could not be tried;"), "{text}");
    // What is disproven is no contributing factor.
    let factors = text.split("## Contributing factors").nth(1).unwrap();
    let factors = factors.split("\n## ").next().unwrap();
    assert!(
        factors.contains("early") && !factors.contains("late takes"),
        "{factors}"
    );
}

#[tokio::test(start_paused = true)]
async fn c8_an_inconclusive_case_claims_nothing() {
    let mut incident = slow_search();
    incident
        .telemetry
        .insert("front", Signal::LatencyAverage, Vec::new());
    let report = report(incident).await;
    assert_eq!(report.verdict, Verdict::InsufficientEvidence);
    let text = post_mortem(&report);
    assert!(
        text.contains("**Inconclusive**") && text.contains("not an all-clear"),
        "{text}"
    );
    assert!(!text.contains("likeliest cause"), "{text}");
    assert!(text.contains("front: record its latency"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn c8_a_calm_case_has_nothing_to_mend() {
    let text = post_mortem(&report(incident(Signal::LatencyAverage)).await);
    assert!(
        text.contains("**No fault**") && text.contains("nothing to mend"),
        "{text}"
    );
}

const EVIL: &str = "x\"><script>alert(1)</script>|`*_[a](b)\u{1b}[31m";

#[tokio::test(start_paused = true)]
async fn names_become_no_markup_in_any_form() {
    let mut incident = long_incident(&[("early", ONSET, 0.3), ("front", ONSET, 0.3)]);
    let signal = Signal::LatencyAverage;
    let values = incident.telemetry.series("early", signal).unwrap().to_vec();
    incident.telemetry.insert("early", signal, Vec::new());
    incident.telemetry.insert(EVIL, signal, values);
    let requests = vec![500.0; ROWS];
    incident.telemetry.insert(EVIL, Signal::Requests, requests);
    incident.graph = graph(&[("front", EVIL), ("front", "late")]);
    incident.notes.push(EVIL.to_owned());
    let report = report(incident).await;
    assert_eq!(report.root_cause.ranking[0].node, EVIL);
    let page = html(&report);
    assert!(
        !page.contains("<script") && !page.contains("x\">"),
        "{page}"
    );
    assert!(
        page.contains("&lt;script&gt;") && page.contains("<polyline"),
        "{page}"
    );
    let markdown = post_mortem(&report);
    assert!(
        !markdown.contains("<script") && !markdown.contains("[a](b)"),
        "{markdown}"
    );
    for text in [
        page,
        markdown,
        render(&report, Default::default()),
        compare(&report, &report),
    ] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

async fn explained(node: &str) -> Report {
    let orchestrator = orchestrator().await;
    let investigator = Investigator::new(orchestrator.clone())
        .await
        .expect("the specialists register");
    let mut limits = InvestigationLimits::default();
    limits.explain = Some(node.to_owned());
    let report = investigator.investigate(slow_search(), &limits).await;
    orchestrator.shutdown().await;
    report.expect("the investigation runs")
}

#[tokio::test(start_paused = true)]
async fn an_explanation_adds_up() {
    let report = explained("store").await;
    let why = report.explanation.as_ref().expect("store is a node");
    let ranked = report
        .root_cause
        .ranking
        .iter()
        .position(|node| node.node == "store");
    assert_eq!(why.rank, ranked.unwrap() + 1);
    // The odds between two nodes are what their inputs add up to.
    let first = explained(&report.root_cause.ranking[0].node).await;
    let first = first.explanation.unwrap();
    let sum = |why: &universal_orchestrator_investigation::Explanation| -> f64 {
        why.inputs.iter().map(|input| input.product).sum()
    };
    let odds = (first.prior / why.prior).ln();
    assert!((odds - (sum(&first) - sum(why))).abs() < 1e-9);
    assert!(render(&report, Default::default()).contains("Why store has a confidence of"));
    let nobody = explained("nobody").await;
    assert!(nobody.explanation.is_none());
    assert!(
        nobody
            .notes
            .iter()
            .any(|note| note.contains("no node nobody"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_comparison_names_what_changed() {
    let (slow, calm) = (
        report(slow_search()).await,
        report(incident(Signal::LatencyAverage)).await,
    );
    let text = compare(&slow, &calm);
    assert!(text.contains("verdict: diagnosed -> no fault"), "{text}");
    assert!(
        text.contains("search: place 1") && text.contains("-> not ranked"),
        "{text}"
    );
    let same = compare(&slow, &slow);
    assert!(!same.contains("->"), "{same}");
    assert!(same.contains("verdict: diagnosed, the same"), "{same}");
}
