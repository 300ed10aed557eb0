//! Names one request.

use std::fmt;
use std::sync::Arc;

use universal_orchestrator::{IdError, Key};

/// The longest name of a request in bytes. Shorter than other names: names of runs are made of it.
pub const REQUEST_BYTES_MAX: usize = 200;

/// Names one request.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Parses a text: 1 to [`REQUEST_BYTES_MAX`] bytes, no control characters.
    ///
    /// # Errors
    /// [`IdError`] names what is wrong with the text.
    pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
        const KIND: &str = "request id";
        let text = text.as_ref();
        if text.len() > REQUEST_BYTES_MAX {
            return Err(IdError::TooLong {
                kind: KIND,
                bytes: text.len(),
                max: REQUEST_BYTES_MAX,
            });
        }
        // The rules of the core's names, under this name.
        Key::new(text).map_err(|error| match error {
            IdError::Empty { .. } => IdError::Empty { kind: KIND },
            IdError::ControlCharacter { character, at, .. } => IdError::ControlCharacter {
                kind: KIND,
                character,
                at,
            },
            other => other,
        })?;
        Ok(Self(text.into()))
    }

    /// A name for a request that has none.
    pub(super) fn of_trace(trace_id: u128) -> Self {
        Self(format!("{trace_id:032x}").into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_value_and_the_remedy() {
        let error = |text: &str| RequestId::new(text).unwrap_err().to_string();
        assert_eq!(
            error(""),
            "request id is empty: give it at least one character"
        );
        assert_eq!(
            error(&"x".repeat(201)),
            "request id has 201 bytes, the limit is 200: shorten it"
        );
        assert_eq!(
            error("a\u{7}"),
            "request id holds the control character '\\u{7}' at byte 1: remove it"
        );
        assert_eq!(RequestId::new("r").unwrap().as_str(), "r");
    }
}
