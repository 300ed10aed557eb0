//! Finding the key that somebody probably meant.

use std::collections::BTreeMap;

use super::{
    ConfigError,
    shape::{self, Shape},
};

/// Endings that say a unit of time. The migration guide's `health_check_interval` means our
/// `health_check_interval_ms`, and so does `health_check_interval_seconds`.
const TIME_UNITS: [&str; 6] = ["_ms", "_millis", "_seconds", "_secs", "_s", "_minutes"];

/// No plugin has a longer name than this.
const NAME_BYTES_MAX: usize = 64;

/// Builds the error for a key that the table at `path` does not have.
pub(super) fn unknown_key(
    path: &str,
    key: &str,
    siblings: &BTreeMap<String, Shape>,
) -> ConfigError {
    ConfigError::UnknownKey {
        path: shape::join(path, key),
        suggestion: nearest_key(path, key, siblings.keys().map(String::as_str)),
        known: siblings.keys().cloned().collect(),
    }
}

/// Builds the error for a table that the table at `path` does not have. At the top it is probably that of a plugin.
pub(super) fn unknown_table(
    path: &str,
    key: &str,
    siblings: &BTreeMap<String, Shape>,
) -> ConfigError {
    let mut error = unknown_key(path, key, siblings);
    if let ConfigError::UnknownKey { suggestion, .. } = &mut error
        && path.is_empty()
        && key.len() <= NAME_BYTES_MAX
    {
        suggestion.get_or_insert_with(|| format!("[{}]", shape::join("plugins", key)));
    }
    error
}

/// Finds the path that comes nearest to `key`: among the keys of the same table, or else anywhere.
fn nearest_key<'a>(
    path: &str,
    key: &str,
    siblings: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let mut candidates: Vec<(String, String)> = siblings
        .map(|sibling| (sibling.to_owned(), shape::join(path, sibling)))
        .collect();
    shape::root().visit("", &mut |path, _| {
        let leaf = path.rsplit('.').next().unwrap_or(path);
        candidates.push((leaf.to_owned(), path.to_owned()));
    });
    nearest(key, candidates).map(|(_, path)| path)
}

/// Finds the environment variable that comes nearest to `name`, forgiving a single `_` for `__`.
pub(super) fn nearest_variable(name: &str) -> Option<String> {
    let flat = |name: &str| name.to_lowercase().replace("__", "_");
    let mut whole = Vec::new();
    let mut leaves = Vec::new();
    shape::root().visit("", &mut |path, _| {
        let variable = super::env::variable(path);
        let leaf = path.rsplit('.').next().unwrap_or(path).to_owned();
        whole.push((flat(&variable), variable.clone()));
        leaves.push((leaf, variable));
    });
    let wanted = flat(name);
    let without_prefix = wanted.strip_prefix("uo_").unwrap_or(&wanted);
    [nearest(&wanted, whole), nearest(without_prefix, leaves)]
        .into_iter()
        .flatten()
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, variable)| variable)
}

/// Picks the answer whose text is nearest, with its distance; of equally near ones the first.
fn nearest(
    wanted: &str,
    candidates: impl IntoIterator<Item = (String, String)>,
) -> Option<(usize, String)> {
    // Longer names cost more than they help, and the distance takes quadratic time.
    const CHARS_MAX: usize = 128;
    let length = wanted.chars().count();
    if length > CHARS_MAX {
        return None;
    }
    let allowed = (length / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|(text, answer)| (distance(wanted, &text), answer))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
}

fn distance(wanted: &str, text: &str) -> usize {
    let whole = strsim::damerau_levenshtein(wanted, text);
    whole.min(strsim::damerau_levenshtein(
        without_unit(wanted),
        without_unit(text),
    ))
}

fn without_unit(name: &str) -> &str {
    TIME_UNITS
        .iter()
        .find_map(|unit| name.strip_suffix(unit))
        .unwrap_or(name)
}
