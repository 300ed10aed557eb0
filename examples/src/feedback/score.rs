//! What all signals about a part come to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::feedback::{Signal, Target};

/// What all signals about a part come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Mean reward, weighted with the confidence; 0 to 1.
    pub mean: f64,
    /// How many signals there were.
    pub signals: usize,
}

/// The score of every part that a signal of some confidence is about. The order of the signals plays no part beyond rounding.
#[must_use]
pub fn scores(signals: &[Signal]) -> BTreeMap<Target, Score> {
    let mut sums: BTreeMap<&Target, (f64, f64, usize)> = BTreeMap::new();
    for signal in signals {
        let sum = sums.entry(&signal.target).or_default();
        sum.0 += signal.reward * signal.confidence;
        sum.1 += signal.confidence;
        sum.2 += 1;
    }
    let some = sums.into_iter().filter(|(_, sum)| sum.1 > 0.0);
    some.map(|(target, (rewards, confidence, signals))| {
        let mean = rewards / confidence;
        (target.clone(), Score { mean, signals })
    })
    .collect()
}
