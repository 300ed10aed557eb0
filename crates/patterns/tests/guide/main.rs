//! Every Rust block of docs/orchestration-guide.md is code that runs here, line by line.
//!
//! A block is compared without indentation, so the code below it may stand inside of a test.

mod patterns;
mod registered;
mod resilience;
mod start;
mod workflow;

use std::path::Path;

use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Amount, TaskContext, UniversalOrchestrator, agent_fn,
};

pub(crate) type Tested = Result<(), Box<dyn std::error::Error>>;

/// An orchestrator with two agents that read a text and charge a token for each character.
pub(crate) async fn with_readers() -> Result<UniversalOrchestrator, Box<dyn std::error::Error>> {
    let orchestrator = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .start()
        .await?;
    for capability in ["logs", "metrics"] {
        let reader = agent_fn(|text: String, context: TaskContext| async move {
            context.charge(Amount::tokens(text.len() as u64))?;
            Ok::<_, AgentError>(text.lines().count())
        });
        let spec = AgentSpec::new(capability, AgentRole::Specialist).capabilities([capability]);
        orchestrator.register_agent(spec.in_process(reader)).await?;
    }
    Ok(orchestrator)
}

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

const GUIDE: &str = include_str!("../../../../docs/orchestration-guide.md");

#[test]
fn every_rust_block_is_run() {
    let sources = [
        include_str!("patterns.rs"),
        include_str!("registered.rs"),
        include_str!("resilience.rs"),
        include_str!("start.rs"),
        include_str!("workflow.rs"),
    ];
    let sources: Vec<_> = sources.into_iter().map(lines_only).collect();
    let mut count = 0;
    for (language, line, code) in blocks(GUIDE) {
        assert!(
            ["rust", "text", "toml", "sh"].contains(&&*language),
            "line {line}: {language:?}"
        );
        if language == "rust" {
            count += 1;
            let code = lines_only(&code);
            assert!(
                sources.iter().any(|s| s.contains(&code)),
                "no test runs the block of line {line}:\n{code}"
            );
        }
    }
    assert!(count >= 12, "only {count} blocks of Rust were found");
}

#[test]
fn every_link_leads_to_a_file() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/orchestration-guide.md");
    let links = GUIDE
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    let files = links.map(|(link, _)| link.split('#').next().unwrap_or(""));
    for file in files.filter(|f| !f.is_empty() && !f.contains("://")) {
        assert!(page.with_file_name(file).exists(), "{file} leads nowhere");
    }
}
