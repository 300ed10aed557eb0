//! Newtype identifiers, parsed once at the boundary.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// The longest identifier that any newtype of this module accepts, in bytes.
///
/// `tasks.id_bytes_max` may set a lower limit for the ids of tasks and agents.
pub const ID_BYTES_MAX: usize = 256;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("{kind} is empty: give it at least one character")]
    Empty {
        /// What was being parsed, for example `agent id`.
        kind: &'static str,
    },
    /// The text is longer than the limit.
    #[error("{kind} has {bytes} bytes, the limit is {max}: shorten it")]
    TooLong {
        /// What was being parsed.
        kind: &'static str,
        /// Length of the refused text.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The text holds a control character.
    #[error("{kind} holds the control character {character:?} at byte {at}: remove it")]
    ControlCharacter {
        /// What was being parsed.
        kind: &'static str,
        /// The refused character.
        character: char,
        /// Its byte offset.
        at: usize,
    },
}

/// An [`IdError`], whatever the conversion that failed. Lets [`Task::id`](crate::Task::id) and others take ids and texts alike.
#[derive(Debug)]
pub struct IdErrorOrNever(pub(crate) IdError);

impl From<IdError> for IdErrorOrNever {
    fn from(error: IdError) -> Self {
        Self(error)
    }
}

impl From<std::convert::Infallible> for IdErrorOrNever {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

pub(crate) fn check(kind: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong {
            kind,
            bytes: text.len(),
            max: ID_BYTES_MAX,
        });
    }
    if let Some((at, character)) = text.char_indices().find(|(_, c)| c.is_control()) {
        return Err(IdError::ControlCharacter {
            kind,
            character,
            at,
        });
    }
    Ok(())
}

/// The beginning of a text, short enough for an error.
pub(crate) fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            /// Parses a text: 1 to 256 bytes, no control characters.
            ///
            /// # Errors
            /// [`IdError`] names what is wrong with the text.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                check($kind, text)?;
                Ok(Self(SmolStr::new(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;
            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = IdError;
            fn try_from(text: &String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// Names one registered agent.
    AgentId,
    "agent id"
);
text_id!(
    /// Names a kind of task, for example `python_development`. Metrics and breakers group by it.
    TaskType,
    "task type"
);
text_id!(
    /// An exact, case-sensitive name that an agent has and a task may require.
    Capability,
    "capability"
);
text_id!(
    /// Whom a run is for. Tenants share the queue fairly within a priority.
    Tenant,
    "tenant"
);
text_id!(
    /// Names a budget shared by the tasks of one run.
    RunId,
    "run id"
);
text_id!(
    /// Who calls. Opaque to the core; hooks see it.
    PrincipalName,
    "principal"
);
text_id!(
    /// A key that limits how many tasks run at once, or how sticky routing hashes.
    Key,
    "key"
);

/// Names one task.
///
/// A caller may choose any text. Ids that the orchestrator makes read `task-1`, `task-2`, … and take no memory of their own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(Repr);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Sequence(u64),
    Text(Arc<str>),
}

impl TaskType {
    pub(crate) fn unknown() -> Self {
        Self(SmolStr::new_static("unknown"))
    }
}

const SEQUENCE_PREFIX: &str = "task-";

impl TaskId {
    /// Parses a text: 1 to 256 bytes, no control characters.
    ///
    /// # Errors
    /// [`IdError`] names what is wrong with the text.
    pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
        let text = text.as_ref();
        check("task id", text)?;
        if let Some(number) = canonical_sequence(text) {
            return Ok(Self::sequence(number));
        }
        Ok(Self(Repr::Text(Arc::from(text))))
    }

    pub(crate) const fn sequence(number: u64) -> Self {
        Self(Repr::Sequence(number))
    }

    pub(crate) const fn sequence_number(&self) -> Option<u64> {
        match self.0 {
            Repr::Sequence(number) => Some(number),
            Repr::Text(_) => None,
        }
    }

    /// Length of the displayed text in bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        match &self.0 {
            Repr::Sequence(_) => 0,
            Repr::Text(text) => text.len(),
        }
    }
}

/// `task-12` without a leading zero or sign, so that text and number are equal ids.
fn canonical_sequence(text: &str) -> Option<u64> {
    let digits = text.strip_prefix(SEQUENCE_PREFIX)?;
    let canonical = digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.is_empty()
        && (digits.len() == 1 || !digits.starts_with('0'));
    canonical.then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sequence(number) => write!(f, "{SEQUENCE_PREFIX}{number}"),
            Repr::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl std::str::FromStr for TaskId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for TaskId {
    type Error = IdError;
    fn try_from(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl TryFrom<String> for TaskId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl From<&TaskId> for TaskId {
    fn from(id: &TaskId) -> Self {
        id.clone()
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_id_and_its_text_are_the_same_id() {
        assert_eq!(TaskId::new("task-12").unwrap(), TaskId::sequence(12));
        assert_eq!(TaskId::sequence(12).to_string(), "task-12");
        for text in [
            "task-012",
            "task-",
            "task-+1",
            "Task-1",
            "task-99999999999999999999999",
        ] {
            let id = TaskId::new(text).unwrap();
            assert_eq!(id.sequence_number(), None, "{text}");
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn a_refusal_names_the_value_and_the_remedy() {
        let check = |text: &str, expected: &str| {
            assert_eq!(AgentId::new(text).unwrap_err().to_string(), expected);
        };
        check("", "agent id is empty: give it at least one character");
        check(
            "a\nb",
            "agent id holds the control character '\\n' at byte 1: remove it",
        );
        check(
            &"x".repeat(257),
            "agent id has 257 bytes, the limit is 256: shorten it",
        );
    }
}
