//! What may be said: diagnosed, no fault, or insufficient evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer of an investigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is a fault, and the ranking says where.
    Diagnosed,
    /// The target does what it does in normal operation.
    NoFault,
    /// There may be a fault, or there is one whose place the data do not tell.
    InsufficientEvidence,
}

/// Least probability of a fault for [`Verdict::Diagnosed`].
///
/// Chosen on the proving ground such that fewer than 5 % of healthy windows are diagnosed.
pub const FAULT_PROBABILITY_MIN: f64 = 0.8;
/// Largest probability of a fault for [`Verdict::NoFault`]; between the two, evidence is insufficient.
pub const NO_FAULT_PROBABILITY_MAX: f64 = 0.5;
/// Least confidence of the first node for [`Verdict::Diagnosed`].
pub const CONFIDENCE_MIN: f64 = 0.3;

impl Verdict {
    /// The verdict for the probability of a fault and the confidence in the first node.
    #[must_use]
    pub fn of(fault: f64, first: f64) -> Self {
        if fault >= FAULT_PROBABILITY_MIN && first >= CONFIDENCE_MIN {
            Self::Diagnosed
        } else if fault <= NO_FAULT_PROBABILITY_MAX {
            Self::NoFault
        } else {
            Self::InsufficientEvidence
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_decide() {
        let check = |fault, first, expected| {
            assert_eq!(Verdict::of(fault, first), expected, "{fault} {first}")
        };
        check(1.0, 0.9, Verdict::Diagnosed);
        check(0.8, 0.3, Verdict::Diagnosed);
        check(0.79, 0.79, Verdict::InsufficientEvidence);
        check(1.0, 0.29, Verdict::InsufficientEvidence);
        check(0.5, 0.5, Verdict::NoFault);
        check(0.0, 0.0, Verdict::NoFault);
    }
}
