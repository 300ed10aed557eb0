//! What kind of value a step takes and gives.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// The deepest that lists and records may nest within a declared type; what lies deeper is [`ValueType::Any`].
pub const TYPE_DEPTH_MAX: usize = 16;

/// What kind of value a step takes or gives, declared so that a workflow can be checked before it runs.
///
/// Written in a file, a type is a name (`"text"`, `"number"`, `"integer"`, `"boolean"`, `"any"`), a name with a question mark for a value that may be
/// missing (`"text?"`), a list with one type in it (`["text"]`), or a table of fields (`{ id = "text", score = "number" }`).
///
/// ```
/// use serde_json::json;
/// use universal_orchestrator_patterns::ValueType;
/// let finding = ValueType::record([("id", ValueType::Text), ("score", ValueType::Number)]);
/// assert!(finding.check(&json!({"id": "f-1", "score": 3})).is_ok());
/// let misfit = finding.check(&json!({"id": 7, "score": 3})).unwrap_err();
/// assert_eq!(misfit.to_string(), "field id is an integer where text is declared");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ValueType {
    /// Anything, checked by nobody.
    #[default]
    Any,
    /// A string.
    Text,
    /// A number with or without a fraction.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// A list of values of one type.
    List(Box<ValueType>),
    /// Named fields; a value may have more than those declared.
    Record(BTreeMap<String, ValueType>),
    /// A value that may be missing, which is null.
    Optional(Box<ValueType>),
}

/// Where a value is not of the type that was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Field by field, with `[]` for the element of a list; empty when it is the value itself.
    path: Vec<String>,
    expected: String,
    found: String,
}

impl Misfit {
    fn new(expected: &ValueType, found: impl fmt::Display) -> Self {
        Self {
            path: Vec::new(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Whether it is the value itself, and not a part of it.
    pub(super) fn is_itself(&self) -> bool {
        self.path.is_empty()
    }

    fn within(mut self, place: &str) -> Self {
        self.path.insert(0, place.to_owned());
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => f.write_str("it")?,
            false => write!(f, "field {}", self.path.join("."))?,
        }
        write!(
            f,
            " is {} where {} is declared",
            with_article(&self.found),
            self.expected
        )
    }
}

impl std::error::Error for Misfit {}

fn with_article(kind: &str) -> String {
    match kind {
        "integer" => "an integer".to_owned(),
        "number" | "boolean" => format!("a {kind}"),
        _ => kind.to_owned(),
    }
}

impl ValueType {
    /// A list of values of one type.
    #[must_use]
    pub fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    /// A record with these fields.
    #[must_use]
    pub fn record<K: Into<String>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Record(fields.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    /// The same, but it may be missing.
    #[must_use]
    pub fn optional(self) -> Self {
        match self {
            Self::Any | Self::Optional(_) => self,
            other => Self::Optional(Box::new(other)),
        }
    }

    /// The same, where it is not missing.
    pub(super) fn present(&self) -> &Self {
        match self {
            Self::Optional(inner) => inner.present(),
            other => other,
        }
    }

    /// Whether a value is of this type.
    ///
    /// # Errors
    /// [`Misfit`] says where it is not.
    pub fn check(&self, value: &Value) -> Result<(), Misfit> {
        match (self, value) {
            (Self::Any, _)
            | (Self::Text, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Optional(_), Value::Null) => Ok(()),
            (Self::Optional(inner), value) => inner.check(value),
            (Self::Integer, Value::Number(n)) if n.is_i64() || n.is_u64() => Ok(()),
            (Self::List(of), Value::Array(values)) => {
                let each = values.iter().map(|value| of.check(value));
                each.collect::<Result<(), _>>().map_err(|m| m.within("[]"))
            }
            (Self::Record(fields), Value::Object(values)) => {
                for (name, of) in fields {
                    let value = values.get(name).unwrap_or(&Value::Null);
                    of.check(value).map_err(|m| m.within(name))?;
                }
                Ok(())
            }
            (expected, value) => Err(Misfit::new(expected, kind_of(value))),
        }
    }

    /// Whether every value of the other type may stand where this one is declared. A value of any type may: it is checked when it is there.
    pub(super) fn accepts(&self, given: &Self) -> Result<(), Misfit> {
        match (self, given) {
            (Self::Any, _)
            | (_, Self::Any)
            | (Self::Text, Self::Text)
            | (Self::Number, Self::Number | Self::Integer)
            | (Self::Integer, Self::Integer)
            | (Self::Boolean, Self::Boolean) => Ok(()),
            (Self::Optional(wanted), given) => wanted.accepts(given.present()),
            (Self::List(wanted), Self::List(given)) => {
                wanted.accepts(given).map_err(|m| m.within("[]"))
            }
            (Self::Record(wanted), Self::Record(given)) => {
                for (name, of) in wanted {
                    match given.get(name) {
                        Some(found) => of.accepts(found).map_err(|m| m.within(name))?,
                        None if matches!(of, Self::Optional(_) | Self::Any) => {}
                        None => return Err(Misfit::new(of, "missing").within(name)),
                    }
                }
                Ok(())
            }
            (wanted, given) => Err(Misfit::new(wanted, given)),
        }
    }

    /// The type of a constant.
    pub(super) fn of_constant(value: &Value) -> Self {
        Self::of_value(value, TYPE_DEPTH_MAX)
    }

    fn of_value(value: &Value, depth: usize) -> Self {
        match value {
            Value::Null => Self::Optional(Box::new(Self::Any)),
            Value::Bool(_) => Self::Boolean,
            Value::Number(n) if n.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(_) => Self::Text,
            Value::Array(_) | Value::Object(_) if depth == 0 => Self::Any,
            Value::Array(values) => {
                let mut types = values.iter().map(|v| Self::of_value(v, depth - 1));
                let first = types.next().unwrap_or_default();
                Self::list(types.fold(first, |all, one| all.unified(one)))
            }
            Value::Object(values) => Self::record(
                values
                    .iter()
                    .map(|(name, v)| (name.as_str(), Self::of_value(v, depth - 1))),
            ),
        }
    }

    /// A type that both are of.
    pub(super) fn unified(self, other: Self) -> Self {
        if self.accepts(&other).is_ok() && other != Self::Any {
            self
        } else if other.accepts(&self).is_ok() && self != Self::Any {
            other
        } else {
            Self::Any
        }
    }

    /// How deep lists and records nest; no more than one beyond what may be.
    pub(super) fn depth(&self) -> usize {
        let mut level: Vec<&Self> = vec![self];
        for depth in 0..=TYPE_DEPTH_MAX {
            level = level.into_iter().flat_map(Self::parts).collect();
            if level.is_empty() {
                return depth;
            }
        }
        TYPE_DEPTH_MAX + 1
    }

    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::List(of) | Self::Optional(of) => vec![of],
            Self::Record(fields) => fields.values().collect(),
            _ => Vec::new(),
        }
    }
}

/// The word for a value as it is.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "missing",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a record",
    }
}

