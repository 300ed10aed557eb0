//! JSON within the text of a model.

use serde_json::Value;

/// The longest text that is looked through, in bytes; the rest is not seen.
pub const JSON_TEXT_BYTES_MAX: usize = 1 << 20;

/// How many places are tried.
const PLACES_MAX: usize = 4_096;

/// The first JSON object or array within a text, for example of a model that was asked for JSON and wrote more.
///
/// A fenced block named `json` comes first. A brace within a string is no end, and a brace that begins no JSON is passed over.
/// `None` when there is none within the first [`JSON_TEXT_BYTES_MAX`] bytes and 4,096 opening brackets.
///
/// ```
/// use serde_json::json;
/// use universal_orchestrator_patterns::json_within;
/// let text = r#"For {x} I found: {"cause": "a } in a string"} and that is all."#;
/// assert_eq!(json_within(text), Some(json!({"cause": "a } in a string"})));
/// ```
#[must_use]
pub fn json_within(text: &str) -> Option<Value> {
    let text = match text
        .char_indices()
        .find(|(at, _)| *at >= JSON_TEXT_BYTES_MAX)
    {
        Some((end, _)) => &text[..end],
        None => text,
    };
    let fenced = text.find("```json").map(|at| &text[at + "```json".len()..]);
    let fenced = fenced.map(|rest| rest.split("```").next().unwrap_or(rest));
    let whole = || first_in(text);
    // The block may itself hold a fence within a string; then the whole text has the answer.
    fenced.and_then(first_in).or_else(whole)
}

fn first_in(text: &str) -> Option<Value> {
    let opening = text.match_indices(['{', '[']).take(PLACES_MAX);
    let value_at = |(at, _)| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        values.next()?.ok()
    };
    opening.filter_map(value_at).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_are_found_where_they_are() {
        let cases = [
            (r#"{"a": "}"}"#, json!({"a": "}"})),
            (r#"{x} then {"a": 1}"#, json!({"a": 1})),
            (
                r#"[{"a": 1}, {"a": 2}] trailing"#,
                json!([{"a": 1}, {"a": 2}]),
            ),
            ("see [1] first\n```json\n{\"a\": 1}\n```", json!({"a": 1})),
            (r#"{"a": "\"}{"} {"b": 2}"#, json!({"a": "\"}{"})),
            ("```json\n{\"a\": \"```\"}\n```", json!({"a": "```"})),
        ];
        for (text, value) in cases {
            assert_eq!(json_within(text), Some(value), "{text}");
        }
        for text in ["", "{", "no", "{'a': 1}", "7", "\"{\""] {
            assert_eq!(json_within(text), None, "{text}");
        }
    }

    #[test]
    fn hostile_texts_end() {
        assert_eq!(json_within(&"[".repeat(100_000)), None);
        assert_eq!(json_within(&"{\"a\":".repeat(20_000)), None);
        let late = format!("{}{{}}", " ".repeat(JSON_TEXT_BYTES_MAX));
        assert_eq!(json_within(&late), None);
    }

    proptest! {
        #[test]
        fn any_text_is_looked_through(text in ".{0,400}") {
            let _ = json_within(&text);
        }

        #[test]
        fn a_value_is_found_behind_prose(prose in "[a-z ,.:\\{]{0,60}", key in ".{0,20}", text in ".{0,40}") {
            let value = json!({ key: text });
            prop_assert_eq!(json_within(&format!("{prose} {value} end")), Some(value));
        }
    }
}
