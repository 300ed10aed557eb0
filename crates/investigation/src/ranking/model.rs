//! From features to confidence: a conditional logit model over the nodes and "no fault".

use super::CandidateFeatures;
use crate::evidence::Symptom;
use crate::statistics::saturate;

/// The names of the inputs of the model, in the order of [`Weights::node`].
pub const FEATURE_NAMES: [&str; INPUTS] = [
    "deviation",
    "own x deviation",
    "pattern x deviation",
    "explained x deviation",
    "carried x deviation",
    "own x carried x explained",
    "coverage",
    "coverage x own",
    "other metric x deviation",
    "surge x deviation",
    "callees x own",
    "target",
    "target x own",
    "unreachable",
];

const INPUTS: usize = 14;
const FAULT_INPUTS: usize = 5;

/// The weights of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// For a node's inputs.
    pub node: [f64; INPUTS],
    /// For whether there is a fault at all: a constant, the symptom's strength, how rare it is, the weighted sum of the
    /// best candidate, and that times the strength.
    pub fault: [f64; FAULT_INPUTS],
}

/// Fitted on injected faults; `docs/investigation-quality.md` says how.
const WEIGHTS: Weights = Weights {
    node: [
        1.73, -0.60, 0.13, 0.21, 2.50, 4.32, 1.83, 3.48, 2.93, 0.01, 1.59, 0.97, -3.60, -4.00,
    ],
    fault: [-5.56, 2.06, -0.03, 0.48, 0.45],
};

impl Weights {
    /// The inputs of a node.
    #[must_use]
    pub fn inputs(features: &CandidateFeatures) -> [f64; INPUTS] {
        let f = features;
        [
            f.deviation,
            f.own * f.deviation,
            f.pattern * f.deviation,
            f.explained * f.deviation,
            f.carried * f.deviation,
            f.own * f.carried * f.explained,
            f.coverage,
            f.coverage * f.own,
            f.other_metric * f.deviation,
            f.surge * f.deviation,
            f.callees * f.own,
            f.is_target,
            f.is_target * f.own,
            f.unreachable,
        ]
    }

    /// The inputs of whether there is a fault.
    #[must_use]
    pub fn fault_inputs(
        &self,
        features: &[CandidateFeatures],
        symptom: &Symptom,
    ) -> [f64; FAULT_INPUTS] {
        // A rank of the symptom among the windows of the baseline, as a share; without a baseline it says nothing.
        let rarity = if symptom.windows == 0 {
            0.5
        } else {
            1.0 - (symptom.windows_as_strong as f64 + 1.0) / (symptom.windows as f64 + 1.0)
        };
        let best = features
            .iter()
            .map(|node| dot(&self.node, &Self::inputs(node)))
            .fold(0.0, f64::max);
        let strength = saturate(symptom.strength, 0.5);
        [1.0, strength, rarity, best, best * strength]
    }
}

/// What the model says.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// The probability of each node to be the cause; with `no_fault` they add up to one.
    pub nodes: Vec<f64>,
    /// The probability that there is no fault.
    pub no_fault: f64,
}

impl Posterior {
    /// A logistic regression says whether there is a fault, a conditional logit model (McFadden 1974) where it is.
    #[must_use]
    pub fn of(weights: &Weights, features: &[CandidateFeatures], symptom: &Symptom) -> Self {
        let logits: Vec<f64> = features
            .iter()
            .map(|node| dot(&weights.node, &Weights::inputs(node)))
            .collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut shares: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let total: f64 = shares.iter().sum();
        let evidence = dot(&weights.fault, &weights.fault_inputs(features, symptom));
        let fault = 1.0 / (1.0 + (-evidence).exp());
        for share in &mut shares {
            *share *= fault / total;
        }
        Self {
            nodes: shares,
            no_fault: 1.0 - fault,
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

impl Default for Weights {
    fn default() -> Self {
        WEIGHTS
    }
}