/// The words of the field; long records are cut.
impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FIELDS_SHOWN: usize = 8;
        match self {
            Self::Any => f.write_str("any"),
            Self::Text => f.write_str("text"),
            Self::Number => f.write_str("number"),
            Self::Integer => f.write_str("integer"),
            Self::Boolean => f.write_str("boolean"),
            Self::List(of) => write!(f, "list of {of}"),
            Self::Optional(of) => write!(f, "{of} that may be missing"),
            Self::Record(fields) => {
                f.write_str("record {")?;
                for (at, (name, of)) in fields.iter().take(FIELDS_SHOWN).enumerate() {
                    let gap = if at == 0 { " " } else { ", " };
                    write!(f, "{gap}{name}: {of}")?;
                }
                let more = if fields.len() > FIELDS_SHOWN {
                    ", …"
                } else {
                    ""
                };
                write!(f, "{more} }}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_fit_what_is_declared() {
        let of = ValueType::record([
            ("n", ValueType::Number),
            ("tags", ValueType::list(ValueType::Text)),
            ("note", ValueType::Text.optional()),
        ]);
        let cases = [
            (json!({"n": 1.5, "tags": [], "more": 1}), None),
            (json!({"n": 1, "tags": ["a"], "note": null}), None),
            (
                json!({"n": 1, "tags": ["a", 2]}),
                Some("field tags.[] is an integer where text is declared"),
            ),
            (
                json!({"n": 1}),
                Some("field tags is missing where list of text is declared"),
            ),
            (
                json!([]),
                Some(
                    "it is a list where record { n: number, note: text that may be missing, tags: list of text } is declared",
                ),
            ),
        ];
        for (value, misfit) in cases {
            let found = of.check(&value).err().map(|m| m.to_string());
            assert_eq!(found.as_deref(), misfit, "{value}");
        }
        assert!(ValueType::Integer.check(&json!(1.0)).is_err());
    }

    #[test]
    fn a_type_accepts_what_is_narrower() {
        let text = ValueType::Text;
        assert!(ValueType::Number.accepts(&ValueType::Integer).is_ok());
        assert!(ValueType::Integer.accepts(&ValueType::Number).is_err());
        assert!(text.accepts(&ValueType::Any).is_ok());
        assert!(text.accepts(&text.clone().optional()).is_err());
        assert!(text.clone().optional().accepts(&text).is_ok());
        let wide = ValueType::record([("a", ValueType::Text), ("b", ValueType::Text)]);
        let narrow = ValueType::record([("a", ValueType::Text)]);
        assert!(narrow.accepts(&wide).is_ok());
        assert_eq!(
            wide.accepts(&narrow).unwrap_err().to_string(),
            "field b is missing where text is declared"
        );
    }

    #[test]
    fn constants_have_a_type() {
        let cases = [
            (json!([1, 2]), ValueType::list(ValueType::Integer)),
            (json!([1, 2.5]), ValueType::list(ValueType::Number)),
            (json!([1, "a"]), ValueType::list(ValueType::Any)),
            (
                json!({"a": true}),
                ValueType::record([("a", ValueType::Boolean)]),
            ),
        ];
        for (value, of) in cases {
            assert_eq!(ValueType::of_constant(&value), of, "{value}");
        }
    }
}
