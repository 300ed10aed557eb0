//! What somebody asks: a structured request or free text, with everything found, how surely, and where it stood.
//!
//! Nothing is invented: what is not written is not there, and a name that was read is a name, no finding.

mod extract;
mod names;
mod structured;
mod text;
mod time_phrase;
mod time_range;
mod words;

pub use time_range::{TimeRange, instant};

pub(crate) use structured::resource_of;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::Resource;

/// Bytes of a request at most.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Entries of each list of a request at most; further ones are counted in a note.
pub const REQUEST_ENTRIES_MAX: usize = 200;

/// Something that was found in a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found<T> {
    /// What it is.
    pub value: T,
    /// How surely it was read as what it is, 0 to 1: 0.95 an ARN or id, 0.9 a key made for it, 0.85 a marked name in a text,
    /// 0.7 a text under a key that is not known, 0.6 a plain word beside a type. It says nothing about a cause.
    pub confidence: f64,
    /// Where it stood.
    pub place: Place,
}

/// A place in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Bytes of the text.
    Text {
        /// The first.
        start: usize,
        /// The one after the last.
        end: usize,
    },
    /// A value of the JSON, as a JSON pointer (RFC 6901).
    Key(String),
}

/// How pressing the request says it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// It can wait.
    Low,
    /// Soon.
    High,
    /// Now.
    Critical,
}

/// A request, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// Resources that were named.
    pub targets: Vec<Found<Resource>>,
    /// Ids of traces, in the form of AWS X-Ray.
    pub trace_ids: Vec<Found<String>>,
    /// Error messages and phrases.
    pub errors: Vec<Found<String>>,
    /// The time that it is about.
    pub time_range: Option<Found<TimeRange>>,
    /// How pressing it is.
    pub urgency: Option<Found<Urgency>>,
    /// Further keys and values.
    pub context: BTreeMap<String, Value>,
    /// What was left out or could not be read.
    pub notes: Vec<String>,
}

/// Why a request cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It is too long.
    #[error("the request has {bytes} bytes, at most {REQUEST_BYTES_MAX} are read; cut it")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It holds no JSON object.
    #[error(
        "the request is no JSON object: {0}; expected {{\"primary_targets\": [{{\"type\": …, \"name\": …}}], \"trace_ids\": […], \"error_messages\": […], \"time_range\": …, \"context\": {{…}}}}"
    )]
    Json(#[source] serde_json::Error),
    /// A key holds something else than it should.
    #[error("{pointer} is {found}; it should be {expected}")]
    Shape {
        /// Where, as a JSON pointer.
        pointer: String,
        /// What stands there, cut short.
        found: String,
        /// What should.
        expected: &'static str,
    },
}

impl Request {
    /// Reads a structured request; see `docs/investigation.md` for its keys and the older forms that are understood.
    ///
    /// `now` is the time of the request in seconds since 1970; it gives "the last hour" its meaning.
    ///
    /// # Errors
    ///
    /// It is too long, holds no JSON object, or a key has a value of another shape.
    ///
    /// # Examples
    ///
    /// ```
    /// use universal_orchestrator_investigation::Request;
    ///
    /// let request = Request::from_json(r#"{"function_name": "pay", "time_range": "last 2 hours"}"#, 7_200.0)?;
    /// assert_eq!(request.targets[0].value.name, "pay");
    /// assert_eq!(request.time_range.unwrap().value.start, 0.0);
    /// # Ok::<(), universal_orchestrator_investigation::RequestError>(())
    /// ```
    pub fn from_json(json: &str, now: f64) -> Result<Self, RequestError> {
        bounded(json)?;
        structured::read(json, now)
    }

    /// Reads free text.
    ///
    /// # Errors
    ///
    /// It is too long.
    ///
    /// # Examples
    ///
    /// ```
    /// use universal_orchestrator_investigation::Request;
    ///
    /// let request = Request::from_text("lambda `pay` timed out since 14:30", 1_763_740_800.0)?;
    /// assert_eq!(request.targets[0].value.name, "pay");
    /// assert_eq!(request.errors[0].value, "timed out");
    /// # Ok::<(), universal_orchestrator_investigation::RequestError>(())
    /// ```
    pub fn from_text(text: &str, now: f64) -> Result<Self, RequestError> {
        bounded(text)?;
        let mut request = Self::default();
        text::read(text, now, &text::Origin::Text, &mut request);
        request.note_overflow();
        Ok(request)
    }

    /// Whether nothing was found that could be investigated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.trace_ids.is_empty() && self.errors.is_empty()
    }

    fn note_overflow(&mut self) {
        fn cut<T>(list: &mut Vec<T>, what: &str, notes: &mut Vec<String>) {
            if list.len() > REQUEST_ENTRIES_MAX {
                let left_out = list.len() - REQUEST_ENTRIES_MAX;
                list.truncate(REQUEST_ENTRIES_MAX);
                notes.push(format!(
                    "{left_out} more {what} of the request are left out"
                ));
            }
        }
        cut(&mut self.targets, "targets", &mut self.notes);
        cut(&mut self.trace_ids, "trace ids", &mut self.notes);
        cut(&mut self.errors, "errors", &mut self.notes);
    }
}

fn bounded(text: &str) -> Result<(), RequestError> {
    match text.len() {
        bytes if bytes > REQUEST_BYTES_MAX => Err(RequestError::TooLong { bytes }),
        _ => Ok(()),
    }
}
