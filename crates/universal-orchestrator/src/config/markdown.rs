//! The reference of the configuration, rendered from schema and defaults.

use toml::{Table, Value};

use super::{
    Mode, env,
    example::{configuration_example, defaults_of, literal},
    load::difference,
    shape::{self, Kind, Shape},
};

const INTRODUCTION: &str = "\
<!-- Generated from the doc comments of the configuration types; edit those. -->

# Configuration

Every key, with its type, its default, its environment variable and its effect.
All durations are whole milliseconds and end in `_ms`; none is longer than 31_536_000_000, which is 365 days.

Later sources win: the defaults of the production mode, the defaults of the chosen mode, the TOML file, the environment.
A mode only changes defaults, so a key that is written always wins over it, wherever `mode` stands.

An unknown key is an error, and so are a value of the wrong type, one outside its limits, and an unknown environment variable that starts with `UO_`.
Two such variables are no keys and are left alone: `UO_DATA_DIR`, where programs keep their data, and `UO_SLA_FILE`, the limits of `cargo bench --bench sla`.

`OrchestratorConfig::load` reads file and environment; `from_toml_file`, `from_toml_str` and `start` do not read the environment.

In the environment, two underscores stand between section and key: `UO_QUEUE__MAX_TASKS=10`.
Text is taken as it stands, numbers and booleans as in TOML, arrays and tables as inline TOML: `UO_PLUGINS__REQUIRED='[\"security\"]'`.
A table is laid over the other sources key by key; an array replaces what was there.
A `<NAME>` in a variable comes out in lower case; for other names write the table: `UO_QUEUE__TENANT_WEIGHTS='{ Acme = 3 }'`.

";

/// Renders the reference of all keys as markdown, with the table of modes and a full example.
///
/// It is the same on every call and machine.
#[must_use]
pub fn configuration_markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    write_modes(&mut text);
    let defaults = defaults_of(Mode::Production);
    text.push_str("## Top level\n\n");
    write_keys(&mut text, "", shape::root(), Some(&defaults));
    shape::root().visit("", &mut |path, shape| {
        if shape.is_table() {
            text.push_str(&format!("## `[{path}]`\n\n{}\n\n", shape.text));
            write_keys(&mut text, path, shape, table_at(&defaults, path));
        }
    });
    text.push_str(&format!(
        "## Full example\n\nThis file says every default aloud and therefore changes nothing.\n\
         Keys without a default are commented out.\n\n```toml\n{}\n```\n",
        configuration_example().trim_end()
    ));
    text
}

/// Writes the table of the keys that differ between modes.
fn write_modes(text: &mut String) {
    let production = defaults_of(Mode::Production);
    let mut changed = Table::new();
    for mode in Mode::ALL {
        super::load::merge(&mut changed, difference(&production, &defaults_of(mode)));
    }
    changed.remove("mode");
    let names: Vec<String> = Mode::ALL.iter().map(|mode| format!("`{mode}`")).collect();
    text.push_str(&format!(
        "## Modes\n\n`mode` changes these defaults and nothing else.\n\n| key | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    ));
    let mut paths = Vec::new();
    leaves(&changed, "", &mut paths);
    for path in paths {
        let cells: Vec<String> = Mode::ALL
            .iter()
            .map(|mode| default_cell(value_at(&defaults_of(*mode), &path)))
            .collect();
        text.push_str(&format!("| `{path}` | {} |\n", cells.join(" | ")));
    }
    text.push('\n');
}

fn leaves(table: &Table, path: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let below = shape::join(path, key);
        match value {
            Value::Table(table) => leaves(table, &below, found),
            _ => found.push(below),
        }
    }
}

fn write_keys(text: &mut String, path: &str, table: &Shape, defaults: Option<&Table>) {
    let Kind::Table { fields, .. } = &table.kind else {
        return;
    };
    let rows: Vec<_> = fields
        .iter()
        .filter(|(_, shape)| !shape.is_table())
        .collect();
    if rows.is_empty() {
        return;
    }
    text.push_str("| key | type | default | environment | effect |\n|---|---|---|---|---|\n");
    for (key, shape) in rows {
        text.push_str(&format!(
            "| `{key}` | {} | {} | `{}` | {} |\n",
            type_name(shape),
            default_cell(defaults.and_then(|defaults| defaults.get(key))),
            env::variable(&shape::join(path, key)),
            shape.text.replace('|', "\\|"),
        ));
    }
    text.push('\n');
}

fn type_name(shape: &Shape) -> String {
    match &shape.kind {
        Kind::Boolean => "boolean".to_owned(),
        Kind::Integer(_) => "integer".to_owned(),
        Kind::Number(_) => "number".to_owned(),
        Kind::Text | Kind::Choice(_) => "string".to_owned(),
        Kind::List(item) => format!("array of {}", type_name(item)),
        Kind::Table {
            rest: Some(rest), ..
        } => format!("table of {}", type_name(rest)),
        Kind::Table { .. } => "table".to_owned(),
        Kind::Anything => "any".to_owned(),
    }
}

fn default_cell(value: Option<&Value>) -> String {
    match value {
        Some(value) => format!("`{}`", literal(value)),
        None => "unset".to_owned(),
    }
}

fn value_at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((first, rest)) => value_at(table.get(first)?.as_table()?, rest),
        None => table.get(path),
    }
}

fn table_at<'a>(table: &'a Table, path: &str) -> Option<&'a Table> {
    value_at(table, path)?.as_table()
}
