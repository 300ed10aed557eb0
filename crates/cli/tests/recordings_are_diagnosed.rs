//! The first set of recordings in `examples/incidents`, as a user would investigate it.
//!
//! The second set is for measuring only, so no test holds what is said of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the command says of an incident.
fn report(folder: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_investigate"))
        .arg("incident")
        .arg(folder)
        .arg("--json")
        .current_dir(root())
        .output()
        .expect("the command starts");
    assert!(output.status.success(), "{}", folder.display());
    serde_json::from_slice(&output.stdout).expect("the report is JSON")
}

#[test]
fn the_first_command_of_the_readme_names_the_cause() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README is there");
    let first = readme.split("```").nth(1).expect("it has a command");
    let folder = first
        .split_once("--bin investigate -- incident ")
        .map(|(_, path)| path.trim())
        .expect("it investigates an incident");
    let report = report(Path::new(folder));
    assert_eq!(report["root_cause"]["ranking"][0]["node"], "postgres");
}

#[test]
fn the_first_set_is_answered_rightly() {
    let home = root().join("examples/incidents");
    let mut answered = 0;
    for entry in std::fs::read_dir(home).expect("the recordings are there") {
        let folder = entry.expect("the folder can be listed").path();
        let Ok(text) = std::fs::read(folder.join("truth.json")) else {
            continue;
        };
        let truth: Value = serde_json::from_slice(&text).expect("the truth is JSON");
        let report = report(&folder);
        let name = folder.display();
        match truth["node"].as_str() {
            Some(cause) => {
                assert_eq!(report["verdict"], "diagnosed", "{name}");
                let first = &report["root_cause"]["ranking"][0]["node"];
                assert_eq!(first, cause, "{name}");
            }
            None => assert_eq!(report["verdict"], "no_fault", "{name}"),
        }
        answered += 1;
    }
    assert_eq!(answered, 10);
}
