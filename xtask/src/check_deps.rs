//! `cargo xtask check-deps`: the dependency rules of the workspace, made executable.

mod crate_edges;
mod crate_rules;
mod foreign;
mod layers;
mod manifests;
mod module_layers;
mod module_paths;

use std::fmt;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// The package at the bottom of every other.
pub(crate) const CORE: &str = "universal-orchestrator";

/// One broken rule: where, which edge, and what the rule is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    place: String,
    edge: String,
    rule: String,
}

impl Violation {
    pub(crate) fn new(
        place: impl Into<String>,
        edge: impl Into<String>,
        rule: impl Into<String>,
    ) -> Self {
        Self {
            place: place.into(),
            edge: edge.into(),
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {}\n    rule: {}",
            self.place, self.edge, self.rule
        )
    }
}

/// Runs every check and reports all that is broken at once.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut violations = crate_edges::check(workspace);
    violations.extend(foreign::check(workspace));
    violations.extend(module_layers::check(workspace)?);
    violations.extend(manifests::check(workspace)?);
    if violations.is_empty() {
        println!("dependency rules: all hold");
        return Ok(());
    }
    let count = violations.len();
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    bail!("{count} dependency rules broken\n{}", lines.join("\n"))
}
