//! The schema as a tree that can be walked: what each key takes, and what its text says.
//!
//! Everything that must know "all keys" reads this tree: the check, the suggestions, the
//! environment, the reference.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::Value;

use super::{ConfigError, schema::json_schema, suggest};

/// What one key takes.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// The doc comment of the key, on one line.
    pub(super) text: String,
    /// A value to show where the default is "unset".
    pub(super) example: Option<Value>,
    /// Whether the key may be unset.
    pub(super) optional: bool,
}

/// The type of a value, as far as a configuration knows types.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Boolean,
    Integer(Limits),
    Number(Limits),
    Text,
    Choice(Vec<String>),
    List(Box<Shape>),
    Table {
        fields: BTreeMap<String, Shape>,
        /// What keys take that are not in `fields`; such keys are errors when there is none.
        rest: Option<Box<Shape>>,
    },
    Anything,
}

/// Inclusive limits of a number. All limits in use are below 2^53, where `f64` is exact.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
}

/// The shape of the whole configuration. It never changes, so two orchestrators in one process may
/// share it.
pub(super) fn root() -> &'static Shape {
    static ROOT: LazyLock<Shape> = LazyLock::new(|| {
        let schema = json_schema();
        Shape::read(&schema, &schema["$defs"])
    });
    &ROOT
}

impl Shape {
    fn read(schema: &Value, defs: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
            let mut shape = Self::read(&defs[name], defs);
            if let Some(text) = text_of(schema) {
                shape.text = text;
            }
            return shape;
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let kind = match types.iter().find(|name| **name != "null") {
            _ if schema["oneOf"].is_array() => Kind::Choice(names_of(&schema["oneOf"])),
            Some(&"boolean") => Kind::Boolean,
            Some(&"integer") => Kind::Integer(Limits::read(schema)),
            Some(&"number") => Kind::Number(Limits::read(schema)),
            Some(&"string") => Kind::Text,
            Some(&"array") => Kind::List(Box::new(Self::read(&schema["items"], defs))),
            Some(&"object") => Self::read_table(schema, defs),
            _ => Kind::Anything,
        };
        Self {
            kind,
            text: text_of(schema).unwrap_or_default(),
            example: schema["examples"].get(0).cloned(),
            optional: types.contains(&"null"),
        }
    }

