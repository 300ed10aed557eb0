//! The layers inside the core: a module refers to its own layer and to lower ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use proc_macro2::{LexError, TokenStream, TokenTree};

use super::Violation;
use super::layers::LAYERS;
use super::module_paths::{self, is_path_separator, is_punct, is_word, trees};
use crate::workspace::Workspace;

const SOURCE: &str = "crates/universal-orchestrator/src";
const TABLE: &str = "xtask/src/check_deps/layers.rs";

/// A source file: its path below the root and its text.
#[derive(Debug)]
struct SourceFile {
    path: String,
    text: String,
}

/// Checks every source file of the core against the table.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Violation>> {
    let folder = workspace.root().join(SOURCE);
    let mut files = Vec::new();
    for path in rust_files(&folder)? {
        let below = path.strip_prefix(&folder).unwrap_or(&path);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        files.push(SourceFile {
            path: below.to_string_lossy().replace('\\', "/"),
            text,
        });
    }
    check_files(&files, LAYERS)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("failed to list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn check_files(files: &[SourceFile], layers: &[&[&str]]) -> Result<Vec<Violation>> {
    let mut scans = Vec::new();
    let mut modules = BTreeSet::new();
    let mut test_modules = Vec::new();
    let mut root_names = BTreeMap::new();
    for file in files {
        let module = module_of(&file.path);
        let tokens: TokenStream = file.text.parse().map_err(|error: LexError| {
            let line = error.span().start().line;
            anyhow!("{SOURCE}/{}:{line}: {error}", file.path)
        })?;
        if module.is_empty() {
            root_names = names_of_root(&trees(tokens.clone()));
        }
        let scan = module_paths::scan(tokens, &module);
        modules.extend(module.first().cloned());
        test_modules.extend(scan.test_modules);
        scans.push((file, module, scan.references));
    }
    let is_test = |module: &[String]| {
        module.iter().any(|part| part == "tests")
            || test_modules.iter().any(|test| module.starts_with(test))
    };
    let rank = |name: &str| layers.iter().position(|layer| layer.contains(&name));
    let mut violations = Vec::new();
    let mut unknown = BTreeSet::new();
    for (file, module, references) in scans {
        let Some(own) = module.first().filter(|_| !is_test(&module)) else {
            continue;
        };
        let Some(own_rank) = rank(own) else {
            if unknown.insert(own.clone()) {
                violations.push(Violation::new(
                    format!("{SOURCE}/{}", file.path),
                    format!("module `{own}` has no layer"),
                    format!("every module of the core has a place in {TABLE}"),
                ));
            }
            continue;
        };
        for reference in references {
            let place = format!("{SOURCE}/{}:{}", file.path, reference.line);
            let name = reference.name.as_str();
            if name == "*" {
                violations.push(Violation::new(
                    place,
                    format!("`{own}` -> the whole crate root"),
                    "name the module, so that the edge can be seen",
                ));
                continue;
            }
            // What is neither a module nor re-exported from one is a macro or an item of `lib.rs`.
            let is_module = |name: &str| modules.contains(name) || rank(name).is_some();
            let target = if is_module(name) {
                name
            } else {
                match root_names.get(name) {
                    Some(module) if is_module(module) => module,
                    _ => continue,
                }
            };
            // A target without a layer is reported at its own file.
            if let Some(target_rank) = rank(target)
                && target_rank > own_rank
            {
                violations.push(Violation::new(
                    place,
                    format!("`{own}` -> `{target}`"),
                    format!(
                        "layer {} ({}) must not refer to layer {} ({})",
                        own_rank + 1,
                        layers[own_rank].join(", "),
                        target_rank + 1,
                        layers[target_rank].join(", "),
                    ),
                ));
            }
        }
    }
    Ok(violations)
}

/// Returns the module that a file holds; `lib.rs` holds the root, which is free.
fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut parts: Vec<String> = path.split('/').map(ToOwned::to_owned).collect();
    if parts.last().is_some_and(|part| part == "mod") || parts == ["lib"] {
        parts.pop();
    }
    parts
}

/// Maps each name that `lib.rs` brings to the root to the module it comes from.
fn names_of_root(tokens: &[TokenTree]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for statement in tokens.split(|tree| is_punct(tree, ';')) {
        if let Some(start) = statement.iter().position(|tree| is_word(tree, "use")) {
            collect_names(&statement[start + 1..], None, &mut names);
        }
    }
    names
}

fn collect_names(tokens: &[TokenTree], module: Option<&str>, names: &mut BTreeMap<String, String>) {
    for tree in tokens.split(|tree| is_punct(tree, ',')) {
        let mut module = module.map(ToOwned::to_owned);
        let mut last = None;
        for (index, token) in tree.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word != "crate" && word != "self" && word != "as" => {
                    if is_path_separator(tree, index + 1) {
                        module.get_or_insert_with(|| word.to_string());
                    }
                    last = Some(word.to_string());
                }
                TokenTree::Group(group) => {
                    collect_names(&trees(group.stream()), module.as_deref(), names);
                    last = None;
                }
                _ => {}
            }
        }
        if let (Some(module), Some(name)) = (module, last) {
            names.insert(name, module);
        }
    }
}

#[cfg(test)]
mod tests;
