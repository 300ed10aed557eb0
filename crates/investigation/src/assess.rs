//! temporary
use crate::evidence::*;
use crate::incident::Incident;
use crate::ranking::*;
use crate::specialist::*;
/// r
#[derive(Debug, Clone)]
pub struct Ranked {
    /// n
    pub node: String,
    /// c
    pub confidence: f64,
    /// f
    pub features: CandidateFeatures,
}
/// a
#[derive(Debug, Clone)]
pub struct Assessment {
    /// s
    pub symptom: Option<Symptom>,
    /// r
    pub ranking: Vec<Ranked>,
    /// n
    pub no_fault: f64,
}
/// x
pub fn assess_with(incident: Incident, weights: Option<&Weights>) -> Assessment {
    let case = Case::of(incident);
    let mut obs = vec![];
    for f in [
        observe_latency(&case),
        observe_errors(&case),
        observe_traffic(&case),
    ] {
        obs.extend(f.observations);
    }
    let ev = Evidence::of(&case, obs);
    let (Some(features), Some(symptom)) = (candidates(&case, &ev), &case.symptom) else {
        return Assessment {
            symptom: None,
            ranking: vec![],
            no_fault: 0.5,
        };
    };
    let p = Posterior::of(weights.unwrap_or(&WEIGHTS), &features, symptom);
    let mut r: Vec<Ranked> = features
        .into_iter()
        .zip(&p.nodes)
        .zip(&case.nodes)
        .map(|((features, c), n)| Ranked {
            node: n.to_string(),
            confidence: *c,
            features,
        })
        .collect();
    r.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then_with(|| a.node.cmp(&b.node))
    });
    Assessment {
        symptom: Some(symptom.clone()),
        ranking: r,
        no_fault: p.no_fault,
    }
}
