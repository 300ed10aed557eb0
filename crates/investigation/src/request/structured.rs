//! Structured requests, and the older forms of the same.

use serde_json::{Map, Value};
use universal_orchestrator_patterns::json_within;

use super::text::{self, EXACT, Origin};
use super::time_range::{TimeRange, epoch, instant};
use super::{Found, Place, Request, RequestError, Urgency, extract, time_phrase, words};
use crate::resource::{Arn, Attributes, Resource};

/// Confidence of what stands under a key made for it.
const KEYED: f64 = 0.9;
/// Depth of keys that are no target of ours and are read as text.
const DEPTH_MAX: usize = 16;

/// Reads the JSON of a request, also within text.
pub(super) fn read(json: &str, now: f64) -> Result<Request, RequestError> {
    let value = match serde_json::from_str::<Value>(json) {
        Ok(value @ Value::Object(_)) => value,
        // `json` that is another value, or has text around it.
        other => match json_within(json) {
            Some(value @ Value::Object(_)) => value,
            _ => return Err(RequestError::Json(no_object(other))),
        },
    };
    let mut reader = Reader {
        now,
        region: None,
        request: Request::default(),
    };
    if let Value::Object(object) = &value {
        reader.object(object, "", 0)?;
    }
    let Reader {
        mut request,
        region,
        ..
    } = reader;
    for target in &mut request.targets {
        target.value.region = target.value.region.take().or_else(|| region.clone());
    }
    request.note_overflow();
    Ok(request)
}

fn no_object(parsed: Result<Value, serde_json::Error>) -> serde_json::Error {
    use serde::de::Error;
    match parsed {
        Err(error) => error,
        Ok(_) => serde_json::Error::custom("it is a value of another type"),
    }
}

struct Reader {
    now: f64,
    /// The region for all targets that have none.
    region: Option<String>,
    request: Request,
}

impl Reader {
    fn object(
        &mut self,
        object: &Map<String, Value>,
        at: &str,
        depth: usize,
    ) -> Result<(), RequestError> {
        for (key, value) in object {
            let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            if value.is_null() {
                continue;
            }
            match &**key {
                "primary_targets" | "targets" | "resources" => self.targets(value, &pointer)?,
                "investigation_target" | "target" => self.target(value, &pointer)?,
                "function_name" => {
                    let name = text_of(value, &pointer)?;
                    self.add(Resource::named("lambda_function", name), KEYED, &pointer);
                }
                "trace_ids" | "trace_id" | "xray_trace_id" | "xray_trace_ids" => {
                    self.trace_ids(value, &pointer)?
                }
                "error_messages" | "error_message" | "errors" => {
                    for (pointer, message) in texts(value, &pointer)? {
                        self.arns_of(&message, &pointer);
                        self.request.errors.push(Found {
                            value: message,
                            confidence: KEYED,
                            place: Place::Key(pointer),
                        });
                    }
                }
                "time_range" | "time" => self.time_range(value, &pointer)?,
                "region" => self.region = Some(text_of(value, &pointer)?.to_owned()),
                "urgency" | "priority" => self.urgency(value, &pointer)?,
                "free_text_input" | "free_text" | "text" | "description" | "input"
                    if value.is_string() =>
                {
                    let text = text_of(value, &pointer)?.to_owned();
                    // A text may be a request itself; else it is read as text.
                    match serde_json::from_str::<Value>(&text) {
                        Ok(Value::Object(inner)) if depth < DEPTH_MAX => {
                            self.object(&inner, &pointer, depth + 1)?
                        }
                        _ => text::read(&text, self.now, &Origin::Key(pointer), &mut self.request),
                    }
                }
                "investigation_inputs" | "investigation" | "input" => match value {
                    Value::Object(inner) if depth < DEPTH_MAX => {
                        self.object(inner, &pointer, depth + 1)?
                    }
                    Value::String(text) => {
                        text::read(text, self.now, &Origin::Key(pointer), &mut self.request);
                    }
                    other => return Err(shape(&pointer, other, "an object or a text")),
                },
                // How to reach AWS is nobody's business here.
                "service_config" => self
                    .request
                    .notes
                    .push(format!("{pointer} is not used: nothing is read from AWS")),
                "context" => match value {
                    Value::Object(context) => {
                        for (key, value) in context {
                            self.further(key, value, &format!("{pointer}/{key}"), depth);
                        }
                    }
                    other => self.further("context", other, &pointer, depth),
                },
                _ => self.further(key, value, &pointer, depth),
            }
        }
        Ok(())
    }

