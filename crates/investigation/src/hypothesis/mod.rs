//! Hypotheses: what may have happened at a node, what speaks for and against it, and what tried to disprove it.

mod disproof;
mod generate;
mod onset;
mod similar;
mod trial;

pub use disproof::{
    ALTERNATIVE_RATIO, CALLEES_SHARE, DEVIATION_CLEAR, DEVIATION_NONE, INTERVALS_MIN,
    LATE_INTERVALS, THRESHOLD_TOLERANCE,
};
pub use generate::{HYPOTHESES_MAX, HYPOTHESIS_NODES_MAX};

pub(crate) use onset::{Course, course};
pub(crate) use trial::tried;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Category;

/// What may have happened at one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// The node.
    pub node: String,
    /// The kind of cause.
    pub category: Category,
    /// What would have happened, for people.
    pub text: String,
    /// The probability that it is the cause: the node's confidence, shared among the hypotheses about it.
    pub confidence: f64,
    /// What came of the attempts to disprove it.
    pub standing: Standing,
    /// Supporting facts, as places in `facts` of the report.
    pub supporting_facts: Vec<usize>,
    /// Contradicting facts, as places in `facts` of the report.
    pub contradicting_facts: Vec<usize>,
    /// Observations of the node, as places in `evidence` of the report.
    pub observations: Vec<usize>,
    /// The attempts, always all of them.
    pub attempts: Vec<Attempt>,
}

/// What came of the attempts to disprove a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// At least one attempt could be made, and none disproved it.
    Survived,
    /// An attempt disproved it.
    Disproven,
    /// No attempt could be made. That is not the same as having survived one.
    Untested,
}

/// One attempt to disprove a hypothesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// What was tried.
    pub test: Test,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen, or why nothing could be.
    pub reason: String,
}

/// A way to disprove a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// A cause does not change after its effect.
    TemporalOrder,
    /// Whoever calls the cause is affected, by name.
    Scope,
    /// What is claimed of a value holds when the value is looked at again.
    Threshold,
    /// The node differs from normal operation.
    BaselineDeviation,
    /// No other node explains what the node shows.
    AlternativeCause,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TemporalOrder => "temporal order",
            Self::Scope => "scope",
            Self::Threshold => "threshold",
            Self::BaselineDeviation => "baseline deviation",
            Self::AlternativeCause => "alternative cause",
        })
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It could be made and did not disprove the hypothesis.
    Survived,
    /// It disproved the hypothesis.
    Disproven,
    /// It could not be made.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Survived => "survived",
            Self::Disproven => "disproven",
            Self::Unknown => "unknown",
        })
    }
}

impl Standing {
    /// What attempts come to together.
    #[must_use]
    pub fn of(attempts: &[Attempt]) -> Self {
        let has = |outcome| attempts.iter().any(|attempt| attempt.outcome == outcome);
        if has(Outcome::Disproven) {
            Self::Disproven
        } else if has(Outcome::Survived) {
            Self::Survived
        } else {
            Self::Untested
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Survived => "survived",
            Self::Disproven => "disproven",
            Self::Untested => "untested",
        })
    }
}
