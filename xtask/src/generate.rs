//! `cargo xtask gen`: documents that code writes, so that they cannot disagree with it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A document's path below the root, and the function that writes its text.
pub(crate) type Document = (&'static str, fn() -> String);

/// Every generated document; a generator is a function of the crate whose facts it tells.
pub(crate) const DOCUMENTS: &[Document] = &[
    (
        "docs/configuration.md",
        universal_orchestrator::config::configuration_markdown,
    ),
    ("docs/configuration.schema.json", configuration_schema),
    ("docs/investigation.schema.json", report_schema),
    ("docs/metrics.md", universal_orchestrator::metrics::markdown),
];

fn configuration_schema() -> String {
    format!("{:#}", universal_orchestrator::config::json_schema())
}

fn report_schema() -> String {
    format!(
        "{:#}",
        universal_orchestrator_investigation::report_schema()
    )
}

/// Writes the documents, or with `check` compares them and fails when one differs.
pub(crate) fn run(root: &Path, documents: &[Document], check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for (path, generator) in documents {
        let generated = with_final_newline(generator());
        let committed = read(&root.join(path))?;
        if committed.as_deref() == Some(generated.as_str()) {
            continue;
        }
        if check {
            stale.push(difference(path, committed.as_deref(), &generated));
        } else {
            write(&root.join(path), &generated)?;
            println!("wrote {path}");
        }
    }
    if stale.is_empty() {
        println!("generated documents: {} up to date", documents.len());
        return Ok(());
    }
    bail!(
        "generated documents differ, run `cargo xtask gen` and commit the result\n{}",
        stale.join("\n")
    )
}

fn with_final_newline(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// Describes the first line at which the texts part.
fn difference(path: &str, committed: Option<&str>, generated: &str) -> String {
    let Some(committed) = committed else {
        return format!("{path}: the file is missing");
    };
    let mut old = committed.split('\n');
    let mut new = generated.split('\n');
    let mut line = 1;
    loop {
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => line += 1,
            (old, new) => {
                let old = old.unwrap_or("(end of file)");
                let new = new.unwrap_or("(end of file)");
                return format!("{path}:{line}\n  committed: {old}\n  generated: {new}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: &[Document] = &[("docs/deep/table.md", || "one\ntwo\nthree".to_owned())];

    #[test]
    fn writes_then_finds_the_document_up_to_date() {
        let root = tempfile::tempdir().unwrap();
        run(root.path(), DOCUMENTS, false).unwrap();
        let text = fs::read_to_string(root.path().join("docs/deep/table.md")).unwrap();
        assert_eq!(text, "one\ntwo\nthree\n");
        run(root.path(), DOCUMENTS, true).unwrap();
    }

    #[test]
    fn check_fails_on_a_missing_document_and_writes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let error = run(root.path(), DOCUMENTS, true).unwrap_err().to_string();
        assert!(
            error.contains("docs/deep/table.md: the file is missing"),
            "{error}"
        );
        assert!(!root.path().join("docs").exists());
    }

    #[test]
    fn check_names_the_first_line_that_differs() {
        let root = tempfile::tempdir().unwrap();
        run(root.path(), DOCUMENTS, false).unwrap();
        let path = root.path().join("docs/deep/table.md");
        fs::write(&path, "one\n2\nthree\n").unwrap();
        let error = run(root.path(), DOCUMENTS, true).unwrap_err().to_string();
        assert!(
            error.contains("docs/deep/table.md:2\n  committed: 2\n  generated: two"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n2\nthree\n");
    }

    #[test]
    fn check_sees_a_truncated_document() {
        let text = difference("a.md", Some("one\n"), "one\ntwo\n");
        assert_eq!(text, "a.md:2\n  committed: \n  generated: two");
    }
}
