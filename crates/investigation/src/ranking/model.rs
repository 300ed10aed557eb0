//! From features to confidence: a conditional logit model over the nodes and "no fault".

use super::CandidateFeatures;
use crate::evidence::Symptom;
use crate::statistics::saturate;

/// The names of the inputs of the model, in the order of [`Weights::node`].
pub const FEATURE_NAMES: [&str; INPUTS] = [
    "deviation",
    "own x deviation",
    "own x pattern",
    "explained",
    "coverage",
    "coverage x own",
    "other metric",
    "surge",
    "target",
    "target x own",
    "unreachable",
];

const INPUTS: usize = 11;
const NULL_INPUTS: usize = 3;

/// The weights of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// For a node's inputs.
    pub node: [f64; INPUTS],
    /// For "no fault": a constant, the symptom's strength, and how rare it is.
    pub no_fault: [f64; NULL_INPUTS],
}

/// Fitted on injected faults; `docs/investigation-quality.md` says how.
pub(crate) const WEIGHTS: Weights = Weights {
    node: [2.0, 4.0, 2.0, 1.0, 2.0, 2.0, 0.5, 0.5, 0.0, 0.0, -4.0],
    no_fault: [8.0, -6.0, -1.0],
};

impl Weights {
    /// The inputs of a node.
    #[must_use]
    pub fn inputs(features: &CandidateFeatures) -> [f64; INPUTS] {
        let f = features;
        [
            f.deviation,
            f.own * f.deviation,
            f.own * f.pattern,
            f.explained * f.deviation,
            f.coverage,
            f.coverage * f.own,
            f.other_metric,
            f.surge,
            f.is_target,
            f.is_target * f.own,
            f.unreachable,
        ]
    }

    /// The inputs of "no fault".
    #[must_use]
    pub fn no_fault_inputs(symptom: &Symptom) -> [f64; NULL_INPUTS] {
        // A rank of the symptom among the windows of the baseline, as a share; without a baseline it says nothing.
        let rarity = if symptom.windows == 0 {
            0.5
        } else {
            1.0 - (symptom.windows_as_strong as f64 + 1.0) / (symptom.windows as f64 + 1.0)
        };
        [1.0, saturate(symptom.strength, 1.0), rarity]
    }
}

/// What the model says: probabilities that add up to one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Posterior {
    pub(crate) nodes: Vec<f64>,
    pub(crate) no_fault: f64,
}

impl Posterior {
    /// The conditional logit model (McFadden 1974): the exponential of each weighted sum, over the sum of all.
    pub(crate) fn of(weights: &Weights, features: &[CandidateFeatures], symptom: &Symptom) -> Self {
        let mut logits: Vec<f64> = features
            .iter()
            .map(|node| dot(&weights.node, &Weights::inputs(node)))
            .collect();
        logits.push(dot(&weights.no_fault, &Weights::no_fault_inputs(symptom)));
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut shares: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let total: f64 = shares.iter().sum();
        for share in &mut shares {
            *share /= total;
        }
        let no_fault = shares.pop().unwrap_or(1.0);
        Self {
            nodes: shares,
            no_fault,
        }
    }
}

fn dot<const N: usize>(weights: &[f64; N], inputs: &[f64; N]) -> f64 {
    weights
        .iter()
        .zip(inputs)
        .map(|(weight, input)| weight * input)
        .sum()
}
