//! Takes secrets out of texts before they are written, logged or shown.

use std::borrow::Cow;

use regex::{Regex, RegexSet};
use serde_json::{Map, Value};
use universal_orchestrator::plugin::PluginError;

use crate::config::fault;

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";
/// Deeper JSON is replaced as a whole.
const DEPTH_MAX: usize = 128;
/// Memory of one compiled pattern of the configuration, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Parts of names whose values are secrets. A name that ends in `token` is one too; `max_tokens` is not.
const SENSITIVE: &str = r"authorization|password|passwd|passphrase|secret|api[_-]?key|apikey|access[_-]?key|private[_-]?key|credential|cookie";

/// Built-in patterns with their replacements, in the order in which they are applied.
fn built_in() -> [(String, &'static str); 8] {
    [
        (
            r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)".to_owned(),
            REDACTED,
        ),
        // A URL with a user part: scheme://user:password@host.
        (
            r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@]+@".to_owned(),
            "${1}[redacted]@",
        ),
        (
            r#"(?i)(authorization["']?\s*[:=]\s*["']?)[^\r\n"']+"#.to_owned(),
            "${1}[redacted]",
        ),
        (
            r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{4,}".to_owned(),
            "${1}[redacted]",
        ),
        (
            format!(
                r#"(?i)((?:[A-Za-z0-9_-]*(?:{SENSITIVE})[A-Za-z0-9_-]*|[A-Za-z0-9_-]*token)["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;&}}\])"']+)"#
            ),
            "${1}[redacted]",
        ),
        // A JSON Web Token.
        (
            r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?".to_owned(),
            REDACTED,
        ),
        // Keys of well-known services, by their beginnings.
        (
            r"\b(?:sk|pk|rk|ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[abprs]|AKIA|ASIA|AIza)[_-]?[A-Za-z0-9_-]{12,}".to_owned(),
            REDACTED,
        ),
        // A token of this plugin: id, full stop, 43 characters of base64url.
        (
            r"[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{43}\b".to_owned(),
            REDACTED,
        ),
    ]
}

/// Takes secrets out of texts and JSON.
///
/// It knows shapes, not meanings: a secret without a telling name or shape stays. `redact_patterns` adds shapes.
#[derive(Debug)]
pub struct Redactor {
    any: RegexSet,
    each: Vec<(Regex, Cow<'static, str>)>,
    sensitive_name: Regex,
}

impl Redactor {
    /// With patterns besides the built-in ones.
    ///
    /// # Errors
    /// [`PluginError::Section`] names a pattern that is no regular expression, or is too large.
    pub fn new(patterns: &[String]) -> Result<Self, PluginError> {
        let mut all: Vec<(String, Cow<'static, str>)> = Vec::new();
        for pattern in patterns {
            all.push((pattern.clone(), Cow::Borrowed(REDACTED)));
        }
        for (pattern, replacement) in built_in() {
            all.push((pattern, Cow::Borrowed(replacement)));
        }
        let refuse = |pattern: &str, error: regex::Error| {
            let text = format!(
                "redact_patterns: {pattern:?}: {error}; write a regular expression of the regex crate"
            );
            fault(text)
        };
        let compile = |pattern: &str| {
            let mut builder = regex::RegexBuilder::new(pattern);
            builder.size_limit(PATTERN_BYTES_MAX).build()
        };
        let mut each = Vec::with_capacity(all.len());
        for (pattern, replacement) in &all {
            let regex = compile(pattern).map_err(|error| refuse(pattern, error))?;
            if regex.is_match("") {
                let text =
                    format!("redact_patterns: {pattern:?} matches the empty text: narrow it");
                return Err(fault(text));
            }
            each.push((regex, replacement.clone()));
        }
        let any = RegexSet::new(all.iter().map(|(pattern, _)| pattern))
            .map_err(|error| refuse("all of them together", error))?;
        let name = format!("(?i)(?:{SENSITIVE})|token$");
        let sensitive_name = compile(&name).map_err(|error| refuse(&name, error))?;
        Ok(Self {
            any,
            each,
            sensitive_name,
        })
    }

    /// The text without what looks like a secret.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.any.is_match(text) {
            return Cow::Borrowed(text);
        }
        let mut clean = Cow::Borrowed(text);
        // One replacement can uncover nothing that another would have found before it, but a later one may see what an earlier one left.
        for (regex, replacement) in &self.each {
            if let Cow::Owned(next) = regex.replace_all(&clean, replacement.as_ref()) {
                clean = Cow::Owned(next);
            }
        }
        clean
    }

    /// The value with every secret text, and everything under a name that says secret, replaced.
    #[must_use]
    pub fn json(&self, value: &Value) -> Value {
        self.json_below(value, DEPTH_MAX)
    }

    fn json_below(&self, value: &Value, left: usize) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text).into_owned()),
            Value::Array(_) | Value::Object(_) if left == 0 => Value::String(REDACTED.to_owned()),
            Value::Array(items) => {
                let clean = items.iter().map(|item| self.json_below(item, left - 1));
                Value::Array(clean.collect())
            }
            Value::Object(entries) => {
                let clean = entries.iter().map(|(name, value)| {
                    let value = match self.sensitive_name.is_match(name) {
                        true => Value::String(REDACTED.to_owned()),
                        false => self.json_below(value, left - 1),
                    };
                    (self.text(name).into_owned(), value)
                });
                Value::Object(clean.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
