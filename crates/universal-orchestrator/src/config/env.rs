//! The environment as a layer: `UO_QUEUE__MAX_TASKS=10` is `queue.max_tasks = 10`.

use std::ffi::OsString;

use serde_json::Value as Json;
use toml::{Table, Value};

use crate::id::shortened;

use super::{
    ConfigError,
    load::{merge, to_json},
    shape::{self, Kind, Shape},
    suggest,
};

const PREFIX: &str = "UO_";
const SEPARATOR: &str = "__";

/// Variables of the project's programs that share the prefix and name no key: where the binaries keep their data, and the limits of
/// `cargo bench --bench sla`.
pub(super) const NOT_CONFIGURATION: [&str; 2] = ["UO_DATA_DIR", "UO_SLA_FILE"];

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !NOT_CONFIGURATION.contains(&name)
}

/// Gives the environment variable of a path.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', SEPARATOR))
}

/// Reads the variables of this process that start with `UO_`.
pub(super) fn of_process() -> Result<Vec<(String, String)>, ConfigError> {
    // `std::env::vars` would panic on one that is not Unicode, even on one that is none of ours.
    only_ours(std::env::vars_os())
}

pub(super) fn only_ours(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    variables
        .into_iter()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
        // A name that is not Unicode is no exempt one, and is refused below.
        .filter(|(name, _)| name.to_str().is_none_or(is_ours))
        .map(|(name, value)| Ok((unicode(&name, name.clone())?, unicode(&name, value)?)))
        .collect()
}

fn unicode(name: &OsString, text: OsString) -> Result<String, ConfigError> {
    text.into_string().map_err(|bytes| {
        let value = format!("{bytes:?}");
        ConfigError::invalid(name.to_string_lossy(), value, "write it in UTF-8")
    })
}

/// Turns variables into a layer; those that do not start with `UO_` are not ours, nor are the exempt ones.
pub(super) fn table(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Table, ConfigError> {
    let mut ours: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, _)| is_ours(name))
        .collect();
    // A section as a whole comes before its keys, so that the more specific variable wins whatever
    // the order.
    ours.sort_by_key(|(name, _)| (name.matches(SEPARATOR).count(), name.clone()));
    let mut layer = Table::new();
    for (name, raw) in ours {
        let (path, shape) = resolve(&name)?;
        let value =
            parse(shape, &path.join("."), &raw).map_err(|problem| problem.in_variable(&name))?;
        merge(&mut layer, nest(&path, value));
    }
    Ok(layer)
}

/// Finds the key that a variable names. Map keys, such as tenants, come out in lower case.
fn resolve(name: &str) -> Result<(Vec<String>, &'static Shape), ConfigError> {
    let unknown = || ConfigError::UnknownVariable {
        name: shortened(name, 80),
        suggestion: suggest::nearest_variable(name),
    };
    let rest = name.strip_prefix(PREFIX).ok_or_else(unknown)?;
    // Two spellings of one key would leave open which wins.
    if rest.chars().any(char::is_lowercase) {
        return Err(unknown());
    }
    let path: Vec<String> = rest.split(SEPARATOR).map(str::to_lowercase).collect();
    let mut shape = shape::root();
    for key in &path {
        shape = shape
            .child(key)
            .filter(|_| !key.is_empty())
            .ok_or_else(unknown)?;
    }
    Ok((path, shape))
}

/// Reads a value as the type that its key takes. Text is taken as it stands, everything else as
/// TOML.
fn parse(shape: &Shape, path: &str, raw: &str) -> Result<Value, ConfigError> {
    let as_text = || Value::String(raw.to_owned());
    let parsed = raw.trim().parse::<Value>();
    let value = match (&shape.kind, parsed) {
        (Kind::Text | Kind::Choice(_), _) => as_text(),
        (_, Ok(value)) => value,
        (Kind::Anything, Err(_)) => as_text(),
        (_, Err(_)) => {
            let found = shape::describe(&Json::String(raw.to_owned()));
            return Err(shape.wrong_type(path, found));
        }
    };
    shape.check(path, &to_json(&value))?;
    Ok(value)
}

fn nest(path: &[String], value: Value) -> Table {
    let mut table = Table::new();
    if let Some((first, rest)) = path.split_first() {
        let value = if rest.is_empty() {
            value
        } else {
            Value::Table(nest(rest, value))
        };
        table.insert(first.clone(), value);
    }
    table
}
