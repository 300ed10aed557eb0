//! Workflow files: those that are refused say where, why and what to write; those that are good run.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use universal_orchestrator_patterns::{
    FILE_BYTES_MAX, StepLibrary, Workflow, WorkflowFileErrors, WorkflowSpec,
};

use crate::common::{context, orchestrator};
use crate::{data, echo};

fn library() -> StepLibrary {
    StepLibrary::new()
        .step("fetch", echo("fetch"))
        .step("classify", echo("classify"))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/workflow")
        .join(name)
}

/// The workflow files of a folder, by name.
fn files(name: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder(name)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it is text");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

fn refused(text: &str) -> WorkflowFileErrors {
    Workflow::from_toml(text, &library()).expect_err("it is bad")
}

/// Each bad file has beside it what is said of it. With `UO_BLESS` set, what is said is written there.
#[test]
fn bad_files_are_refused_in_these_words() {
    let files = files("bad");
    assert!(files.len() >= 20, "only {} files", files.len());
    let mut differ = Vec::new();
    for (path, text) in files {
        let said = format!("{}\n", refused(&text));
        let beside = path.with_extension("expected");
        if std::env::var_os("UO_BLESS").is_some() {
            fs::write(&beside, &said).expect("it can be written");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if said != expected {
            differ.push(format!("{}:\n{said}", path.display()));
        }
    }
    assert!(
        differ.is_empty(),
        "these say something else:\n{}",
        differ.join("\n")
    );
}

#[test]
fn every_problem_has_a_place_in_the_file_and_a_remedy() {
    for (path, text) in files("bad") {
        let lines: Vec<&str> = text.lines().collect();
        for problem in refused(&text).problems() {
            let at = format!("{}: {problem}", path.display());
            assert!(problem.line() <= lines.len().max(1), "{at}");
            let columns = lines
                .get(problem.line() - 1)
                .map_or(0, |line| line.chars().count());
            assert!(problem.column() <= columns + 1, "{at}");
            assert!(!problem.problem().remedy().is_empty(), "{at}");
        }
    }
}

#[test]
fn a_file_beyond_the_limits_is_refused_by_its_size() {
    let long = format!("name = \"w\"\n# {}", "x".repeat(FILE_BYTES_MAX));
    assert_eq!(
        refused(&long).problems()[0].problem().message(),
        format!("a file of {} bytes", long.len())
    );
    let many = format!(
        "name = \"w\"\n{}",
        "[[steps]]\nname = \"a\"\n".repeat(10_001)
    );
    assert_eq!(
        refused(&many).problems()[0].problem().message(),
        "10001 steps"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_says_the_same_as_rust_and_json() {
    let text = r#"
name = "triage"
takes = { ticket = "text", limit = "integer" }

[[steps]]
name = "fetch"
run = "fetch"
inputs = { body = "input.ticket" }
constants = { items = [{ id = "a", score = 1 }, { id = "b", score = 2.5 }] }
gives = { body = "text", items = [{ id = "text", score = "number" }] }
retry = { attempts = 2, delay_ms = 10 }
timeout_ms = 1000

[[steps]]
name = "each"
run = "classify"
for_each = "steps.fetch.items"
inputs = { id = "item.id", at = "index" }

[[steps]]
name = "high"
when = "steps.fetch.items.exists(i, i.score > 2.0)"
inputs = { ids = "steps.each" }

[outputs]
ids = "steps.high.ids"
"#;
    let o = orchestrator().await;
    let workflow = Workflow::from_toml(text, &library()).unwrap_or_else(|e| panic!("{e}"));
    let input = json!({"ticket": "t-1", "limit": 3});
    let report = workflow.report(&context(&o), input.clone()).await;
    assert_eq!(
        report.outputs()["ids"],
        json!([{"at": 0, "id": "a"}, {"at": 1, "id": "b"}])
    );
    assert_eq!(data(&report, "fetch")["body"], "t-1");
    let spec = WorkflowSpec::from_toml(text).expect("its form is right");
    let json = serde_json::to_string(&spec).expect("it is JSON");
    let again: WorkflowSpec = serde_json::from_str(&json).expect("it is read again");
    assert_eq!(again, spec);
    let workflow = again.build(&library()).expect("it is valid");
    let second = workflow.report(&context(&o), input).await;
    assert_eq!(second.outputs(), report.outputs());
    o.shutdown().await;
}

/// Texts that are nearly a workflow: lines of real files, mixed.
fn nearly() -> impl Strategy<Value = String> {
    let mut lines: Vec<String> = Vec::new();
    for (_, text) in files("bad") {
        lines.extend(text.lines().map(str::to_owned));
    }
    prop::collection::vec(prop::sample::select(lines), 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Workflow::from_toml(&text, &library()).map_err(|e| e.to_string());
    }

    #[test]
    fn any_mixture_of_lines_is_read_or_refused(text in nearly()) {
        let _ = Workflow::from_toml(&text, &library()).map_err(|e| e.to_string());
    }

    #[test]
    fn any_nesting_is_read_or_refused(open in "[\\[{]{0,200}", key in "[a-z.]{0,100}") {
        let text = format!("name = \"w\"\n{key} = {open}");
        let _ = Workflow::from_toml(&text, &library()).map_err(|e| e.to_string());
    }
}

/// Something that is nearly an expression.
fn expression() -> impl Strategy<Value = String> {
    let pieces = [
        "input",
        ".a",
        "[0]",
        "steps.a",
        "status.a",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "<",
        ">=",
        " in ",
        " && ",
        " || ",
        " ? ",
        " : ",
        ",",
        "1",
        "0",
        "2.5",
        "'x'",
        "\"",
        "'",
        "true",
        "false",
        "null",
        "size(",
        ".all(x, ",
        ".map(x, ",
        ".filter(x, ",
        ".exists(x, ",
        "x",
        "has(",
        "string(",
        "int(",
        ".contains(",
        "9223372036854775807",
        "é",
        "\\",
        "\n",
        "iteration",
        "last",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_expression_is_refused_or_evaluated(text in prop_oneof![expression(), "\\PC{0,100}"], numbers in prop::collection::vec(0_u8..4, 0..40)) {
        let step = |name: &str| universal_orchestrator_patterns::WorkflowStep::collect(name);
        let built = Workflow::builder("w")
            .step(step("a").input_whole("input"))
            .step(step("c").when(text))
            .build();
        if let Ok(workflow) = built {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("there is a runtime");
            runtime.block_on(async {
                let o = orchestrator().await;
                for input in [Value::Null, json!(numbers), json!({"a": numbers, "b": "x"})] {
                    let report = workflow.report(&context(&o), input).await;
                    prop_assert_eq!(report.run().steps().len(), 2);
                }
                o.shutdown().await;
                Ok(())
            })?;
        }
    }
}
