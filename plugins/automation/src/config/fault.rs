//! What is wrong with the section.

use std::fmt::Display;

/// A key of the section whose value does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}: {remedy}")]
pub struct ConfigFault {
    key: String,
    value: String,
    remedy: String,
}

impl ConfigFault {
    pub(crate) fn new(
        key: impl Into<String>,
        value: impl Display,
        remedy: impl Into<String>,
    ) -> Self {
        let value: String = value.to_string().chars().take(80).collect();
        Self {
            key: key.into(),
            value,
            remedy: remedy.into(),
        }
    }

    /// The key, below `plugins.automation`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Checks a limit, both ends included. A number that is not one is outside.
pub(crate) fn within<T: PartialOrd + Display>(
    key: &str,
    value: T,
    min: T,
    max: T,
) -> Result<(), ConfigFault> {
    if value >= min && value <= max {
        return Ok(());
    }
    let remedy = format!("choose {min} to {max}");
    Err(ConfigFault::new(key, value, remedy))
}