    /// A key that is not known: kept as context, its texts are read as texts.
    fn further(&mut self, key: &str, value: &Value, pointer: &str, depth: usize) {
        self.texts_within(value, pointer, depth);
        self.request.context.insert(key.to_owned(), value.clone());
    }

    fn texts_within(&mut self, value: &Value, pointer: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::String(text) => {
                text::read(
                    text,
                    self.now,
                    &Origin::Key(pointer.to_owned()),
                    &mut self.request,
                );
            }
            Value::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    self.texts_within(value, &format!("{pointer}/{at}"), depth + 1);
                }
            }
            Value::Object(values) => {
                for (key, value) in values {
                    self.texts_within(value, &format!("{pointer}/{key}"), depth + 1);
                }
            }
            _ => {}
        }
    }

    fn targets(&mut self, value: &Value, pointer: &str) -> Result<(), RequestError> {
        match value {
            Value::Array(targets) => targets
                .iter()
                .enumerate()
                .try_for_each(|(at, target)| self.target(target, &format!("{pointer}/{at}"))),
            other => self.target(other, pointer),
        }
    }

    fn target(&mut self, value: &Value, pointer: &str) -> Result<(), RequestError> {
        let resource = resource_of(value, pointer)?;
        let confidence = if resource.arn.is_some() { EXACT } else { KEYED };
        self.add(resource, confidence, pointer);
        Ok(())
    }

    fn add(&mut self, resource: Resource, confidence: f64, pointer: &str) {
        self.request.targets.push(Found {
            value: resource.from_source("request"),
            confidence,
            place: Place::Key(pointer.to_owned()),
        });
    }

    /// Error messages name resources too.
    fn arns_of(&mut self, message: &str, pointer: &str) {
        for (_, arn) in extract::arns(message) {
            self.add(Resource::of_arn(&arn), EXACT, pointer);
        }
    }

    fn trace_ids(&mut self, value: &Value, pointer: &str) -> Result<(), RequestError> {
        for (pointer, text) in texts(value, pointer)? {
            let found = extract::trace_ids(&text);
            if found.is_empty() {
                self.request.notes.push(format!(
                    "{pointer}: {:?} is no trace id of the form 1-8 hex-24 hex",
                    text.chars().take(80).collect::<String>()
                ));
            }
            for (_, id) in found {
                if !self.request.trace_ids.iter().any(|known| known.value == id) {
                    self.request.trace_ids.push(Found {
                        value: id,
                        confidence: EXACT,
                        place: Place::Key(pointer.clone()),
                    });
                }
            }
        }
        Ok(())
    }

    /// A phrase, or `{"start", "end"}` with ISO 8601 or seconds since 1970; without an end, until now.
    fn time_range(&mut self, value: &Value, pointer: &str) -> Result<(), RequestError> {
        let expected = "a time: {\"start\", \"end\"} in ISO 8601 or seconds since 1970, or words such as \"last 2 hours\"";
        let refuse = |value: &Value| shape(pointer, value, expected);
        let range = match value {
            Value::String(text) => time_phrase::time_range(&words::words(text), self.now)
                .map(|(_, range)| range)
                .or_else(|| Some(TimeRange::between(instant(text)?, self.now))),
            Value::Object(object) => {
                let point = |names: [&str; 2]| -> Result<Option<f64>, RequestError> {
                    match names.iter().find_map(|name| object.get(*name)) {
                        None | Some(Value::Null) => Ok(None),
                        Some(Value::Number(number)) => Ok(number.as_f64().and_then(epoch)),
                        Some(Value::String(text)) => {
                            instant(text).map(Some).ok_or_else(|| refuse(value))
                        }
                        Some(_) => Err(refuse(value)),
                    }
                };
                let (start, end) = (point(["start", "from"])?, point(["end", "to"])?);
                start.map(|start| TimeRange::between(start, end.unwrap_or(self.now)))
            }
            _ => None,
        };
        self.request.time_range = Some(Found {
            value: range.ok_or_else(|| refuse(value))?,
            confidence: KEYED,
            place: Place::Key(pointer.to_owned()),
        });
        Ok(())
    }

    fn urgency(&mut self, value: &Value, pointer: &str) -> Result<(), RequestError> {
        let urgency = match &*text_of(value, pointer)?.to_ascii_lowercase() {
            "critical" => Urgency::Critical,
            "high" => Urgency::High,
            "low" => Urgency::Low,
            "medium" | "normal" => return Ok(()),
            _ => return Err(shape(pointer, value, "one of critical, high, medium, low")),
        };
        self.request.urgency = Some(Found {
            value: urgency,
            confidence: KEYED,
            place: Place::Key(pointer.to_owned()),
        });
        Ok(())
    }
}

