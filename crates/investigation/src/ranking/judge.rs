//! From evidence to a posterior over "no fault", "the cause is not in the data" and every node.

use super::{CandidateFeatures, Evidence, Posterior, Weights, candidates};
use crate::evidence::weights::DISPROVEN;
use crate::evidence::{Case, Fact, weights_by_node};

/// Without a metric to judge by: the prior probability that there is no fault at all. Somebody complains, so it is small.
pub const NO_FAULT_PRIOR: f64 = 0.1;
/// Without a metric to judge by: the prior probability that what was read does not hold the cause.
///
/// Together with [`NO_FAULT_PRIOR`] it leaves 0.2 for all nodes together, in equal parts, so that nothing is diagnosed without facts.
pub const ELSEWHERE_PRIOR: f64 = 0.7;

/// When nobody complained and it is only looked whether all is well: the prior probability that it is.
/// The rest is for all nodes together.
pub const CHECK_UP_NO_FAULT_PRIOR: f64 = 0.7;

/// When an attempt disproved a node: the probability, beside all nodes together as one, that the cause is not in the data.
///
/// What a disproof takes from a node so goes to the other nodes if one of them explains the fault, and to "elsewhere" if none does.
pub const ELSEWHERE_WHEN_DISPROVEN: f64 = 0.05;

/// How likely everything is.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    /// The probability that there is no fault.
    pub(crate) no_fault: f64,
    /// The probability that there is one whose cause is not in the data.
    pub(crate) elsewhere: f64,
    /// All nodes, the likeliest first.
    pub(crate) nodes: Vec<JudgedNode>,
    /// Whether the symptom's metric was judged; if not, the facts alone decide.
    pub(crate) by_metric: bool,
}

/// How likely a node is the cause.
#[derive(Clone, Debug)]
pub(crate) struct JudgedNode {
    /// Its place in the case.
    pub(crate) place: usize,
    pub(crate) confidence: f64,
    /// Its confidence before facts were weighed.
    pub(crate) prior: f64,
    /// The sum of weights of its facts, in nats.
    pub(crate) weight: f64,
    pub(crate) distance: Option<u32>,
    pub(crate) features: Option<CandidateFeatures>,
}

/// The posterior. With a metric the model of [`Posterior`] gives the prior, without one it is the same for every node.
/// Facts multiply a node's odds by `exp(sum of weights)`; then all of it is made to add up to one again.
///
/// Nodes that are disproven lose nearly all of their part to the others and to "elsewhere"; whether there is a fault stays as it was.
///
/// Equal confidence is broken by distance from the target, the deeper node first, then by name.
pub(crate) fn judge(
    case: &Case,
    evidence: &Evidence,
    facts: &[Fact],
    disproven: &[usize],
) -> Judged {
    let modelled =
        candidates(case, evidence)
            .zip(case.symptom.as_ref())
            .map(|(features, symptom)| {
                let posterior = Posterior::of(&Weights::default(), &features, symptom);
                (features, posterior)
            });
    let by_metric = modelled.is_some();
    let (features, priors, no_fault, elsewhere) = match modelled {
        Some((features, posterior)) => (
            features.into_iter().map(Some).collect(),
            posterior.nodes,
            posterior.no_fault,
            0.0,
        ),
        None => {
            let count = case.nodes.len();
            let (no_fault, elsewhere) = match case.incident.check_up {
                true => (CHECK_UP_NO_FAULT_PRIOR, 0.0),
                false => (NO_FAULT_PRIOR, ELSEWHERE_PRIOR),
            };
            let share = (1.0 - no_fault - elsewhere) / count.max(1) as f64;
            (vec![None; count], vec![share; count], no_fault, elsewhere)
        }
    };
    let mut weights = vec![0.0; case.nodes.len()];
    for (node, weight) in weights_by_node(facts) {
        if let Some(place) = case.place(node) {
            weights[place] = weight;
        }
    }
    let weighed = weights.iter().any(|weight| *weight != 0.0);
    let mut masses: Vec<f64> = priors
        .iter()
        .zip(&weights)
        .map(|(prior, weight)| prior * weight.exp())
        .collect();
    // Without facts the prior is kept to the last bit.
    let total = if weighed {
        masses.iter().sum::<f64>() + no_fault + elsewhere
    } else {
        1.0
    };
    let mut elsewhere = elsewhere;
    if !disproven.is_empty() {
        elsewhere = hand_on(&mut masses, elsewhere, disproven);
    }
    let distances = match case.entry {
        Some(entry) => case.topology.distances(entry),
        None => vec![None; case.nodes.len()],
    };
    let mut nodes: Vec<JudgedNode> = features
        .into_iter()
        .enumerate()
        .map(
            |(place, features): (usize, Option<CandidateFeatures>)| JudgedNode {
                place,
                confidence: masses[place] / total,
                prior: priors[place],
                weight: weights[place],
                distance: distances[place],
                features,
            },
        )
        .collect();
    nodes.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then_with(|| b.distance.cmp(&a.distance))
            .then_with(|| a.place.cmp(&b.place))
    });
    Judged {
        no_fault: no_fault / total,
        elsewhere: elsewhere / total,
        nodes,
        by_metric,
    }
}

