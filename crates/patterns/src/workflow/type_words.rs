//! How a type is written in a file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::workflow::value_type::ValueType;

const WORDS: &str = "text, number, integer, boolean or any";

impl<'de> Deserialize<'de> for ValueType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = ValueType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a type: {WORDS}, a list with one type, or a table of fields"
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ValueType, E> {
        let (word, may_be_missing) = match text.strip_suffix('?') {
            Some(word) => (word, true),
            None => (text, false),
        };
        let found = match word {
            "any" => ValueType::Any,
            "text" => ValueType::Text,
            "number" => ValueType::Number,
            "integer" => ValueType::Integer,
            "boolean" => ValueType::Boolean,
            other => return Err(E::custom(unknown(other))),
        };
        Ok(match may_be_missing {
            true => found.optional(),
            false => found,
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ValueType, A::Error> {
        let of = list.next_element()?.ok_or_else(|| {
            A::Error::custom("a list type without the type of its elements; write [\"text\"]")
        })?;
        if list.next_element::<ValueType>()?.is_some() {
            let text =
                "a list type with more than one type; write [\"any\"] for a list of anything";
            return Err(A::Error::custom(text));
        }
        Ok(ValueType::list(of))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<ValueType, A::Error> {
        let mut found = BTreeMap::new();
        while let Some((name, of)) = fields.next_entry::<String, ValueType>()? {
            if found.contains_key(&name) {
                return Err(A::Error::custom(format!("field {name} is declared twice")));
            }
            found.insert(name, of);
        }
        Ok(ValueType::Record(found))
    }
}

fn unknown(word: &str) -> String {
    let remedy = match word {
        "string" | "str" => "write text".to_owned(),
        "int" | "i64" | "long" => "write integer".to_owned(),
        "float" | "double" | "decimal" => "write number".to_owned(),
        "bool" => "write boolean".to_owned(),
        "list" | "array" => "write the type of its elements in brackets, as [\"text\"]".to_owned(),
        "record" | "object" | "table" | "map" => {
            "write its fields, as { id = \"text\" }".to_owned()
        }
        _ => format!("write {WORDS}, [\"text\"] for a list, or a table of fields"),
    };
    format!("unknown type \"{word}\"; {remedy}")
}

impl Serialize for ValueType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let word = match self {
            Self::Any => "any",
            Self::Text => "text",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Optional(of) => match &**of {
                Self::Text => "text?",
                Self::Number => "number?",
                Self::Integer => "integer?",
                Self::Boolean => "boolean?",
                // A list or record that may be missing has no word of its own.
                _ => "any",
            },
            Self::List(of) => {
                let mut list = serializer.serialize_seq(Some(1))?;
                list.serialize_element(of)?;
                return list.end();
            }
            Self::Record(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, of) in fields {
                    map.serialize_entry(name, of)?;
                }
                return map.end();
            }
        };
        serializer.serialize_str(word)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_read_as_it_is_written() {
        let written = json!({"a": "text?", "b": [{"c": "integer"}], "d": "any"});
        let read: ValueType = serde_json::from_value(written.clone()).expect("it is a type");
        assert_eq!(serde_json::to_value(&read).expect("it is JSON"), written);
    }

    #[test]
    fn an_unknown_word_says_what_to_write() {
        let cases = [
            (json!("string"), "unknown type \"string\"; write text"),
            (
                json!("list"),
                "unknown type \"list\"; write the type of its elements in brackets, as [\"text\"]",
            ),
            (
                json!([]),
                "a list type without the type of its elements; write [\"text\"]",
            ),
            (
                json!(["text", "any"]),
                "a list type with more than one type; write [\"any\"] for a list of anything",
            ),
        ];
        for (written, said) in cases {
            let error = serde_json::from_value::<ValueType>(written).unwrap_err();
            assert_eq!(error.to_string(), said);
        }
    }
}
