//! What the service refuses.

/// A group that was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScalingError {
    /// A group has this name.
    #[error("a scaling group named {name:?} exists: choose another name")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Too many groups.
    #[error("there are {max} scaling groups, the limit scaling.groups_max: raise it")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The bounds do not fit.
    #[error(
        "scaling group {name:?} has the bounds {min} to {max}: choose a minimum of at most the maximum, and a maximum of 1 to {limit}"
    )]
    Bounds {
        /// The name.
        name: String,
        /// The minimum.
        min: usize,
        /// The maximum.
        max: usize,
        /// The limit `agents_max`.
        limit: usize,
    },
    /// A capability is not one.
    #[error("scaling group {name:?}: {text}")]
    Capability {
        /// The name.
        name: String,
        /// What is wrong.
        text: String,
    },
}

/// An answer that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// No question of this plan waits.
    #[error(
        "no question of recovery plan {plan} waits: list them with decisions(), it may have been answered or have expired"
    )]
    Unknown {
        /// The plan.
        plan: u64,
    },
    /// The command queue is full; the question still waits.
    #[error("the answer to recovery plan {plan} found no room in the command queue: try again")]
    NoRoom {
        /// The plan.
        plan: u64,
    },
}

/// An agent that a factory could not make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FactoryError {
    text: String,
}

impl FactoryError {
    /// An error with a text that says what is missing.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}