/// `{"type", "name", "region", "arn", "metadata"}`, all but one of name and ARN optional; or an ARN; or a name.
pub(crate) fn resource_of(value: &Value, pointer: &str) -> Result<Resource, RequestError> {
    let object = match value {
        Value::String(text) => {
            return match text.parse::<Arn>() {
                Ok(arn) => Ok(Resource::of_arn(&arn)),
                Err(_) if text.is_empty() => Err(shape(pointer, value, "an ARN or a name")),
                Err(_) => Ok(Resource::named("application", &**text)),
            };
        }
        Value::Object(object) => object,
        other => {
            return Err(shape(
                pointer,
                other,
                "a target: an object, an ARN or a name",
            ));
        }
    };
    let field = |name: &str| -> Result<Option<&str>, RequestError> {
        match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => text_of(value, &format!("{pointer}/{name}")).map(Some),
        }
    };
    let arn = match field("arn")? {
        Some(text) => Some(
            text.parse::<Arn>()
                .map_err(|_| shape(&format!("{pointer}/arn"), &Value::from(text), "an ARN"))?,
        ),
        None => None,
    };
    let mut resource = match (&arn, field("name")?) {
        (Some(arn), name) => {
            let mut resource = Resource::of_arn(arn);
            if let Some(name) = name
                && resource.id.is_some()
            {
                resource.name = name.to_owned();
            }
            resource
        }
        (None, Some(name)) => Resource::named("application", name),
        (None, None) => return Err(shape(pointer, value, "a target with `name` or `arn`")),
    };
    if let Some(type_name) = field("type")? {
        resource.type_name = type_name.to_owned();
    }
    for (key, place) in [
        ("id", &mut resource.id),
        ("region", &mut resource.region),
        ("account", &mut resource.account),
        ("stage", &mut resource.stage),
    ] {
        if let Some(text) = field(key)? {
            *place = Some(text.to_owned());
        }
    }
    for key in ["metadata", "attributes"] {
        if let Some(attributes) = object.get(key) {
            let read = serde_json::from_value::<Attributes>(attributes.clone());
            let attributes =
                read.map_err(|_| shape(&format!("{pointer}/{key}"), attributes, "an object"))?;
            resource.attributes.merge(&attributes);
        }
    }
    Ok(resource)
}

fn text_of<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, RequestError> {
    match value.as_str().map(str::trim) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(shape(pointer, value, "a text that is not empty")),
    }
}

/// One text or a list of them, each with its pointer.
fn texts(value: &Value, pointer: &str) -> Result<Vec<(String, String)>, RequestError> {
    match value {
        Value::Array(values) => values
            .iter()
            .enumerate()
            .map(|(at, value)| {
                let pointer = format!("{pointer}/{at}");
                let text = text_of(value, &pointer)?.to_owned();
                Ok((pointer, text))
            })
            .collect(),
        other => Ok(vec![(
            pointer.to_owned(),
            text_of(other, pointer)?.to_owned(),
        )]),
    }
}

fn shape(pointer: &str, found: &Value, expected: &'static str) -> RequestError {
    RequestError::Shape {
        pointer: pointer.to_owned(),
        found: found.to_string().chars().take(80).collect(),
        expected,
    }
}
