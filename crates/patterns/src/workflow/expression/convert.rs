//! JSON as values of an expression, by their declared types.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value as CelValue;
use cel::objects::{Key, Map};
use serde_json::Value;

use crate::workflow::value_type::{TYPE_DEPTH_MAX, ValueType};

/// The most values that one evaluation reads, and the most bytes of text.
const VALUES_MAX: usize = 100_000;
const TEXT_BYTES_MAX: usize = 4 << 20;
/// How deep the values may nest.
const DEPTH_MAX: usize = 64;

const _: () = assert!(
    TYPE_DEPTH_MAX <= DEPTH_MAX,
    "what can be declared can be read"
);

/// How much has been converted so far.
#[derive(Debug, Default)]
pub(super) struct Converted {
    values: usize,
    text_bytes: usize,
}

impl Converted {
    /// A value; a number that is declared to be one has a fraction, whatever is written.
    pub(super) fn value(&mut self, of: &ValueType, value: &Value) -> Result<CelValue, String> {
        self.nested(of.present(), value, 0)
    }

    fn nested(&mut self, of: &ValueType, value: &Value, depth: usize) -> Result<CelValue, String> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(format!(
                "the expression reads more than {VALUES_MAX} values; compute what it needs in a step"
            ));
        }
        if depth > DEPTH_MAX {
            return Err(format!(
                "the expression reads values nested deeper than {DEPTH_MAX} levels; compute what it needs in a step"
            ));
        }
        Ok(match value {
            Value::Null => CelValue::Null,
            Value::Bool(yes) => CelValue::Bool(*yes),
            Value::Number(number) => match (of, number.as_i64(), number.as_u64()) {
                (ValueType::Number, ..) => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
                (_, Some(integer), _) => CelValue::Int(integer),
                (_, None, Some(large)) => CelValue::UInt(large),
                (_, None, None) => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => {
                self.text_bytes = self.text_bytes.saturating_add(text.len());
                if self.text_bytes > TEXT_BYTES_MAX {
                    return Err(format!(
                        "the expression reads more than {TEXT_BYTES_MAX} bytes of text; compute what it needs in a step"
                    ));
                }
                CelValue::String(Arc::new(text.clone()))
            }
            Value::Array(values) => {
                let of = match of {
                    ValueType::List(of) => of.present(),
                    _ => &ValueType::Any,
                };
                let each = values.iter().map(|v| self.nested(of, v, depth + 1));
                CelValue::List(Arc::new(each.collect::<Result<_, _>>()?))
            }
            Value::Object(fields) => {
                let mut map = HashMap::with_capacity(fields.len());
                for (name, value) in fields {
                    let of = match of {
                        ValueType::Record(types) => types.get(name).map(ValueType::present),
                        _ => None,
                    };
                    let value = self.nested(of.unwrap_or(&ValueType::Any), value, depth + 1)?;
                    map.insert(Key::String(Arc::new(name.clone())), value);
                }
                CelValue::Map(Map { map: Arc::new(map) })
            }
        })
    }
}

/// A record of named values.
pub(super) fn record(fields: impl IntoIterator<Item = (String, CelValue)>) -> CelValue {
    let fields = fields.into_iter();
    let map = fields.map(|(name, value)| (Key::String(Arc::new(name)), value));
    CelValue::Map(Map {
        map: Arc::new(map.collect()),
    })
}
