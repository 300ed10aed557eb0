//! Where an input is read from.

use std::fmt;

use serde_json::Value;

/// The longest reference, in bytes.
const BYTES_MAX: usize = 1_024;

/// A value that an input is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) root: Root,
    pub(super) fields: Vec<String>,
}

/// Where a reference begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    /// The workflow's input.
    Input,
    /// What a step gave.
    Step(String),
    /// The element of a fan-out.
    Item,
    /// Its place in the list, from 0.
    Index,
    /// What the iteration before gave.
    Last,
    /// The number of the iteration, from 1.
    Iteration,
}

const ROOTS: [&str; 6] = ["input", "steps", "item", "index", "last", "iteration"];

impl Reference {
    /// Reads a reference; what is wrong with it and what to write instead otherwise.
    pub(super) fn parse(text: &str) -> Result<Self, (String, String)> {
        if text.len() > BYTES_MAX {
            let said = format!("a reference of {} bytes", text.len());
            return Err((said, format!("write at most {BYTES_MAX} bytes")));
        }
        let mut parts = text.split('.');
        let first = parts.next().unwrap_or_default();
        let mut fields: Vec<String> = parts.map(str::to_owned).collect();
        if fields.iter().any(String::is_empty) {
            let said = format!("the reference {text:?} has an empty part");
            return Err((said, "write names with one dot between them".to_owned()));
        }
        let root = match first {
            "input" => Root::Input,
            "steps" if fields.is_empty() => {
                let said = "the reference \"steps\" names no step".to_owned();
                return Err((said, "write steps.NAME".to_owned()));
            }
            "steps" => Root::Step(fields.remove(0)),
            "item" => Root::Item,
            "index" => Root::Index,
            "last" => Root::Last,
            "iteration" => Root::Iteration,
            _ => {
                let said = format!(
                    "the reference {text:?} begins with none of {}",
                    ROOTS.join(", ")
                );
                let remedy =
                    "write input.FIELD or steps.NAME.FIELD, or set the value under constants";
                return Err((said, remedy.to_owned()));
            }
        };
        Ok(Self { root, fields })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Input => f.write_str("input")?,
            Root::Step(name) => write!(f, "steps.{name}")?,
            Root::Item => f.write_str("item")?,
            Root::Index => f.write_str("index")?,
            Root::Last => f.write_str("last")?,
            Root::Iteration => f.write_str("iteration")?,
        }
        self.fields
            .iter()
            .try_for_each(|field| write!(f, ".{field}"))
    }
}

/// The value at the end of a path; `None` when it is missing or nothing has such a field.
pub(super) fn at_path<'v>(value: &'v Value, fields: &[String]) -> Option<&'v Value> {
    let mut found = value;
    for field in fields {
        found = found.get(field.as_str())?;
    }
    Some(found)
}
