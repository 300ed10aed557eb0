//! What one record says about one part.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::feedback::Source;

/// A kind of part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// A language model.
    Model,
    /// A tool.
    Tool,
    /// An agent.
    Agent,
    /// A limit above which something is flagged.
    Threshold,
    /// A prompt.
    Prompt,
    /// A store that is searched.
    Memory,
}

impl Component {
    const ALL: [Self; 6] = [
        Self::Model,
        Self::Tool,
        Self::Agent,
        Self::Threshold,
        Self::Prompt,
        Self::Memory,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Agent => "agent",
            Self::Threshold => "threshold",
            Self::Prompt => "prompt",
            Self::Memory => "memory",
        }
    }
}

/// A part of the assistant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Target {
    /// Its kind.
    pub component: Component,
    /// Its name.
    pub name: String,
}

impl Target {
    /// A part.
    pub fn new(component: Component, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { component, name }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.component.as_str(), self.name)
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for Target {
    type Error = SignalError;

    fn try_from(text: String) -> Result<Self, SignalError> {
        text.parse()
    }
}

impl FromStr for Target {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        let component = Component::ALL.into_iter().find(|c| c.as_str() == kind);
        match component {
            Some(component) if !name.is_empty() => Ok(Self::new(component, name)),
            _ => Err(SignalError::Target {
                text: text.to_owned(),
            }),
        }
    }
}

/// Why something is no signal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// It names no part.
    #[error(
        "{text:?} names no part: write model/NAME, tool/NAME, agent/NAME, threshold/NAME, prompt/NAME or memory/NAME"
    )]
    Target {
        /// What it says instead.
        text: String,
    },
    /// A figure lies outside of 0 to 1.
    #[error("{what} is {value}: it lies from 0 to 1")]
    Range {
        /// Which figure.
        what: &'static str,
        /// Its value.
        value: f64,
    },
}

/// What one record says about one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Where it comes from.
    pub source: Source,
    /// What it is about.
    pub target: Target,
    /// How well the part did, 0 to 1.
    pub reward: f64,
    /// How much that counts, 0 to 1.
    pub confidence: f64,
}

impl Signal {
    /// A signal.
    ///
    /// # Errors
    /// [`SignalError::Range`] when reward or confidence does not lie from 0 to 1.
    pub fn new(
        source: Source,
        target: Target,
        reward: f64,
        confidence: f64,
    ) -> Result<Self, SignalError> {
        for (what, value) in [("reward", reward), ("confidence", confidence)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(SignalError::Range { what, value });
            }
        }
        Ok(Self {
            source,
            target,
            reward,
            confidence,
        })
    }
}
