//! `investigate trace`, `text` and `request` as programs: output, exit codes, errors.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const TRACE: &str = "1-68f622d0-2cfc080243ee63df62fc57a8";

fn investigate(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_investigate"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut stdin = child.stdin.take().expect("its input is piped");
    // A command that does not read its input may have closed it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the command ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is UTF-8")
}

/// The report as JSON, which follows the schema that is checked in.
fn report(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    let schema = include_str!("../../../docs/investigation.schema.json");
    let validator = serde_json::from_str(schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&validator).expect("the schema is one");
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    report
}

/// A function that was denied a call.
fn denied() -> String {
    let message = "User: arn:aws:sts::123456789012:assumed-role/pay-role/pay is not authorized to perform: dynamodb:PutItem \
        on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/orders";
    let segment = json!({
        "trace_id": TRACE, "id": "a", "name": "pay", "origin": "AWS::Lambda::Function", "start_time": 1.0, "end_time": 2.0, "fault": true,
        "subsegments": [{"id": "b", "name": "DynamoDB", "namespace": "aws", "start_time": 1.1, "end_time": 1.2, "error": true,
            "aws": {"table_name": "orders", "operation": "PutItem"},
            "cause": {"exceptions": [{"type": "AccessDeniedException", "message": message}]}}],
    });
    json!({"Traces": [{"Id": TRACE, "Segments": [{"Id": "a", "Document": segment.to_string()}]}]})
        .to_string()
}

#[test]
fn p5_a_denied_call_is_named_with_principal_action_and_resource() {
    let output = investigate(&["trace", "-", "--json", "--exit-code"], &denied());
    assert_eq!(output.status.code(), Some(0));
    let report = report(&output);
    assert_eq!(report["root_cause"]["ranking"][0]["node"], "pay");
    let kind = &report["facts"][0]["kind"];
    assert_eq!(kind["type"], "permission_denied");
    assert_eq!(kind["action"], "dynamodb:PutItem");
    assert_eq!(
        kind["principal"],
        "arn:aws:sts::123456789012:assumed-role/pay-role/pay"
    );
    let shown = investigate(&["trace", "-"], &denied());
    assert!(
        text(&shown.stdout).contains("pay-role (iam, account 123456789012)"),
        "{}",
        text(&shown.stdout)
    );
    assert!(
        text(&shown.stdout).contains("permission at pay"),
        "{}",
        text(&shown.stdout)
    );
}

#[test]
fn p6_the_http_200_trace_of_the_data_folder_is_insufficient_evidence() {
    let Some(folder) = std::env::var_os("UO_DATA_DIR") else {
        println!("skipped: UO_DATA_DIR is not set");
        return;
    };
    let file = Path::new(&folder).join("xray/http200_stepfunctions.json");
    let output = investigate(
        &["trace", file.to_str().unwrap(), "--json", "--exit-code"],
        "",
    );
    assert_eq!(output.status.code(), Some(11));
    let report = report(&output);
    assert_eq!(report["verdict"], "insufficient_evidence");
    assert_eq!(report["root_cause"]["ranking"], json!([]));
    assert!(report["elsewhere_probability"].as_f64().unwrap() > 0.6);
    assert_eq!(report["next_probes"][0]["node"], "STEPFUNCTIONS");
}

#[test]
fn a_text_says_what_was_read_and_which_commands_tell_more() {
    let words = format!("lambda `pay` is slow since 14:30, see {TRACE}");
    let output = investigate(&["text", &words, "--at", "2025-11-21T16:00:00Z"], "");
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output.stdout);
    assert!(shown.starts_with("insufficient evidence"), "{shown}");
    assert!(
        shown.contains("$ aws xray batch-get-traces --trace-ids"),
        "{shown}"
    );
    assert!(shown.contains("--start-time 1763735400000"), "{shown}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    fs::write(&file, denied()).unwrap();
    let with = investigate(
        &["text", &words, "--trace", file.to_str().unwrap(), "--json"],
        "",
    );
    assert_eq!(report(&with)["root_cause"]["ranking"][0]["node"], "pay");
}

#[test]
fn hostile_text_cannot_steer_the_terminal_or_a_shell() {
    let output = investigate(&["text", "queue `a\u{1b}[2J;$(id)` and queue: x;rm"], "");
    let shown = text(&output.stdout);
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(!shown.contains("--queue-name x;rm"), "{shown}");
}

#[test]
fn a_request_is_read_from_a_file_or_from_standard_input() {
    let request = json!({
        "primary_targets": [{"type": "lambda", "name": "pay"}],
        "time_range": "last 2 hours",
    })
    .to_string();
    let folder = tempfile::tempdir().unwrap();
    let (file, resources) = (
        folder.path().join("request.json"),
        folder.path().join("resources.json"),
    );
    fs::write(&file, &request).unwrap();
    fs::write(
        &resources,
        r#"{"resources": [{"type": "lambda", "name": "pay", "attributes": {"State": "Failed", "Errors": 3, "Invocations": 10}}],
            "thresholds": {"lambda_error_share_max": 0.5}}"#,
    )
    .unwrap();
    let of_file = investigate(&["request", file.to_str().unwrap(), "--json"], "");
    let of_input = investigate(&["request", "-", "--json"], &request);
    assert_eq!(report(&of_file)["verdict"], report(&of_input)["verdict"]);
    let with = investigate(
        &[
            "request",
            "-",
            "--json",
            "--resources",
            resources.to_str().unwrap(),
        ],
        &request,
    );
    let with = report(&with);
    assert_eq!(with["root_cause"]["ranking"][0]["node"], "pay");
    assert_eq!(
        with["facts_total"], 1,
        "the threshold was set: {}",
        with["facts"]
    );
}

#[test]
fn what_cannot_be_read_ends_with_3_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.json");
    fs::write(&bad, "{\"Traces\": [").unwrap();
    let bad = bad.to_str().unwrap();
    for (arguments, part) in [
        (&["trace", bad][..], "may be cut off"),
        (&["trace", "/no/such/file"], "check the path"),
        (&["request", bad], "expected {"),
        (&["request", "/no/such/file"], "check the path"),
        (&["text", "x", "--trace", bad], "may be cut off"),
        (&["text", "x", "--resources", bad], "\"resources\""),
    ] {
        let output = investigate(arguments, "");
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        let error = text(&output.stderr);
        assert!(
            error.contains(part) && error.lines().count() == 1,
            "{arguments:?}: {error}"
        );
    }
    assert_eq!(
        investigate(&["text", "x", "--at", "soon"], "")
            .status
            .code(),
        Some(2)
    );
    assert_eq!(investigate(&["trace"], "").status.code(), Some(2));
}

#[test]
fn help_has_examples() {
    for (command, word) in [
        ("trace", "batch-get-traces"),
        ("text", "ticket"),
        ("request", "primary_targets"),
    ] {
        let help = investigate(&[command, "--help"], "");
        let help = text(&help.stdout);
        assert!(help.contains("Examples:") && help.contains(word), "{help}");
    }
}
