//! A full configuration file: every key with its default.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{
    Mode, OrchestratorConfig,
    load::table_of,
    shape::{self, Kind, Shape},
};

/// Gives a TOML file that says every default aloud and therefore changes nothing.
///
/// Keys that are unset by default, and tables whose name the reader chooses, are commented out with
/// `#` and no space after it; taking the `#` away gives valid TOML.
#[must_use]
pub fn configuration_example() -> String {
    let defaults = defaults_of(Mode::Production);
    let mut text = String::new();
    write_table(&mut text, "", shape::root(), Some(&defaults));
    text
}

/// The defaults of a mode as a table. They are constants that a test writes and reads again.
pub(super) fn defaults_of(mode: Mode) -> Table {
    table_of(&OrchestratorConfig::for_mode(mode)).unwrap_or_default()
}

/// Writes one table: its own keys first, as TOML demands, then the tables in it.
fn write_table(text: &mut String, path: &str, table: &Shape, defaults: Option<&Table>) {
    let Kind::Table { fields, rest } = &table.kind else {
        return;
    };
    let mark = if defaults.is_some() { "" } else { "#" };
    if !path.is_empty() {
        text.push_str(&format!("# {}\n{mark}[{path}]\n", table.text));
    }
    for (key, shape) in fields.iter().filter(|(_, shape)| !shape.is_table()) {
        text.push_str(&format!("# {}\n", first_sentence(&shape.text)));
        let line = match defaults.and_then(|defaults| defaults.get(key)) {
            Some(value) => format!("{key} = {}\n", literal(value)),
            None => format!("#{key} = {}\n", sample(shape)),
        };
        text.push_str(&line);
    }
    text.push('\n');
    for (key, shape) in fields.iter().filter(|(_, shape)| shape.is_table()) {
        let below = defaults
            .and_then(|defaults| defaults.get(key))
            .and_then(Value::as_table);
        write_table(text, &shape::join(path, key), shape, below);
    }
    if let Some(rest) = rest.as_deref().filter(|rest| rest.is_table()) {
        write_table(text, &shape::join(path, "example"), rest, None);
    }
}

/// Writes a value as TOML, with large integers in groups.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Integer(number) => shape::grouped(&number.to_string()),
        other => other.to_string(),
    }
}

/// A value to show for a key without a default.
fn sample(shape: &Shape) -> String {
    match &shape.example {
        Some(Json::Number(number)) => shape::grouped(&number.to_string()),
        Some(example) => example.to_string(),
        None => String::new(),
    }
}

/// The first sentence of a text, without what follows a semicolon.
fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").unwrap_or(text.len());
    let sentence = text.get(..end).unwrap_or(text);
    let clause = sentence.split("; ").next().unwrap_or(sentence);
    clause.trim_end_matches('.')
}
