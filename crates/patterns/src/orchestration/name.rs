//! Names one orchestration.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use universal_orchestrator::{IdError, Key};

/// Names one orchestration within a facade: 1 to 256 bytes, no control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrchestrationName(Arc<str>);

impl OrchestrationName {
    /// Parses a text.
    ///
    /// # Errors
    /// [`IdError`] names what is wrong with the text.
    pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
        const KIND: &str = "orchestration name";
        let text = text.as_ref();
        // The rules of the core's names, under this name.
        Key::new(text).map_err(|error| match error {
            IdError::Empty { .. } => IdError::Empty { kind: KIND },
            IdError::TooLong { bytes, max, .. } => IdError::TooLong {
                kind: KIND,
                bytes,
                max,
            },
            IdError::ControlCharacter { character, at, .. } => IdError::ControlCharacter {
                kind: KIND,
                character,
                at,
            },
            other => other,
        })?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for OrchestrationName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrchestrationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OrchestrationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for OrchestrationName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
