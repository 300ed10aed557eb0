//! The twelve things that an agent of the audit may be able to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The names of all capabilities, in the order of [`Capability::ALL`].
pub const CAPABILITIES: [&str; 12] = [
    "hash",
    "lines",
    "secrets",
    "licence",
    "size",
    "duplicates",
    "language",
    "todo",
    "encoding",
    "whitespace",
    "longest_line",
    "entropy",
];

/// What one task of the audit needs an agent to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// BLAKE3 of the content, as `b3sum` prints it.
    Hash,
    /// Newlines, words and bytes, as `wc` counts them.
    Lines,
    /// Keys, tokens and passwords by pattern.
    Secrets,
    /// The licence that a file declares or contains.
    Licence,
    /// Bytes, bytes on disk, and whether the file is sparse.
    Size,
    /// Files of equal content; needs every hash, so it runs in a second wave.
    Duplicates,
    /// The programming language by name or shebang.
    Language,
    /// Lines with a marker of unfinished work.
    Todo,
    /// ASCII, UTF-8, UTF-16 or binary, and the line endings.
    Encoding,
    /// Trailing blanks, mixed indentation, missing final newline.
    Whitespace,
    /// The longest line and where it is.
    LongestLine,
    /// Shannon entropy of the bytes, which tells packed blobs from text.
    Entropy,
}

/// How urgent the tasks of a capability are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PriorityClass {
    /// What the reader waits for, or what a second wave needs.
    High,
    /// What most of the report consists of.
    Medium,
    /// What is good to know.
    Low,
}

impl fmt::Display for PriorityClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        })
    }
}

impl Capability {
    /// Every capability, in the order in which the report lists them.
    pub const ALL: [Self; 12] = [
        Self::Hash,
        Self::Lines,
        Self::Secrets,
        Self::Licence,
        Self::Size,
        Self::Duplicates,
        Self::Language,
        Self::Todo,
        Self::Encoding,
        Self::Whitespace,
        Self::LongestLine,
        Self::Entropy,
    ];

    /// The name under which agents register it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        CAPABILITIES[self as usize]
    }

    /// How urgent its tasks are.
    #[must_use]
    pub const fn priority(self) -> PriorityClass {
        match self {
            Self::Hash | Self::Secrets => PriorityClass::High,
            Self::Lines | Self::Licence | Self::Size | Self::Duplicates | Self::Language => {
                PriorityClass::Medium
            }
            Self::Todo | Self::Encoding | Self::Whitespace | Self::LongestLine | Self::Entropy => {
                PriorityClass::Low
            }
        }
    }

    /// Whether one task looks at one file; only [`Capability::Duplicates`] compares several.
    #[must_use]
    pub const fn is_per_file(self) -> bool {
        !matches!(self, Self::Duplicates)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_enum_and_its_wire_form() {
        for (index, capability) in Capability::ALL.into_iter().enumerate() {
            assert_eq!(capability as usize, index);
            assert_eq!(
                serde_json::to_value(capability).unwrap(),
                CAPABILITIES[index]
            );
        }
    }
}
