//! An incident's folder may hold traces and what is known about resources, beside metrics.

mod support;

use std::fs;
use std::path::Path;

use serde_json::json;
use support::{first, report};
use universal_orchestrator_investigation::{
    FactKind, Incident, IncidentFiles, ReadErrorKind, Resource, read_resources,
};

/// A front end and a function, calm, in a folder.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut metrics = String::from(
        "microservice,front,front,pay,pay\nmetric,latency,requests,latency,requests\nstatistic,Average,Sum,Average,Sum\nunix_timestamp,,,,\n",
    );
    for row in 0..5 {
        metrics += &format!("{},0.3,600,0.1,600\n", row * 300);
    }
    write(folder.path(), "metrics.csv", &metrics);
    write(
        folder.path(),
        "graph.csv",
        ",front,pay\nfront,0,1\npay,0,0\n",
    );
    write(
        folder.path(),
        "target.json",
        r#"{"target": {"node": "front", "metric": "latency", "timestamp": 450}}"#,
    );
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    let parent = file.parent().expect("a file has a folder");
    fs::create_dir_all(parent).expect("the folder can be made");
    fs::write(file, text).expect("the file can be written");
}

fn read(folder: &Path) -> Incident {
    IncidentFiles::in_folder(folder)
        .read()
        .expect("the folder is well formed")
}

#[tokio::test(start_paused = true)]
async fn traces_and_resources_of_the_folder_meet_the_nodes_of_its_metrics() {
    let folder = folder();
    let segment = json!([{"trace_id": "1-68f622d0-2cfc080243ee63df62fc57a8", "id": "a", "name": "pay", "origin": "AWS::Lambda::Function",
        "start_time": 700.0, "end_time": 702.9, "fault": true,
        "cause": {"exceptions": [{"type": "KeyError", "message": "'currency'"}]}}]);
    write(folder.path(), "traces/b.json", &segment.to_string());
    write(folder.path(), "traces/a.json", "{\"Traces\": [");
    write(folder.path(), "traces/notes.txt", "no trace");
    write(
        folder.path(),
        "resources.json",
        r#"{"resources": [{"type": "lambda", "name": "pay", "attributes": {"Timeout": 3}}], "thresholds": {"near_timeout_share": 0.95}}"#,
    );
    let incident = read(folder.path());
    assert_eq!(
        incident.resources.resources().len(),
        1,
        "the trace's function is that of resources.json"
    );
    assert_eq!(incident.thresholds.near_timeout_share, 0.95);
    let report = report(incident).await;
    assert_eq!(report.data.nodes, 2, "and that of the metrics");
    assert!(
        report
            .facts
            .iter()
            .any(|fact| fact.node == "pay" && matches!(fact.kind, FactKind::TraceFault { .. })),
        "{:?}",
        report.facts
    );
    assert!(
        report.facts.iter().any(
            |fact| matches!(&fact.kind, FactKind::Threshold { metric, .. } if metric == "duration")
        ),
        "{:?}",
        report.facts
    );
    let unread: Vec<&str> = report
        .unknown
        .iter()
        .filter(|unknown| unknown.what == "traces")
        .map(|unknown| &*unknown.node)
        .collect();
    assert_eq!(unread, ["a.json"], "a damaged file costs itself only");
}

#[tokio::test(start_paused = true)]
async fn without_them_nothing_changes() {
    let incident = read(folder().path());
    assert!(incident.resources.resources().is_empty() && incident.traces.is_empty());
    let report = report(incident).await;
    assert_eq!((first(&report), report.resources_total), (None, 0));
}

#[test]
fn bad_resources_are_refused_with_place_and_remedy() {
    let folder = folder();
    let file = folder.path().join("resources.json");
    for (text, part) in [
        ("{", "expected {\"resources\""),
        ("7", "invalid type"),
        ("{\"resources\": [{\"type\": \"lambda\"}]}", "/resources/0"),
        ("[{\"name\": \"\"}]", "/resources/0/name"),
        (
            "{\"thresholds\": {\"lambda_errors\": 1}}",
            "lambda_error_share_max",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let error = read_resources(&file).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert!(matches!(
            error.kind(),
            ReadErrorKind::Resources(_) | ReadErrorKind::Resource(_)
        ));
        assert!(
            IncidentFiles::in_folder(folder.path()).read().is_err(),
            "{text}"
        );
    }
    fs::write(
        &file,
        r#"[{"arn": "arn:aws:sqs:eu-west-1:123456789012:jobs"}, "arn:aws:s3:::b"]"#,
    )
    .unwrap();
    let gathered = read_resources(&file).unwrap();
    let names: Vec<&str> = gathered
        .resources
        .iter()
        .map(|resource: &Resource| &*resource.name)
        .collect();
    assert_eq!(names, ["jobs", "b"]);
}
