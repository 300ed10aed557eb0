//! Every Rust block of the documents is code that runs here, line by line; every configuration block loads.
//!
//! A block of a document is compared without indentation, so the code below it may stand inside of a test.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "examples of programs print"
)]

mod migration;
mod plugin;
mod semantics;
#[cfg(unix)]
mod subprocess;

use std::path::Path;

use universal_orchestrator::OrchestratorConfig;

const README: &str = include_str!("../../../../README.md");
const MIGRATION_GUIDE: &str = include_str!("../../../../MIGRATION_GUIDE.md");
const SEMANTICS: &str = include_str!("../../../../docs/semantics.md");
const SUBPROCESS_AGENTS: &str = include_str!("../../../../docs/subprocess-agents.md");
const WRITING_A_PLUGIN: &str = include_str!("../../../../docs/writing-a-plugin.md");

/// The fenced blocks of a document with their language and the line on which they begin.
fn blocks(document: &str) -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (at, line) in document.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), at + 1, String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// Code without what indentation and blank lines add to it.
fn lines_only(code: &str) -> String {
    let mut text = String::from("\n");
    for line in code.lines().map(str::trim).filter(|l| !l.is_empty()) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Checks that every Rust block is part of a source file that is compiled and run.
fn check_rust(document: &str, source: &str, at_least: usize) {
    let source = lines_only(source);
    let mut count = 0;
    for (_, line, code) in blocks(document)
        .iter()
        .filter(|(language, ..)| language.starts_with("rust"))
    {
        count += 1;
        assert!(
            source.contains(&lines_only(code)),
            "no test runs the block of line {line}:\n{code}"
        );
    }
    assert!(count >= at_least, "only {count} blocks of Rust were found");
}

#[test]
fn every_rust_block_is_run() {
    check_rust(MIGRATION_GUIDE, include_str!("migration.rs"), 8);
    check_rust(SEMANTICS, include_str!("semantics.rs"), 4);
    check_rust(SUBPROCESS_AGENTS, include_str!("subprocess.rs"), 1);
    check_rust(WRITING_A_PLUGIN, include_str!("plugin.rs"), 5);
}

/// The block itself is a doctest of the crate.
#[test]
fn the_program_of_the_readme_is_the_quickstart() {
    check_rust(
        README,
        include_str!("../../../../examples/examples/quickstart.rs"),
        1,
    );
}

#[test]
fn blocks_name_their_language() {
    for document in [
        README,
        MIGRATION_GUIDE,
        SEMANTICS,
        SUBPROCESS_AGENTS,
        WRITING_A_PLUGIN,
    ] {
        for (language, line, _) in blocks(document) {
            assert!(
                ["rust", "toml", "text", "sh", "python", "json"].contains(&language.as_str()),
                "line {line}: {language:?}"
            );
        }
    }
}

/// Blocks of TOML are configurations, except those that are manifests of crates.
#[test]
fn every_configuration_block_loads() {
    let mut count = 0;
    for document in [README, MIGRATION_GUIDE, SEMANTICS, WRITING_A_PLUGIN] {
        for (_, line, text) in blocks(document).iter().filter(|(l, ..)| l == "toml") {
            if text.contains("[dependencies]") || text.contains("[package]") {
                continue;
            }
            count += 1;
            let loaded = OrchestratorConfig::from_toml_str(text);
            assert!(loaded.is_ok(), "line {line}: {:?}", loaded.err());
        }
    }
    assert!(count >= 2, "only {count} configurations were found");
}

/// A file that is moved takes its row of the code map along.
#[test]
fn every_file_of_the_code_map_exists() {
    let page = include_str!("../../../../ARCHITECTURE.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (_, map) = page
        .split_once("## Where to find what")
        .expect("the map has a heading");
    let (map, _) = map.split_once("\n## ").expect("more follows the map");
    let files: Vec<_> = map
        .split('`')
        .filter(|word| word.ends_with(".rs"))
        .collect();
    assert!(files.len() > 50, "only {} files were found", files.len());
    for file in files {
        assert!(source.join(file).is_file(), "{file} is not there");
    }
}

/// Where the links of a page lead, without those to other sites.
fn links(page: &str) -> Vec<&str> {
    page.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
        .filter(|link| !link.contains("://"))
        .collect()
}

/// The anchor of a heading, as it is made where Markdown is shown.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut count = 0;
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "MIGRATION_GUIDE.md",
        "docs/configuration.md",
        "docs/metrics.md",
        "docs/orchestration-guide.md",
        "docs/semantics.md",
        "docs/subprocess-agents.md",
        "docs/writing-a-plugin.md",
    ] {
        let page = root.join(name);
        let text = std::fs::read_to_string(&page).expect("the page is there");
        for link in links(&text) {
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.with_file_name(file)
            };
            assert!(target.exists(), "{name}: {link} leads nowhere");
            if !heading.is_empty() {
                let there = std::fs::read_to_string(&target).expect("it has headings");
                let found = there
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(found, "{name}: {link} has no such heading");
            }
        }
    }
    assert!(count > 30, "only {count} links were found");
}
