//! From judged nodes and facts to hypotheses with their attempts.

use std::collections::HashMap;

use super::disproof::Court;
use super::similar::groups;
use super::{Hypothesis, Outcome, Standing};
use crate::evidence::{Case, Category, Fact, FactKind, node_weight};
use crate::ranking::{Evidence, Judged, JudgedNode};
use crate::telemetry::Metric;

/// Nodes without facts that hypotheses are made about: the likeliest.
pub const HYPOTHESIS_NODES_MAX: usize = 5;
/// Hypotheses at most.
pub const HYPOTHESES_MAX: usize = 30;
/// A node that is less likely has no hypothesis, unless facts support it.
const CONFIDENCE_MIN: f64 = 0.01;

/// Hypotheses with all attempts, the likeliest first; a node has as many as its facts speak of different things.
pub(super) fn hypotheses(
    case: &Case,
    evidence: &Evidence,
    judged: &Judged,
    facts: &[Fact],
) -> Vec<Hypothesis> {
    let court = Court {
        case,
        evidence,
        judged,
    };
    let mut by_node: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, fact) in facts.iter().enumerate() {
        by_node.entry(&fact.node).or_default().push(place);
    }
    let mut made = Vec::new();
    for (rank, node) in judged.nodes.iter().enumerate() {
        if made.len() >= HYPOTHESES_MAX {
            break;
        }
        let name = &*case.nodes[node.place];
        let about = |of: fn(f64) -> bool| -> Vec<usize> {
            let own = by_node.get(name).into_iter().flatten().copied();
            own.filter(|place| of(facts[*place].weight)).collect()
        };
        let supporting = about(|weight| weight > 0.0);
        let likely = rank < HYPOTHESIS_NODES_MAX && node.confidence >= CONFIDENCE_MIN;
        if supporting.is_empty() && !likely {
            continue;
        }
        let contradicting = about(|weight| weight < 0.0);
        made.extend(about_node(&court, node, facts, &supporting, &contradicting));
    }
    made.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    made.truncate(HYPOTHESES_MAX);
    made
}

/// The hypotheses about one node; they share its confidence by the weight of their facts.
fn about_node(
    court: &Court<'_>,
    node: &JudgedNode,
    facts: &[Fact],
    supporting: &[usize],
    contradicting: &[usize],
) -> Vec<Hypothesis> {
    let name = court.case.nodes[node.place].to_string();
    let mut causes = causes(facts, supporting);
    if causes.is_empty() {
        causes.push((metric_category(court, node), Vec::new()));
    }
    let weight = |cause: &(Category, Vec<usize>)| {
        node_weight(cause.1.iter().map(|place| &facts[*place])).exp()
    };
    let total: f64 = causes.iter().map(weight).sum();
    let mut made = Vec::with_capacity(causes.len());
    for cause in &causes {
        let (category, places) = cause;
        let support: Vec<&Fact> = places.iter().map(|place| &facts[*place]).collect();
        let attempts = court.attempts(node, &support);
        made.push(Hypothesis {
            node: name.clone(),
            category: *category,
            text: text(court, node, *category, &support),
            confidence: node.confidence * weight(cause) / total,
            standing: Standing::of(&attempts),
            supporting_facts: places.clone(),
            contradicting_facts: contradicting.to_vec(),
            observations: Vec::new(),
            attempts,
        });
    }
    made
}

/// Supporting facts by what they say: those that say the same are one, then those of one category.
fn causes(facts: &[Fact], supporting: &[usize]) -> Vec<(Category, Vec<usize>)> {
    let statements = supporting.iter().map(|place| {
        let fact = &facts[*place];
        (fact.node.as_str(), fact.text.as_str())
    });
    let mut causes: Vec<(Category, Vec<usize>)> = Vec::new();
    for group in groups(statements) {
        let mut places: Vec<usize> = group.iter().map(|place| supporting[*place]).collect();
        let strongest = places
            .iter()
            .map(|place| &facts[*place])
            .reduce(|best, fact| {
                if fact.weight > best.weight {
                    fact
                } else {
                    best
                }
            });
        let Some(category) = strongest.map(|fact| fact.category) else {
            continue;
        };
        match causes.iter_mut().find(|(other, _)| *other == category) {
            Some((_, own)) => own.append(&mut places),
            None => causes.push((category, places)),
        }
    }
    causes
}

/// Without facts: what the node's series show most.
fn metric_category(court: &Court<'_>, node: &JudgedNode) -> Category {
    let deviation = |metric| {
        let observation = court.evidence.in_metric(metric)[node.place].as_ref();
        observation.map_or(0.0, |observation| observation.deviation)
    };
    let surges = node
        .features
        .as_ref()
        .is_some_and(|features| features.surge >= 0.5);
    if surges {
        Category::Traffic
    } else if deviation(Metric::Availability) > deviation(Metric::Latency) {
        Category::Errors
    } else if deviation(Metric::Latency) > 0.0 {
        Category::Latency
    } else {
        Category::Unknown
    }
}

fn text(court: &Court<'_>, node: &JudgedNode, category: Category, facts: &[&Fact]) -> String {
    let name = &court.case.nodes[node.place];
    let telling = |fact: &Fact| match &fact.kind {
        FactKind::Saturation { deviation, .. } => *deviation,
        _ => f64::INFINITY,
    };
    let more_telling = |a: &&Fact, b: &&Fact| {
        (a.weight.total_cmp(&b.weight)).then(telling(a).total_cmp(&telling(b)))
    };
    // Of equals the last one is taken; they are in the order of the report, so that is always the same one.
    if let Some(first) = facts.iter().copied().max_by(more_telling) {
        return format!("{category} at {name}: {}", first.text);
    }
    match category {
        Category::Traffic => format!("{name} gets more requests than its callers pass on"),
        Category::Errors => format!("{name} fails more often than its callees explain"),
        Category::Latency => format!("{name} takes longer than its callees explain"),
        _ => format!("something that was not read happened at {name}"),
    }
}

/// The nodes all of whose hypotheses are disproven, as places of the case.
pub(super) fn disproven(case: &Case, made: &[Hypothesis]) -> Vec<usize> {
    let mut places: Vec<usize> = made
        .iter()
        .filter_map(|hypothesis| case.place(&hypothesis.node))
        .collect();
    places.sort_unstable();
    places.dedup();
    places.retain(|place| {
        let mut about = made
            .iter()
            .filter(|hypothesis| hypothesis.node == *case.nodes[*place]);
        about.all(|hypothesis| {
            let mut attempts = hypothesis.attempts.iter();
            attempts.any(|attempt| attempt.outcome == Outcome::Disproven)
        })
    });
    places
}
