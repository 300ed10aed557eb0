//! The JSON schema of the configuration.

use serde_json::Value;

use super::OrchestratorConfig;

/// Gives the JSON schema of the configuration: types, limits, defaults and the text of each key.
///
/// It is the same on every call and machine: object keys are sorted whatever features the build
/// unified.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(OrchestratorConfig).to_value();
    schema.sort_all_objects();
    unwrap_lines(&mut schema);
    schema
}

/// Joins the lines of doc comments, whose breaks belong to the source and not to the text.
fn unwrap_lines(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            if let Some(Value::String(text)) = entries.get_mut("description") {
                let paragraphs = text.split("\n\n");
                let paragraphs: Vec<String> = paragraphs.map(one_line).collect();
                *text = paragraphs.join("\n\n");
            }
            entries.values_mut().for_each(unwrap_lines);
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_lines),
        _ => {}
    }
}

fn one_line(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
