//! Depth and keys of a payload.

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMuch {
    Depth,
    Keys,
}

/// Checks a value against both limits, and looks no further than they reach.
pub(crate) fn check(value: &Value, depth_max: usize, keys_max: usize) -> Result<(), TooMuch> {
    let mut keys_left = keys_max;
    below(value, depth_max, &mut keys_left)
}

fn below(value: &Value, depth_left: usize, keys_left: &mut usize) -> Result<(), TooMuch> {
    match value {
        Value::Array(items) => {
            let depth_left = depth_left.checked_sub(1).ok_or(TooMuch::Depth)?;
            items
                .iter()
                .try_for_each(|item| below(item, depth_left, keys_left))
        }
        Value::Object(entries) => {
            let depth_left = depth_left.checked_sub(1).ok_or(TooMuch::Depth)?;
            *keys_left = keys_left.checked_sub(entries.len()).ok_or(TooMuch::Keys)?;
            entries
                .values()
                .try_for_each(|item| below(item, depth_left, keys_left))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_are_inclusive() {
        let nested = json!({"a": [{"b": 1}], "c": 2});
        for (depth, keys, expected) in [
            (3, 3, Ok(())),
            (2, 3, Err(TooMuch::Depth)),
            (3, 2, Err(TooMuch::Keys)),
        ] {
            assert_eq!(check(&nested, depth, keys), expected, "{depth} {keys}");
        }
        assert_eq!(check(&json!("text"), 0, 0), Ok(()));
    }
}
