//! Severity, reach and timeline come from what was measured, and from nothing else.

mod support;

use support::{change, failing, incident, report, slow_search};
use universal_orchestrator_investigation::{
    Category, Fact, FactKind, Gathered, Incident, Report, Severity, SeverityLevel, Signal,
    TimelineEvent, Verdict,
};

async fn severity(incident: Incident) -> Severity {
    report(incident).await.severity
}

fn failures(percent: f64) -> Incident {
    let mut incident = incident(Signal::Availability);
    failing(&mut incident, "front", percent);
    failing(&mut incident, "search", percent * 0.7);
    incident
}

#[tokio::test(start_paused = true)]
async fn p9_severity_follows_the_share_of_requests_that_fail() {
    for (percent, level) in [
        (60.0, SeverityLevel::Critical),
        (20.0, SeverityLevel::High),
        (5.0, SeverityLevel::Medium),
    ] {
        let severity = severity(failures(percent)).await;
        assert_eq!(severity.level, level, "{severity:?}");
        let hit = severity.share_hit.unwrap();
        // Two of the four intervals after the first have the failures; the second one belongs to them.
        assert!((hit - percent / 100.0 * 0.5).abs() < 0.02, "{severity:?}");
    }
    assert_eq!(
        severity(incident(Signal::Availability)).await.level,
        SeverityLevel::None
    );
}

#[tokio::test(start_paused = true)]
async fn p9_severity_follows_how_much_longer_requests_take() {
    for (times, level) in [
        (12.0, SeverityLevel::Critical),
        (4.0, SeverityLevel::High),
        (2.0, SeverityLevel::Medium),
    ] {
        let mut incident = incident(Signal::LatencyAverage);
        change(&mut incident, "front", Signal::LatencyAverage, |value| {
            value * times
        });
        change(&mut incident, "pay", Signal::LatencyAverage, |value| {
            value + 0.4 * (times - 1.0)
        });
        let severity = severity(incident).await;
        assert_eq!(severity.level, level, "{severity:?}");
        assert!(
            (severity.times_slower.unwrap() / times - 1.0).abs() < 0.1,
            "{severity:?}"
        );
    }
}

/// A report in which a text is the only thing that was read.
async fn of_text(text: &str) -> Report {
    let mut gathered = Gathered::default();
    gathered.calls.add_call("front", "search");
    gathered.notes.push(text.to_owned());
    report(Incident::of(None, [gathered])).await
}

#[tokio::test(start_paused = true)]
async fn p9_words_make_no_severity() {
    for text in [
        "0 errors found",
        "no error in logs",
        "error budget ok",
        "CRITICAL failed failed",
    ] {
        let report = of_text(text).await;
        assert_eq!(report.severity.level, SeverityLevel::Unknown, "{text}");
        assert_eq!(report.verdict, Verdict::InsufficientEvidence, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn p9_the_timeline_has_onset_propagation_and_recovery_in_order() {
    let mut incident = slow_search();
    // Long enough for a recovery: two rows as usual after the slow ones.
    incident.telemetry.merge(later(&incident));
    let report = report(incident).await;
    let events: Vec<TimelineEvent> = report.timeline.iter().map(|entry| entry.event).collect();
    let of_front: Vec<(TimelineEvent, f64)> = report
        .timeline
        .iter()
        .filter(|entry| entry.node == "front")
        .map(|entry| (entry.event, entry.at))
        .collect();
    let expected = [
        (TimelineEvent::Noticed, 450.0),
        (TimelineEvent::Onset, 600.0),
        (TimelineEvent::Recovery, 1_200.0),
        (TimelineEvent::Detectable, 1_200.0),
    ];
    for moment in expected {
        assert!(of_front.contains(&moment), "{moment:?} {of_front:?}");
    }
    assert!(events.contains(&TimelineEvent::Propagation), "{events:?}");
    assert!(report.timeline.is_sorted_by(|a, b| a.at <= b.at));
}

fn later(incident: &Incident) -> universal_orchestrator_investigation::Telemetry {
    let starts: Vec<f64> = (5..9).map(|row| f64::from(row) * 300.0).collect();
    let mut later = universal_orchestrator_investigation::Telemetry::over(starts);
    for node in incident.telemetry.nodes() {
        for signal in [
            Signal::LatencyAverage,
            Signal::Requests,
            Signal::Availability,
        ] {
            if let Some(series) = incident.telemetry.series(node, signal) {
                later.insert(node, signal, vec![series[0]; 4]);
            }
        }
    }
    later
}

#[tokio::test(start_paused = true)]
async fn the_blast_radius_names_callers_and_the_share_of_entry_requests() {
    let report = report(slow_search()).await;
    let radius = report.blast_radius.expect("it is diagnosed");
    assert_eq!((radius.node.as_str(), radius.callers_total), ("search", 1));
    assert_eq!(radius.callers[0].node, "front");
    assert_eq!(radius.callers[0].affected, Some(true));
    assert_eq!(radius.entries, ["front"]);
    assert_eq!(radius.entry_requests_share, Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn facts_are_typed_and_go_through_json() {
    let fact = Fact {
        node: "a".to_owned(),
        kind: FactKind::Threshold {
            metric: "latency".to_owned(),
            bound: 1.0,
            value: 2.0,
        },
        category: Category::Latency,
        weight: 2.0,
        at: None,
        text: "latency is 2 s".to_owned(),
        source: universal_orchestrator_investigation::Source::new("test", "line 1"),
    };
    let value = serde_json::to_value(&fact).unwrap();
    assert_eq!(value["kind"]["type"], "threshold");
    assert_eq!(serde_json::from_value::<Fact>(value).unwrap(), fact);
}
