//! Two reports on the same data differ in ids and times only, whatever the threads and the order of columns.

mod support;

use serde_json::Value;
use support::{orchestrator, report, slow_search};
use universal_orchestrator_investigation::{
    Incident, InvestigationLimits, Investigator, Report, Style, Telemetry, render, report_schema,
};

/// The report without its times.
fn timeless(report: &Report) -> String {
    let mut report = serde_json::to_value(report).expect("a report is JSON");
    report["run"] = Value::Null;
    for run in report["specialists"].as_array_mut().expect("it is a list") {
        run["elapsed_us"] = Value::Null;
    }
    report.to_string()
}

fn on_threads(threads: usize) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        let orchestrator = orchestrator().await;
        let investigator = Investigator::new(orchestrator.clone())
            .await
            .expect("the specialists register");
        let mut reports = Vec::new();
        for _ in 0..10 {
            let limits = InvestigationLimits::default();
            let report = investigator
                .investigate(slow_search(), &limits)
                .await
                .expect("the investigation runs");
            reports.push(timeless(&report));
        }
        orchestrator.shutdown().await;
        reports
    })
}

#[test]
fn threads_do_not_matter() {
    let mut reports = on_threads(1);
    reports.extend(on_threads(4));
    reports.dedup();
    assert_eq!(reports.len(), 1);
}

/// The same incident with nodes in another order and under other names.
fn disguised(incident: &Incident, names: &dyn Fn(&str) -> String) -> Incident {
    let telemetry = |of: &Telemetry| {
        let mut other = Telemetry::over(of.starts().to_vec());
        for node in of.nodes().iter().rev() {
            for signal in [
                universal_orchestrator_investigation::Signal::Availability,
                universal_orchestrator_investigation::Signal::Requests,
                universal_orchestrator_investigation::Signal::LatencyAverage,
            ] {
                if let Some(series) = of.series(node, signal) {
                    other.insert(&names(node), signal, series.to_vec());
                }
            }
        }
        other
    };
    let calls: Vec<(String, String)> = incident
        .graph
        .calls()
        .map(|(caller, callee)| (names(caller), names(callee)))
        .collect();
    let calls: Vec<(&str, &str)> = calls
        .iter()
        .rev()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let mut other = incident.clone();
    other.telemetry = telemetry(&incident.telemetry);
    other.baseline = incident.baseline.as_ref().map(telemetry);
    other.graph = support::graph(&calls);
    let target = other.target.as_mut().expect("there is a target");
    target.node = names(&target.node).into();
    other
}

#[tokio::test(start_paused = true)]
async fn the_order_of_columns_and_calls_does_not_matter() {
    let incident = slow_search();
    let shuffled = disguised(&incident, &str::to_owned);
    assert_eq!(
        timeless(&report(incident).await),
        timeless(&report(shuffled).await)
    );
}

#[tokio::test(start_paused = true)]
async fn names_do_not_matter() {
    let incident = slow_search();
    let secret = |name: &str| {
        format!(
            "{:x}",
            name.bytes()
                .fold(7_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte))
        )
    };
    let (plain, renamed) = (
        report(incident.clone()).await,
        report(disguised(&incident, &secret)).await,
    );
    for (a, b) in plain
        .root_cause
        .ranking
        .iter()
        .zip(&renamed.root_cause.ranking)
    {
        assert!((a.confidence - b.confidence).abs() < 1e-12);
    }
    assert_eq!(
        secret(&plain.root_cause.ranking[0].node),
        renamed.root_cause.ranking[0].node
    );
}

#[tokio::test(start_paused = true)]
async fn reports_follow_the_schema() {
    let validator = jsonschema::validator_for(&report_schema()).unwrap();
    for incident in [
        slow_search(),
        support::incident(universal_orchestrator_investigation::Signal::Availability),
    ] {
        let value = serde_json::to_value(report(incident).await).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        let mut wrong = value.clone();
        wrong["verdict"] = "certain".into();
        assert!(!validator.is_valid(&wrong));
        let again: Report = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(again).unwrap(), value);
    }
}

#[tokio::test(start_paused = true)]
async fn the_terminal_shows_no_control_characters_of_names() {
    let evil = |name: &str| {
        if name == "search" {
            "se\u{1b}[31march\u{7}".to_owned()
        } else {
            name.to_owned()
        }
    };
    let report = report(disguised(&slow_search(), &evil)).await;
    let text = render(&report, Style::default());
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}'),
        "{text}"
    );
    assert!(
        text.starts_with("diagnosed: se\\u{1b}[31march\\u{7}, confidence 0."),
        "{text}"
    );
    let colored = render(
        &report,
        Style {
            color: true,
            columns: 80,
        },
    );
    assert_eq!(colored.matches('\u{1b}').count(), 3, "{colored}");
}