/// Takes mass from the disproven nodes and gives it to the others and to "elsewhere", whose new mass it returns. The sum stays.
fn hand_on(masses: &mut [f64], elsewhere: f64, disproven: &[usize]) -> f64 {
    let nodes: f64 = masses.iter().sum();
    let before = nodes + elsewhere;
    for place in disproven {
        masses[*place] *= DISPROVEN.exp();
    }
    let elsewhere = elsewhere.max(ELSEWHERE_WHEN_DISPROVEN * nodes);
    let left = masses.iter().sum::<f64>() + elsewhere;
    if left <= 0.0 {
        return before;
    }
    let scale = before / left;
    for mass in masses {
        *mass *= scale;
    }
    elsewhere * scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::weights::{AGAINST, DECISIVE, MODERATE, STRONG};
    use crate::evidence::{Category, FactKind, Source};
    use crate::graph::CallGraph;
    use crate::incident::Incident;
    use crate::verdict::CONFIDENCE_MIN;

    fn fact(node: &str, weight: f64) -> Fact {
        Fact {
            node: node.to_owned(),
            kind: FactKind::Threshold {
                metric: "errors".to_owned(),
                bound: 0.0,
                value: 1.0,
            },
            category: Category::Errors,
            weight,
            at: None,
            text: String::new(),
            source: Source::new("test", "here"),
        }
    }

    fn judged(facts: &[Fact]) -> Judged {
        let mut graph = CallGraph::new();
        graph.add_call("front", "middle");
        graph.add_call("middle", "back");
        let case = Case::of(Incident {
            graph,
            ..Incident::default()
        });
        judge(&case, &Evidence::of(&case, []), facts, &[])
    }

    #[test]
    fn without_metrics_and_facts_nothing_is_sure() {
        let judged = judged(&[]);
        assert!(!judged.by_metric);
        assert!(
            judged
                .nodes
                .iter()
                .all(|node| node.confidence < CONFIDENCE_MIN)
        );
        assert_eq!(
            (judged.no_fault, judged.elsewhere),
            (NO_FAULT_PRIOR, ELSEWHERE_PRIOR)
        );
    }

    #[test]
    fn facts_move_their_node_and_everything_adds_up_to_one() {
        let judged = judged(&[fact("back", DECISIVE), fact("front", AGAINST)]);
        let [first, second, third] = &judged.nodes[..] else {
            panic!("there are three nodes");
        };
        // In the order of names: back, front, middle.
        assert_eq!((first.place, second.place, third.place), (0, 2, 1));
        assert!(first.confidence > 0.9, "{first:?}");
        let nodes: f64 = judged.nodes.iter().map(|node| node.confidence).sum();
        assert!((nodes + judged.no_fault + judged.elsewhere - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_disproof_hands_on_to_others_or_elsewhere_and_leaves_the_fault() {
        let mut masses = [0.9, 0.05, 0.0];
        let elsewhere = hand_on(&mut masses, 0.0, &[0]);
        assert!((masses.iter().sum::<f64>() + elsewhere - 0.95).abs() < 1e-12);
        assert!(masses[1] > 0.4 && elsewhere > 0.4, "{masses:?} {elsewhere}");
        assert!(masses[0] < 0.05, "{masses:?}");
    }

    #[test]
    fn c4_confidence_rises_with_support_whatever_its_order() {
        let first = |facts: &[Fact]| judged(facts).nodes[0].confidence;
        let (a, b) = (fact("back", STRONG), fact("back", MODERATE));
        assert!(first(&[a.clone(), b.clone()]) > first(std::slice::from_ref(&a)));
        assert_eq!(
            first(&[a.clone(), b.clone()]).to_bits(),
            first(&[b, a]).to_bits()
        );
    }
}
