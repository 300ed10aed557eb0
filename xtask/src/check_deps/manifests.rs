//! Rules about single manifests and configuration files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{CORE, Violation};
use crate::workspace::Workspace;

const CORE_MANIFEST: &str = "crates/universal-orchestrator/Cargo.toml";
const CORE_CLIPPY: &str = "crates/universal-orchestrator/clippy.toml";

/// Checks `links`, the panic strategy of every profile, and the core's clippy settings.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Violation>> {
    let root = workspace.root();
    let links = workspace
        .member(CORE)
        .and_then(|core| core.links.as_deref());
    let mut violations: Vec<Violation> = check_links(links).into_iter().collect();
    for file in ["Cargo.toml", ".cargo/config.toml"] {
        violations.extend(check_panic(file, &read(root, file)?));
    }
    violations.extend(check_clippy(
        &read(root, "clippy.toml")?,
        &read(root, CORE_CLIPPY)?,
    ));
    Ok(violations)
}

/// Reads a file of settings; one that does not exist has none.
fn read(root: &Path, file: &str) -> Result<Table> {
    let path = root.join(file);
    if !path.exists() {
        return Ok(Table::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {file}"))?;
    text.parse()
        .with_context(|| format!("failed to parse {file}"))
}

fn check_links(links: Option<&str>) -> Option<Violation> {
    (links != Some(CORE)).then(|| {
        Violation::new(
            CORE_MANIFEST,
            format!("`links` is {links:?}"),
            format!(
                "links = \"{CORE}\": two versions of the core in one build would be two plugin registries"
            ),
        )
    })
}

fn check_panic(file: &str, settings: &Table) -> Vec<Violation> {
    let profiles = settings.get("profile").and_then(Value::as_table);
    profiles
        .into_iter()
        .flatten()
        .filter(|(_, profile)| profile.get("panic").and_then(Value::as_str) == Some("abort"))
        .map(|(name, _)| {
            Violation::new(
                file,
                format!("profile `{name}` has panic = \"abort\""),
                "the orchestrator isolates the panics of agents and hooks, which needs unwinding",
            )
        })
        .collect()
}

/// Clippy takes the nearest file and merges nothing, so the core's file must repeat the root's.
fn check_clippy(root: &Table, core: &Table) -> Vec<Violation> {
    root.iter()
        .filter(|(key, value)| core.get(*key) != Some(value))
        .map(|(key, _)| {
            Violation::new(
                CORE_CLIPPY,
                format!("`{key}` differs from clippy.toml"),
                "the core's file replaces the root's: it repeats every setting of it",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn links_must_be_present() {
        assert_eq!(check_links(Some("universal-orchestrator")), None);
        assert!(check_links(None).is_some());
        assert!(check_links(Some("other")).is_some());
    }

    #[test]
    fn an_aborting_profile_is_found() {
        let text = "[profile.release]\npanic = \"abort\"\n[profile.dev]\npanic = \"unwind\"";
        let found = check_panic("Cargo.toml", &table(text));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("profile `release`"));
        assert_eq!(
            check_panic("Cargo.toml", &table("[profile.dev]\ndebug = 1")),
            []
        );
    }

    #[test]
    fn the_cores_clippy_settings_repeat_the_roots() {
        let root = table("a = true\nb = [1]");
        assert_eq!(check_clippy(&root, &table("a = true\nb = [1]\nc = 1")), []);
        assert_eq!(check_clippy(&root, &table("a = false")).len(), 2);
    }
}
