//! JSON nested so deeply that recursion over it, even its own drop, would overflow the stack.

use serde_json::Value;

use crate::task::{BoundsExceeded, json_bounds};

/// The deepest JSON that may be dropped, cloned or printed by recursion; `tasks.payload_depth_max` cannot be higher.
pub(crate) const DEPTH_MAX: usize = 128;

/// Takes a value that recursion may walk; `None` for a deeper one, which is gone then.
pub(crate) fn walkable(value: Value) -> Option<Value> {
    if is_walkable(&value, DEPTH_MAX) {
        return Some(value);
    }
    dismantle(value);
    None
}

/// Takes a value that is within its bounds; another one is gone then.
pub(crate) fn bounded(
    value: Value,
    bytes_max: usize,
    depth_max: usize,
) -> Result<Value, BoundsExceeded> {
    match json_bounds(&value, bytes_max, depth_max) {
        Ok(()) => Ok(value),
        Err(exceeded) => {
            dismantle(value);
            Err(exceeded)
        }
    }
}

fn is_walkable(value: &Value, left: usize) -> bool {
    let below = left.checked_sub(1);
    let is_fine = |child| below.is_some_and(|left| is_walkable(child, left));
    match value {
        Value::Array(items) => below.is_some() && items.iter().all(is_fine),
        Value::Object(entries) => below.is_some() && entries.values().all(is_fine),
        _ => true,
    }
}

/// Drops a value without recursion.
pub(crate) fn dismantle(value: Value) {
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(entries) => rest.extend(entries.into_iter().map(|(_, child)| child)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn depth_counts_arrays_and_objects() {
        // The macro json! would walk what it is given.
        let of = |value| Value::Array(vec![value]);
        let nested = |levels: usize| {
            (0..levels).fold(json!(1), |value, _| {
                Value::Object([("a".to_owned(), of(value))].into_iter().collect())
            })
        };
        assert!(walkable(nested(DEPTH_MAX / 2)).is_some());
        assert!(walkable(of(nested(DEPTH_MAX / 2))).is_none());
        assert!(walkable(of(nested(50_000))).is_none());
        assert_eq!(bounded(json!([[1]]), 9, 2), Ok(json!([[1]])));
        let refused = bounded(nested(50_000), usize::MAX, 9);
        assert_eq!(refused, Err(BoundsExceeded::Depth));
    }
}
