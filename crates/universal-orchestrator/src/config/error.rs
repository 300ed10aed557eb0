//! What can be wrong with a configuration.

use std::{io, path::PathBuf};

/// Why a configuration was refused; each text names the key, the value and what to write instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    Read {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The text is not TOML.
    #[error("line {line}, column {column} is not valid TOML: {message}")]
    Syntax {
        /// Line of the mistake, from 1.
        line: usize,
        /// Column of the mistake in characters, from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },

    /// A key that no part of the orchestrator reads.
    #[error("unknown key `{path}`; {}", remedy(suggestion.as_deref(), known))]
    UnknownKey {
        /// The whole path of the key.
        path: String,
        /// The path, or the table in brackets, that was probably meant.
        suggestion: Option<String>,
        /// The keys that its table may hold.
        known: Vec<String>,
    },

    /// An environment variable that starts with `UO_` and names no key.
    #[error("unknown environment variable `{name}`; {}", remedy_variable(suggestion.as_deref()))]
    UnknownVariable {
        /// The name as it was found.
        name: String,
        /// The variable that was probably meant.
        suggestion: Option<String>,
    },

    /// A value of the wrong type.
    #[error("`{path}` must be {expected}, but is {found}")]
    WrongType {
        /// The whole path of the key.
        path: String,
        /// What the key takes.
        expected: String,
        /// What was found.
        found: String,
    },

    /// A number outside its limits.
    #[error("`{path}` must be {expected}, but is {found}")]
    OutOfRange {
        /// The whole path of the key.
        path: String,
        /// What the key takes.
        expected: String,
        /// What was found.
        found: String,
    },

    /// A value of the right type that makes no sense.
    #[error("`{path}` is {value}: {remedy}")]
    Invalid {
        /// The whole path of the key.
        path: String,
        /// What was found.
        value: String,
        /// What to write instead.
        remedy: String,
    },

    /// Two keys that cannot both hold.
    #[error("`{path}` and `{other}` contradict each other: {remedy}")]
    Conflict {
        /// The one key.
        path: String,
        /// The other key.
        other: String,
        /// How to end the contradiction.
        remedy: String,
    },

    /// A value that passed all checks and still does not fit its type.
    #[error("the configuration does not fit its types: {message}")]
    Decode {
        /// What the decoder said.
        message: String,
    },

    /// A problem in a file.
    #[error("in `{}`: {problem}", file.display())]
    InFile {
        /// The file.
        file: PathBuf,
        /// What is wrong in it.
        problem: Box<Self>,
    },

    /// A problem in the value of an environment variable.
    #[error("in the environment variable `{name}`: {problem}")]
    InVariable {
        /// The variable.
        name: String,
        /// What is wrong in it.
        problem: Box<Self>,
    },
}

impl ConfigError {
    pub(super) fn in_file(self, file: impl Into<PathBuf>) -> Self {
        Self::InFile {
            file: file.into(),
            problem: Box::new(self),
        }
    }

    pub(super) fn in_variable(self, name: &str) -> Self {
        Self::InVariable {
            name: name.to_owned(),
            problem: Box::new(self),
        }
    }

    pub(super) fn invalid(
        path: impl Into<String>,
        value: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            path: path.into(),
            value: value.into(),
            remedy: remedy.into(),
        }
    }
}

fn remedy(suggestion: Option<&str>, known: &[String]) -> String {
    match suggestion {
        Some(path) => format!("did you mean `{path}`?"),
        None => format!("this table takes {}", known.join(", ")),
    }
}

fn remedy_variable(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(name) => format!("did you mean `{name}`?"),
        None => "`UO_` is reserved for the keys in docs/configuration.md, with `__` between \
                 section and key"
            .to_owned(),
    }
}