    fn read_table(schema: &Value, defs: &Value) -> Kind {
        let fields = schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), Self::read(value, defs)))
            .collect();
        let rest = match &schema["additionalProperties"] {
            Value::Bool(false) => None,
            other => Some(Box::new(Self::read(other, defs))),
        };
        Kind::Table { fields, rest }
    }

    /// What a key below this one takes.
    pub(super) fn child(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Table { fields, rest } => fields.get(key).or(rest.as_deref()),
            Kind::Anything => Some(self),
            _ => None,
        }
    }

    /// Checks a value and everything below it against types, limits and known keys.
    pub(super) fn check(&self, path: &str, value: &Value) -> Result<(), ConfigError> {
        // A configuration built in code shows an unset key as null, and a number that is not finite
        // as well.
        if value.is_null() && self.optional {
            return Ok(());
        }
        match (&self.kind, value) {
            (Kind::Anything, _) | (Kind::Boolean, Value::Bool(_)) => Ok(()),
            (Kind::Text, Value::String(_)) => Ok(()),
            (Kind::Integer(limits), Value::Number(number)) if !number.is_f64() => {
                self.check_limits(path, *limits, value)
            }
            (Kind::Number(limits), Value::Number(_)) => self.check_limits(path, *limits, value),
            (Kind::Choice(names), Value::String(name)) => {
                if names.contains(name) {
                    return Ok(());
                }
                let remedy = format!("write {}", self.expected());
                Err(ConfigError::invalid(path, describe(value), remedy))
            }
            (Kind::List(item), Value::Array(items)) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| item.check(&format!("{path}[{index}]"), value)),
            (Kind::Table { fields, .. }, Value::Object(entries)) => {
                entries.iter().try_for_each(|(key, value)| {
                    let below = join(path, key);
                    match self.child(key) {
                        Some(shape) => shape.check(&below, value),
                        None if value.is_object() => Err(suggest::unknown_table(path, key, fields)),
                        None => Err(suggest::unknown_key(path, key, fields)),
                    }
                })
            }
            _ => Err(self.wrong_type(path, describe(value))),
        }
    }

    fn check_limits(&self, path: &str, limits: Limits, value: &Value) -> Result<(), ConfigError> {
        if value.as_f64().is_some_and(|number| limits.contain(number)) {
            return Ok(());
        }
        Err(ConfigError::OutOfRange {
            path: path.to_owned(),
            expected: self.expected(),
            found: describe(value),
        })
    }

    pub(super) fn wrong_type(&self, path: &str, found: String) -> ConfigError {
        ConfigError::WrongType {
            path: path.to_owned(),
            expected: self.expected(),
            found,
        }
    }

    fn expected(&self) -> String {
        match &self.kind {
            Kind::Boolean => "true or false".to_owned(),
            Kind::Integer(limits) => format!("an integer{}", limits.sentence()),
            Kind::Number(limits) => format!("a number{}", limits.sentence()),
            Kind::Text => "a string in quotes".to_owned(),
            Kind::Choice(names) => format!("one of {}", names.join(", ")),
            Kind::List(item) => format!("an array, each entry {}", item.expected()),
            Kind::Table { .. } => "a table".to_owned(),
            Kind::Anything => "a value".to_owned(),
        }
    }

    /// Visits every key below this one, tables before what they hold.
    pub(super) fn visit<'a>(&'a self, path: &str, visitor: &mut impl FnMut(&str, &'a Self)) {
        let Kind::Table { fields, rest } = &self.kind else {
            return;
        };
        for (key, shape) in fields {
            let below = join(path, key);
            visitor(&below, shape);
            shape.visit(&below, visitor);
        }
        if let Some(rest) = rest.as_deref().filter(|rest| rest.is_table()) {
            let below = join_raw(path, "<name>");
            visitor(&below, rest);
            rest.visit(&below, visitor);
        }
    }

    /// Whether this is a table with keys of its own, unlike one whose keys are all free.
    pub(super) fn is_table(&self) -> bool {
        match &self.kind {
            Kind::Table { fields, rest } => {
                !fields.is_empty() || rest.as_deref().is_some_and(Self::is_table)
            }
            _ => false,
        }
    }
}

impl Limits {
    fn read(schema: &Value) -> Self {
        Self {
            min: schema["minimum"].as_f64(),
            max: schema["maximum"].as_f64(),
        }
    }

    fn contain(self, number: f64) -> bool {
        number.is_finite()
            && self.min.is_none_or(|min| number >= min)
            && self.max.is_none_or(|max| number <= max)
    }

    fn sentence(self) -> String {
        let text = |limit: f64| grouped(&limit.to_string());
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" from {} to {}", text(min), text(max)),
            (Some(min), None) => format!(" of {} or more", text(min)),
            (None, Some(max)) => format!(" of {} or less", text(max)),
            (None, None) => String::new(),
        }
    }
}

/// Appends a key to a path, in quotes where TOML needs them.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    join_raw(path, &shorten(&key))
}

/// Appends a key to a path as it is, for placeholders.
pub(super) fn join_raw(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Writes a number as TOML lets people write it: `1_048_576`.
pub(super) fn grouped(plain: &str) -> String {
    let (whole, fraction) = match plain.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (plain, String::new()),
    };
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push('_');
        }
        text.push(digit);
    }
    text + &fraction
}

/// Names a value in an error text, without flooding it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "not a finite number".to_owned(),
        Value::String(text) => shorten(&format!("{text:?}")),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        plain => plain.to_string(),
    }
}

fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn names_of(choices: &Value) -> Vec<String> {
    let choices = choices.as_array().into_iter().flatten();
    choices
        .filter_map(|choice| choice["const"].as_str().map(str::to_owned))
        .collect()
}

fn text_of(schema: &Value) -> Option<String> {
    Some(schema["description"].as_str()?.to_owned())
}
