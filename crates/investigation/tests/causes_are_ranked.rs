//! The cause comes first: not the node that deviates most, but the one that explains what the target shows.

mod support;

use support::{change, failing, first, graph, incident, report, slow, slow_search};
use universal_orchestrator_investigation::{Signal, Verdict};

#[tokio::test(start_paused = true)]
async fn a_second_view_that_deviates_more_is_not_taken_for_the_cause() {
    let report = report(slow_search()).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("search")),
        "{report:#?}"
    );
    assert!(report.root_cause.ranking[0].confidence > 0.5);
}

#[tokio::test(start_paused = true)]
async fn the_deepest_node_that_explains_the_symptom_comes_first() {
    let mut incident = incident(Signal::LatencyAverage);
    slow(&mut incident, "store", 0.030);
    slow(&mut incident, "search", 0.035);
    slow(&mut incident, "pay", 0.030);
    slow(&mut incident, "front", 0.050);
    let report = report(incident).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("store"))
    );
    assert_eq!(report.root_cause.ranking[0].distance, Some(2));
}

#[tokio::test(start_paused = true)]
async fn the_target_itself_is_the_cause_when_nothing_below_explains_it() {
    let mut incident = incident(Signal::LatencyAverage);
    slow(&mut incident, "front", 0.080);
    let report = report(incident).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("front"))
    );
}

#[tokio::test(start_paused = true)]
async fn failing_requests_are_followed_to_their_source() {
    let mut incident = incident(Signal::Availability);
    failing(&mut incident, "bank", 40.0);
    failing(&mut incident, "pay", 40.0);
    failing(&mut incident, "front", 10.0);
    let report = report(incident).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("bank"))
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_blamed_when_nothing_happened() {
    for signal in [Signal::LatencyAverage, Signal::Availability] {
        let report = report(incident(signal)).await;
        assert_eq!(report.verdict, Verdict::NoFault);
        assert!(report.root_cause.ranking.is_empty());
        assert!(report.fault_probability < 0.5);
    }
}

#[tokio::test(start_paused = true)]
async fn more_requests_without_a_symptom_are_no_fault() {
    let mut incident = incident(Signal::LatencyAverage);
    for (node, _, _) in support::USUAL {
        change(&mut incident, node, Signal::Requests, |count| count * 3.0);
    }
    let report = report(incident).await;
    assert_eq!(report.verdict, Verdict::NoFault, "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_baseline_from_another_time_does_not_hide_the_cause() {
    let mut incident = slow_search();
    for node in ["bank", "store"] {
        let drifted: Vec<f64> = incident
            .telemetry
            .series(node, Signal::LatencyAverage)
            .unwrap()
            .to_vec();
        let drifted = drifted.iter().map(|value| value * 4.0).collect();
        incident
            .telemetry
            .insert(node, Signal::LatencyAverage, drifted);
    }
    assert_eq!(first(&report(incident).await), Some("search"));
}

#[tokio::test(start_paused = true)]
async fn without_a_baseline_the_first_row_suffices() {
    let mut incident = slow_search();
    incident.baseline = None;
    let report = report(incident).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("search"))
    );
    assert!(
        report.notes.iter().any(|note| note.contains("no baseline")),
        "{:?}",
        report.notes
    );
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_was_never_called_before_does_not_take_the_blame_from_its_caller() {
    let mut incident = incident(Signal::Availability);
    failing(&mut incident, "pay", 50.0);
    failing(&mut incident, "front", 12.0);
    incident.graph.add_call("pay", "wrong-name");
    let nan = f64::NAN;
    incident.telemetry.insert(
        "wrong-name",
        Signal::Availability,
        vec![nan, nan, 0.0, 0.0, nan],
    );
    incident.telemetry.insert(
        "wrong-name",
        Signal::Requests,
        vec![0.0, 0.0, 75.0, 75.0, 0.0],
    );
    let report = report(incident).await;
    assert_eq!(first(&report), Some("pay"));
    assert!(
        report
            .unknown
            .iter()
            .any(|unknown| unknown.node == "wrong-name")
    );
}

#[tokio::test(start_paused = true)]
async fn a_cycle_of_calls_ends() {
    let mut incident = slow_search();
    incident.graph = graph(&[
        ("front", "search"),
        ("search", "front"),
        ("search", "store"),
        ("front", "balancer"),
    ]);
    let report = report(incident).await;
    assert_eq!(
        (report.verdict, first(&report)),
        (Verdict::Diagnosed, Some("search"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_no_call_leads_to_comes_after_those_that_are_called() {
    let mut incident = slow_search();
    incident.telemetry.insert(
        "stranger",
        Signal::LatencyAverage,
        vec![0.02, 0.02, 0.05, 0.05, 0.02],
    );
    incident
        .telemetry
        .insert("stranger", Signal::Requests, vec![900.0; 5]);
    let report = report(incident).await;
    assert_eq!(first(&report), Some("search"));
    let stranger = report
        .root_cause
        .ranking
        .iter()
        .find(|ranked| ranked.node == "stranger")
        .unwrap();
    assert_eq!(stranger.distance, None);
}

#[tokio::test(start_paused = true)]
async fn a_target_without_values_is_insufficient_evidence_with_a_probe() {
    let mut incident = slow_search();
    incident
        .telemetry
        .insert("front", Signal::LatencyAverage, vec![f64::NAN; 5]);
    let report = report(incident).await;
    assert_eq!(report.verdict, Verdict::InsufficientEvidence);
    assert!(report.root_cause.ranking.is_empty());
    assert_eq!(report.next_probes[0].node, "front");
}

#[tokio::test(start_paused = true)]
async fn equal_nodes_are_in_one_order_always() {
    let report = report(slow_search()).await;
    let places: Vec<(f64, Option<u32>, &str)> = report
        .root_cause
        .ranking
        .iter()
        .map(|ranked| (ranked.confidence, ranked.distance, ranked.node.as_str()))
        .collect();
    for pair in places.windows(2) {
        let ((a, near, first), (b, far, second)) = (pair[0], pair[1]);
        assert!(
            a > b || (a == b && (near > far || (near == far && first < second))),
            "{pair:?}"
        );
    }
    let total: f64 = places.iter().map(|(confidence, _, _)| confidence).sum();
    assert!((total - report.fault_probability).abs() < 1e-9);
}
