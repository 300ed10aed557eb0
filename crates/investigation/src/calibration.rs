//! For those who measure or fit the model: features and weights without an orchestrator.

pub use crate::ranking::{FEATURE_NAMES, Posterior, Weights};

use crate::evidence::{Case, Symptom};
use crate::incident::Incident;
use crate::ranking::{CandidateFeatures, Evidence, candidates};
use crate::specialist::{Depth, SPECIALISTS};

/// What the model sees of an incident.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// The nodes in the order of their names.
    pub nodes: Vec<String>,
    /// What speaks for each node.
    pub features: Vec<CandidateFeatures>,
    /// The symptom.
    pub symptom: Symptom,
}

/// Runs the wide specialists one after the other, or gives `None` when there is no target or it cannot be judged.
#[must_use]
pub fn assess(incident: Incident) -> Option<Assessed> {
    let case = Case::of(incident);
    let wide = SPECIALISTS
        .iter()
        .filter(|expert| expert.depth() == Depth::Wide);
    let observations = wide.flat_map(|expert| expert.examine_all(&case).observations);
    let evidence = Evidence::of(&case, observations);
    Some(Assessed {
        features: candidates(&case, &evidence)?,
        symptom: case.symptom.clone()?,
        nodes: case.nodes.iter().map(ToString::to_string).collect(),
    })
}
