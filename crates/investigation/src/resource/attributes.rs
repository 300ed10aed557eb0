//! What is known about a resource besides its name, under whatever spelling it was given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Attributes of one resource, for example the answer of `aws lambda get-function-configuration`.
///
/// Keys are found in any spelling: `VisibilityTimeout`, `visibility_timeout` and `visibility-timeout` are one.
///
/// # Examples
///
/// ```
/// use universal_orchestrator_investigation::Attributes;
///
/// let attributes: Attributes = serde_json::from_str(r#"{"VisibilityTimeout": "30"}"#)?;
/// assert_eq!(attributes.number(&["visibility_timeout"]), Some(30.0));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes {
    values: BTreeMap<String, Value>,
}

impl Attributes {
    /// Sets one attribute. A value that is there already stays.
    pub fn insert(&mut self, key: &str, value: Value) {
        if self.get(&[key]).is_none() {
            self.values.insert(key.to_owned(), value);
        }
    }

    /// Takes over what the other has and this has not.
    pub fn merge(&mut self, other: &Self) {
        for (key, value) in &other.values {
            self.insert(key, value.clone());
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Keys and values as they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (&**key, value))
    }

    /// The value of the first of the names that is there and not null.
    #[must_use]
    pub fn get(&self, names: &[&str]) -> Option<&Value> {
        names.iter().find_map(|name| {
            let own = self.values.get(*name);
            own.or_else(|| {
                let mut all = self.values.iter();
                all.find(|(key, _)| same(key, name)).map(|(_, value)| value)
            })
            .filter(|value| !value.is_null())
        })
    }

    /// A finite number, also one that is written as text, as many AWS answers do.
    #[must_use]
    pub fn number(&self, names: &[&str]) -> Option<f64> {
        let number = match self.get(names)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    /// A text.
    #[must_use]
    pub fn text(&self, names: &[&str]) -> Option<&str> {
        self.get(names)?.as_str()
    }

    /// Yes or no, also as text.
    #[must_use]
    pub fn flag(&self, names: &[&str]) -> Option<bool> {
        match self.get(names)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    /// A document: an object, or one that is written as text, as policies are.
    #[must_use]
    pub fn document(&self, names: &[&str]) -> Option<Value> {
        match self.get(names)? {
            Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object),
            value => Some(value.clone()).filter(Value::is_object),
        }
    }
}

fn same(key: &str, name: &str) -> bool {
    let letters = |text: &'_ str| -> Vec<u8> {
        let all = text.bytes().filter(u8::is_ascii_alphanumeric);
        all.map(|byte| byte.to_ascii_lowercase()).collect()
    };
    letters(key) == letters(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_spelling_finds_its_value_and_nothing_is_guessed() {
        let attributes: Attributes = serde_json::from_value(json!({
            "Timeout": 3, "VisibilityTimeout": "30", "Tracing-Enabled": "TRUE", "memory_mb": null,
            "Policy": "{\"Statement\": []}", "Bad": "{", "Much": "1e999"
        }))
        .unwrap();
        assert_eq!(
            attributes.number(&["timeout_seconds", "timeout"]),
            Some(3.0)
        );
        assert_eq!(attributes.number(&["visibility_timeout"]), Some(30.0));
        assert_eq!(attributes.flag(&["tracing_enabled"]), Some(true));
        assert_eq!(attributes.number(&["memory_mb"]), None);
        assert_eq!(attributes.number(&["much"]), None);
        assert_eq!(
            attributes.document(&["policy"]),
            Some(json!({"Statement": []}))
        );
        assert_eq!(attributes.document(&["bad"]), None);
    }

    #[test]
    fn what_is_there_already_stays() {
        let mut attributes = Attributes::default();
        attributes.insert("Timeout", json!(3));
        let mut other = Attributes::default();
        other.insert("timeout", json!(5));
        other.insert("memory", json!(128));
        attributes.merge(&other);
        assert_eq!(attributes.iter().count(), 2);
        assert_eq!(attributes.number(&["timeout"]), Some(3.0));
    }
}
