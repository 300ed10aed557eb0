//! Packages of others that must not reach the core.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cargo_metadata::{DependencyKind, Metadata};

use super::crate_rules::NOT_IN_CORE;
use super::{CORE, Violation};
use crate::workspace::Workspace;

/// Package names by the package that needs them outside of tests and build scripts.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Checks what the core reaches through normal dependencies.
pub(crate) fn check(workspace: &Workspace) -> Vec<Violation> {
    check_graph(&graph(workspace.metadata()), CORE)
}

/// Two versions of a package fall together, which the rules do not mind.
fn graph(metadata: &Metadata) -> Graph {
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.to_string()))
        .collect();
    let mut graph = Graph::new();
    for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
        let normal = node.deps.iter().filter(|dependency| {
            dependency
                .dep_kinds
                .iter()
                .any(|info| info.kind == DependencyKind::Normal)
        });
        let targets = normal.filter_map(|dependency| names.get(&dependency.pkg).cloned());
        if let Some(name) = names.get(&node.id) {
            graph.entry(name.clone()).or_default().extend(targets);
        }
    }
    graph
}

fn check_graph(graph: &Graph, root: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut seen = BTreeSet::from([root.to_owned()]);
    let mut paths = VecDeque::from([vec![root.to_owned()]]);
    while let Some(path) = paths.pop_front() {
        let targets = path.last().and_then(|name| graph.get(name));
        for target in targets.into_iter().flatten() {
            if !seen.insert(target.clone()) {
                continue;
            }
            let mut longer = path.clone();
            longer.push(target.clone());
            if is_forbidden(target) {
                violations.push(Violation::new(
                    "crates/universal-orchestrator/Cargo.toml",
                    longer.join(" -> "),
                    format!("the core never reaches `{target}`"),
                ));
            } else {
                paths.push_back(longer);
            }
        }
    }
    violations
}

fn is_forbidden(name: &str) -> bool {
    NOT_IN_CORE
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *pattern,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_edges(edges: &[(&str, &str)]) -> Vec<String> {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        let violations = check_graph(&graph, "core");
        violations.into_iter().map(|found| found.edge).collect()
    }

    #[test]
    fn finds_a_direct_and_an_indirect_edge() {
        assert_eq!(
            check_edges(&[("core", "hyper-util")]),
            ["core -> hyper-util"]
        );
        assert_eq!(
            check_edges(&[("core", "tidy"), ("tidy", "reqwest")]),
            ["core -> tidy -> reqwest"]
        );
    }

    #[test]
    fn leaves_other_packages_and_cycles_alone() {
        let edges = [("core", "serde"), ("serde", "core"), ("cli", "clap")];
        assert_eq!(check_edges(&edges), Vec::<String>::new());
    }
}
