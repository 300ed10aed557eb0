//! For those who measure or fit the model: features and weights without an orchestrator.

pub use crate::ranking::{FEATURE_NAMES, Posterior, Weights};

use crate::evidence::{Case, Symptom};
use crate::hypothesis::tried;
use crate::incident::Incident;
use crate::ranking::{CandidateFeatures, Evidence, candidates};
use crate::report::verdict;
use crate::specialist::{Depth, SPECIALISTS};
use crate::verdict::Verdict;

/// What the model sees of an incident.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// The nodes in the order of their names.
    pub nodes: Vec<String>,
    /// What speaks for each node.
    pub features: Vec<CandidateFeatures>,
    /// The symptom.
    pub symptom: Symptom,
    /// What a report would say, with facts weighed and attempts to disprove made.
    pub concluded: Concluded,
}

/// The answer of a report.
#[derive(Clone, Debug)]
pub struct Concluded {
    /// The verdict.
    pub verdict: Verdict,
    /// The probability of a fault.
    pub fault: f64,
    /// The confidence of each node, in the order of [`Assessed::nodes`].
    pub confidence: Vec<f64>,
}

/// Runs the wide specialists one after the other, or gives `None` when there is no target or it cannot be judged.
#[must_use]
pub fn assess(incident: Incident) -> Option<Assessed> {
    let case = Case::of(incident);
    let wide = SPECIALISTS
        .iter()
        .filter(|expert| expert.depth() == Depth::Wide);
    let (mut observations, mut facts) = (Vec::new(), Vec::new());
    for expert in wide {
        let findings = expert.examine_all(&case);
        observations.extend(findings.observations);
        facts.extend(findings.facts);
    }
    let evidence = Evidence::of(&case, observations);
    let (judged, _) = tried(&case, &evidence, &facts);
    let mut confidence = vec![0.0; case.nodes.len()];
    for node in &judged.nodes {
        confidence[node.place] = node.confidence;
    }
    Some(Assessed {
        features: candidates(&case, &evidence)?,
        symptom: case.symptom.clone()?,
        nodes: case.nodes.iter().map(ToString::to_string).collect(),
        concluded: Concluded {
            verdict: verdict(&case, &judged, &[]),
            fault: 1.0 - judged.no_fault,
            confidence,
        },
    })
}
