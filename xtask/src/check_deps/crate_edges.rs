//! Edges between the crates of the workspace.

use std::collections::BTreeMap;

use cargo_metadata::DependencyKind;

use super::Violation;
use super::crate_rules::{ROOM_RULES, Room, RoomRule};
use crate::workspace::Workspace;

/// A member of the workspace, as far as the rules are concerned.
#[derive(Debug)]
struct Member {
    name: String,
    folder: String,
    dependencies: Vec<(String, DependencyKind)>,
}

/// Checks every dependency that one member has on another.
pub(crate) fn check(workspace: &Workspace) -> Vec<Violation> {
    let members: Vec<Member> = workspace
        .metadata()
        .workspace_packages()
        .into_iter()
        .map(|package| Member {
            name: package.name.to_string(),
            folder: workspace.folder(package),
            dependencies: package
                .dependencies
                .iter()
                .map(|dependency| (dependency.name.clone(), dependency.kind))
                .collect(),
        })
        .collect();
    check_members(&members)
}

fn check_members(members: &[Member]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut rules = BTreeMap::new();
    for member in members {
        if let Some(rule) = rule_of(&member.folder) {
            rules.insert(member.name.as_str(), rule);
        } else {
            violations.push(Violation::new(
                format!("{}/Cargo.toml", member.folder),
                format!("`{}` lies in a folder without a rule", member.name),
                "every crate has a row in xtask/src/check_deps/crate_rules.rs",
            ));
        }
    }
    for member in members {
        let Some(rule) = rules.get(member.name.as_str()) else {
            continue;
        };
        for (name, kind) in &member.dependencies {
            let Some(target) = rules.get(name.as_str()) else {
                continue;
            };
            if !allows(rule, target.room, *kind) {
                violations.push(Violation::new(
                    format!("{}/Cargo.toml", member.folder),
                    format!("`{}` -> `{name}` ({kind} dependency)", member.name),
                    describe(rule),
                ));
            }
        }
    }
    violations
}

/// Finds the row of a folder; a row with a star counts only where no other row fits.
fn rule_of(folder: &str) -> Option<&'static RoomRule> {
    let exact = ROOM_RULES.iter().find(|rule| rule.folder == folder);
    exact.or_else(|| {
        ROOM_RULES.iter().find(|rule| {
            rule.folder
                .strip_suffix('*')
                .and_then(|prefix| folder.strip_prefix(prefix))
                .is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        })
    })
}

fn allows(rule: &RoomRule, target: Room, kind: DependencyKind) -> bool {
    rule.normal.contains(&target)
        || (kind == DependencyKind::Development && rule.dev.contains(&target))
}

fn describe(rule: &RoomRule) -> String {
    let names = |rooms: &[Room]| {
        let folders: Vec<&str> = rooms.iter().map(|room| folder_of(*room)).collect();
        if folders.is_empty() {
            "nothing of ours".to_owned()
        } else {
            folders.join(", ")
        }
    };
    let mut text = format!("{} may depend on {}", rule.folder, names(rule.normal));
    if !rule.dev.is_empty() {
        text.push_str(&format!("; in tests also on {}", names(rule.dev)));
    }
    text
}

fn folder_of(room: Room) -> &'static str {
    ROOM_RULES
        .iter()
        .find(|rule| rule.room == room)
        .map_or("?", |rule| rule.folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMAL: DependencyKind = DependencyKind::Normal;
    const DEV: DependencyKind = DependencyKind::Development;

    /// A workspace in which every folder's crate is named like the folder.
    fn check_edge(from: &str, to: &str, kind: DependencyKind) -> Vec<Violation> {
        let member = |folder: &str, dependencies| Member {
            name: folder.to_owned(),
            folder: folder.to_owned(),
            dependencies,
        };
        let dependencies = vec![
            (to.to_owned(), kind),
            ("serde".to_owned(), DependencyKind::Normal),
        ];
        check_members(&[member(from, dependencies), member(to, Vec::new())])
    }

    #[test]
    fn allowed_edges_pass() {
        for (from, to, kind) in [
            ("plugins/security", "crates/universal-orchestrator", NORMAL),
            ("plugins/security", "crates/testkit", DEV),
            ("crates/universal-orchestrator", "crates/testkit", DEV),
            ("plugins/bundle", "plugins/security", NORMAL),
            ("crates/cli", "plugins/bundle", NORMAL),
            ("examples", "plugins/bundle", DEV),
            ("crates/investigation", "crates/patterns", NORMAL),
        ] {
            assert_eq!(check_edge(from, to, kind), [], "{from} -> {to}");
        }
    }

    #[test]
    fn forbidden_edges_are_found() {
        for (from, to, kind) in [
            ("plugins/security", "plugins/context", NORMAL),
            ("plugins/security", "plugins/context", DEV),
            ("plugins/security", "crates/testkit", NORMAL),
            ("plugins/security", "plugins/bundle", DEV),
            ("crates/universal-orchestrator", "crates/patterns", DEV),
            ("crates/universal-orchestrator", "crates/testkit", NORMAL),
            ("crates/testkit", "crates/patterns", DependencyKind::Build),
            ("crates/patterns", "crates/investigation", NORMAL),
            ("crates/investigation", "plugins/bundle", NORMAL),
            ("crates/cli", "plugins/security", NORMAL),
            ("benches", "plugins/security", NORMAL),
        ] {
            assert_eq!(check_edge(from, to, kind).len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn the_message_names_file_edge_and_rule() {
        let violations = check_edge("plugins/security", "plugins/context", NORMAL);
        assert_eq!(
            violations[0].to_string(),
            "plugins/security/Cargo.toml: `plugins/security` -> `plugins/context` (normal dependency)\n    \
             rule: plugins/* may depend on crates/universal-orchestrator; in tests also on crates/testkit"
        );
    }

    #[test]
    fn a_crate_without_a_row_is_reported() {
        let violations = check_edge("crates/surprise", "crates/testkit", NORMAL);
        assert_eq!(violations.len(), 1);
        assert!(violations[0].to_string().contains("crates/surprise"));
    }

    #[test]
    fn every_room_has_one_row() {
        for rule in ROOM_RULES {
            let rows = ROOM_RULES.iter().filter(|row| row.room == rule.room);
            assert_eq!(rows.count(), 1, "{:?}", rule.room);
        }
    }
}
