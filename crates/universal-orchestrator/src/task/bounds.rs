//! Size and depth of JSON.

use serde_json::Value;

/// Counts the JSON size of a value and its depth until one passes its limit.
///
/// The size is that of compact JSON without escapes: a lower bound of the serialised size, exact for texts without control characters and quotes.
pub(crate) fn json_bounds(
    value: &Value,
    bytes_max: usize,
    depth_max: usize,
) -> Result<(), BoundsExceeded> {
    let mut bytes = 0usize;
    measure(value, depth_max, bytes_max, &mut bytes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoundsExceeded {
    Bytes(usize),
    Depth,
}

fn measure(
    value: &Value,
    depth_left: usize,
    max: usize,
    bytes: &mut usize,
) -> Result<(), BoundsExceeded> {
    *bytes += match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number_bytes(number),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.len().saturating_sub(1) + 2,
        Value::Object(entries) => {
            entries.len().saturating_sub(1) + 2 + entries.keys().map(|k| k.len() + 3).sum::<usize>()
        }
    };
    if *bytes > max {
        return Err(BoundsExceeded::Bytes(*bytes));
    }
    match value {
        Value::Array(items) => {
            let left = depth_left.checked_sub(1).ok_or(BoundsExceeded::Depth)?;
            items.iter().try_for_each(|v| measure(v, left, max, bytes))
        }
        Value::Object(entries) => {
            let left = depth_left.checked_sub(1).ok_or(BoundsExceeded::Depth)?;
            entries
                .values()
                .try_for_each(|v| measure(v, left, max, bytes))
        }
        _ => Ok(()),
    }
}

fn number_bytes(number: &serde_json::Number) -> usize {
    if let Some(n) = number.as_u64() {
        return n.checked_ilog10().map_or(1, |digits| digits as usize + 1);
    }
    number.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn size_of_json_is_that_of_compact_text() {
        for value in [
            json!(null),
            json!([1, 22, -3, 4.5]),
            json!({"a": [true, false], "bc": "text"}),
            json!({}),
            json!([]),
        ] {
            let mut bytes = 0;
            measure(&value, 10, usize::MAX, &mut bytes).unwrap();
            assert_eq!(bytes, value.to_string().len(), "{value}");
        }
    }

    #[test]
    fn depth_counts_containers() {
        let value = json!([[[1]]]);
        assert_eq!(json_bounds(&value, 100, 3), Ok(()));
        assert_eq!(json_bounds(&value, 100, 2), Err(BoundsExceeded::Depth));
        assert_eq!(
            json_bounds(&json!("abcdef"), 7, 2),
            Err(BoundsExceeded::Bytes(8))
        );
    }
}
