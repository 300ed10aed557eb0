use super::*;

const LAYERS: &[&[&str]] = &[&["id", "clock"], &["task"], &["engine"]];

fn check(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        })
        .collect();
    let violations = check_files(&files, LAYERS).unwrap();
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn an_edge_upwards_is_found_with_file_line_and_rule() {
    let found = check(&[
        ("engine/matcher.rs", "pub struct Matcher;"),
        ("task/state.rs", "\nuse crate::engine::matcher::Matcher;"),
    ]);
    assert_eq!(
        found,
        [
            "crates/universal-orchestrator/src/task/state.rs:2: `task` -> `engine`\n    \
             rule: layer 2 (task) must not refer to layer 3 (engine)"
        ]
    );
}

#[test]
fn edges_downwards_and_within_a_layer_pass() {
    let found = check(&[
        ("lib.rs", "mod engine; use crate::engine::Engine;"),
        ("id.rs", "use crate::clock::Now;"),
        ("clock.rs", "use crate::id::Id;"),
        ("task/mod.rs", "use crate::{id::Id, task::state, tell};"),
        ("engine.rs", "use super::task::Task; use super::id;"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_module_without_a_layer_is_reported_once() {
    let found = check(&[
        ("surprise/a.rs", "use crate::engine::X;"),
        ("surprise/b.rs", ""),
        ("engine.rs", "use crate::surprise::a;"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("module `surprise` has no layer"));
}

#[test]
fn a_re_export_of_the_root_counts_as_its_module() {
    let root = "pub use engine::{Engine, matcher::Matcher as Fit};\npub use crate::task::Task;";
    let check_task = |text: &str| check(&[("lib.rs", root), ("engine.rs", ""), ("task.rs", text)]);
    assert_eq!(check_task("use crate::Engine;").len(), 1);
    assert_eq!(check_task("use crate::Fit;").len(), 1);
    assert_eq!(check_task("use crate::Task;"), Vec::<String>::new());
    assert_eq!(check_task("crate::a_macro!();"), Vec::<String>::new());
}

#[test]
fn a_module_of_the_table_without_a_file_counts_too() {
    assert_eq!(check(&[("task.rs", "use crate::engine::X;")]).len(), 1);
}

#[test]
fn a_glob_of_the_root_is_refused() {
    assert_eq!(check(&[("task.rs", "use crate::*;")]).len(), 1);
}

#[test]
fn comments_and_test_files_are_ignored() {
    let upwards = "use crate::engine::X;";
    let found = check(&[
        ("engine.rs", ""),
        (
            "id.rs",
            "// use crate::engine::X;\n/// crate::engine::X\nfn f() {}",
        ),
        (
            "task.rs",
            "#[cfg(test)] mod tests; #[cfg(test)] mod fixtures;",
        ),
        ("task/tests.rs", upwards),
        ("task/tests/deep.rs", upwards),
        ("task/fixtures.rs", upwards),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_table_names_each_module_once() {
    let names: Vec<&str> = super::LAYERS.iter().copied().flatten().copied().collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), distinct.len());
}
