//! Why one node has its confidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Case, Fact};
use crate::hypothesis::Hypothesis;
use crate::ranking::{FEATURE_NAMES, Judged, Weights};

/// Facts of an explanation at most.
pub const EXPLAINED_FACTS_MAX: usize = 50;

/// Why one node has its confidence: input by input, fact by fact, attempt by attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// The node.
    pub node: String,
    /// Its place among all nodes, counted from 1.
    pub rank: usize,
    /// Its confidence.
    pub confidence: f64,
    /// Its confidence before facts were weighed and attempts to disprove were made.
    pub prior: f64,
    /// What the model made of its series; empty when there was no metric to judge by.
    pub inputs: Vec<Contribution>,
    /// The sum of weights of its facts, in nats.
    pub weight: f64,
    /// Its facts, the weightiest first; at most [`EXPLAINED_FACTS_MAX`].
    pub facts: Vec<Fact>,
    /// The hypotheses about it, with every attempt.
    pub hypotheses: Vec<Hypothesis>,
}

/// One input of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contribution {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its weight.
    pub weight: f64,
    /// The product of both: what it adds to the node's log-odds against the other nodes.
    pub product: f64,
}

/// The explanation, or `None` when there is no such node.
pub(super) fn explain(
    case: &Case,
    judged: &Judged,
    facts: &[Fact],
    hypotheses: &[Hypothesis],
    name: &str,
) -> Option<Explanation> {
    let place = case.place(name)?;
    let rank = judged.nodes.iter().position(|node| node.place == place)?;
    let node = &judged.nodes[rank];
    let weights = Weights::default();
    let inputs = node.features.iter().flat_map(|features| {
        let values = Weights::inputs(features);
        let weighed = values.into_iter().zip(weights.node);
        FEATURE_NAMES
            .iter()
            .zip(weighed)
            .map(|(name, (value, weight))| Contribution {
                name: (*name).to_owned(),
                value,
                weight,
                product: value * weight,
            })
    });
    Some(Explanation {
        node: name.to_owned(),
        rank: rank + 1,
        confidence: node.confidence,
        prior: node.prior,
        inputs: inputs.collect(),
        weight: node.weight,
        facts: facts
            .iter()
            .filter(|fact| fact.node == name)
            .take(EXPLAINED_FACTS_MAX)
            .cloned()
            .collect(),
        hypotheses: hypotheses
            .iter()
            .filter(|hypothesis| hypothesis.node == name)
            .cloned()
            .collect(),
    })
}
