//! How much each kind of fact says: the one table of weights.
//!
//! A weight is a log-likelihood ratio in nats, `ln(P(fact | this node is the cause) / P(fact | it is not))`
//! (the weight of evidence of Good 1950). Weights of independent facts add up, so their order does not matter.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};

use super::{Fact, FactKind};

/// The fact names the cause itself, about 400 to 1.
pub const DECISIVE: f64 = 6.0;
/// The fact is rare unless the node is the cause, about 55 to 1.
pub const STRONG: f64 = 4.0;
/// The fact is unusual, about 7 to 1.
pub const MODERATE: f64 = 2.0;
/// The fact is a hint, about 2 to 1.
pub const WEAK: f64 = 0.7;
/// The fact is as likely either way.
pub const NEUTRAL: f64 = 0.0;
/// A hint that it is another node, about 1 to 2.
pub const AGAINST_WEAK: f64 = -0.7;
/// The fact is unusual for a cause, about 1 to 7.
pub const AGAINST: f64 = -2.0;

/// A deployment, another configuration or a feature flag right before the onset; it falls with the distance in time.
pub(crate) const CHANGE: f64 = STRONG;
/// More or fewer instances, or a restart, right before the onset; it falls with the distance in time.
pub(crate) const CHANGE_OF_OPERATION: f64 = MODERATE;
/// Some other change right before the onset; it falls with the distance in time.
pub(crate) const CHANGE_OTHER: f64 = WEAK;
/// A resource of this machine is used up.
pub(crate) const HOST_SATURATED: f64 = DECISIVE;
/// Half or more of what is used up is this process's.
pub(crate) const HOST_USER: f64 = DECISIVE;
/// A new or surging complaint in the log of a caller names this node; it speaks a little against the caller.
pub(crate) const LOG_NAMES_IT: f64 = MODERATE;
/// A new or surging error says outright what is wrong with the node itself: denied, used up, misconfigured.
pub(crate) const LOG_SAYS_WHY: f64 = STRONG;
/// Another new or surging error, or lines that are no errors and say what is used up, denied or misconfigured.
pub(crate) const LOG_ERROR: f64 = MODERATE;
/// A new or surging form of lines that are no errors, or one line of a new error.
pub(crate) const LOG_CHANGED: f64 = WEAK;
/// A measured value is beyond a documented bound, whatever it is usually.
pub(crate) const THRESHOLD: f64 = MODERATE;

/// The deepest fault of a trace, with what was thrown.
pub(crate) const TRACE_EXCEPTION: f64 = DECISIVE;
/// The deepest fault of a trace, of which only the status is known.
pub(crate) const TRACE_FAULT: f64 = STRONG;
/// A call that was answered with "your mistake": the caller's fact.
pub(crate) const TRACE_CLIENT_ERROR: f64 = MODERATE;
/// A fault that a caller handled: the request went on.
pub(crate) const TRACE_HANDLED: f64 = WEAK;
/// A call was refused because there were too many.
pub(crate) const THROTTLED: f64 = STRONG;
/// A call was denied, and the message says so.
pub(crate) const PERMISSION_DENIED: f64 = DECISIVE;
/// A call was denied, the message says so, and the caller went on.
pub(crate) const PERMISSION_HANDLED: f64 = STRONG;
/// A denial that somebody reports, without a trace.
pub(crate) const PERMISSION_REPORTED: f64 = STRONG;
/// What was waited for when a time limit ran out.
pub(crate) const TIMED_OUT: f64 = STRONG;
/// Who was cut off while waiting for another.
pub(crate) const TIMED_OUT_WAITING: f64 = WEAK;
/// Calls were tried again.
pub(crate) const RETRIED: f64 = WEAK;
/// Most of the time of slow requests was spent in it.
pub(crate) const CRITICAL_PATH_SLOW: f64 = WEAK;
/// Nearly all of the time of very slow requests was spent in it.
pub(crate) const CRITICAL_PATH_VERY_SLOW: f64 = MODERATE;
/// Its success says nothing about its outcome.
pub(crate) const OUTCOME_HIDDEN: f64 = WEAK;
/// It answered well while others failed.
pub(crate) const ANSWERED: f64 = AGAINST_WEAK;
/// A setting that practice advises against.
pub(crate) const SETTING: f64 = WEAK;
/// A policy that grants too much: a risk, but no cause of a failure.
pub(crate) const OPEN_POLICY: f64 = NEUTRAL;
/// A resource is beyond its bound, and is not otherwise.
pub(crate) const SATURATED: f64 = STRONG;
/// A resource is used at least twice as much as otherwise, below its bound.
pub(crate) const USED_MORE: f64 = MODERATE;
/// Somebody waits for a resource, which may be because of who holds it.
pub(crate) const WAITING: f64 = WEAK;

/// An attempt to disprove what may have happened at the node succeeded.
pub(crate) const DISPROVEN: f64 = -DECISIVE;

/// Every kind of fact with its weight in nats, for the documentation.
#[must_use]
pub fn table() -> Vec<(&'static str, f64)> {
    vec![
        ("change: deployment, configuration, feature flag", CHANGE),
        ("change: scaling, restart", CHANGE_OF_OPERATION),
        ("change: other", CHANGE_OTHER),
        ("host: a resource is used up", HOST_SATURATED),
        ("host: half or more of it is this process's", HOST_USER),
        ("log: a complaint of a caller names the node", LOG_NAMES_IT),
        (
            "log: its complaint names a node that it calls",
            AGAINST_WEAK,
        ),
        ("log: an error says what is wrong", LOG_SAYS_WHY),
        ("log: another error", LOG_ERROR),
        ("log: no error, or one line", LOG_CHANGED),
        ("threshold", THRESHOLD),
        ("trace_fault: with an exception", TRACE_EXCEPTION),
        ("trace_fault: with a status only", TRACE_FAULT),
        ("trace_fault: 4xx, for the caller", TRACE_CLIENT_ERROR),
        ("trace_fault, throttled: handled by a caller", TRACE_HANDLED),
        ("throttled", THROTTLED),
        ("permission_denied: in a trace", PERMISSION_DENIED),
        ("permission_denied: handled by a caller", PERMISSION_HANDLED),
        (
            "permission_denied: reported in a request",
            PERMISSION_REPORTED,
        ),
        ("timed_out", TIMED_OUT),
        ("timed_out: while waiting for another", TIMED_OUT_WAITING),
        ("retried", RETRIED),
        ("critical_path: fast requests", NEUTRAL),
        ("critical_path: half of slow requests", CRITICAL_PATH_SLOW),
        (
            "critical_path: 80 % of very slow requests",
            CRITICAL_PATH_VERY_SLOW,
        ),
        ("outcome_hidden", OUTCOME_HIDDEN),
        ("answered", ANSWERED),
        ("setting", SETTING),
        ("open_policy", OPEN_POLICY),
        ("saturation, beyond its bound", SATURATED),
        ("saturation, used more", USED_MORE),
        ("saturation, waiting", WAITING),
        ("disproven by an attempt", DISPROVEN),
    ]
}

/// The largest sum of weights of one node, in either direction.
pub const NODE_WEIGHT_MAX: f64 = 12.0;

/// The sum of the weights of facts about one node, in nats, cut to ±[`NODE_WEIGHT_MAX`].
///
/// Facts of one kind are not independent: a thousand log lines say little more than ten. The strongest counts whole,
/// each further one half of the one before it. More support never lowers the sum, and the order of facts does not matter.
pub(crate) fn node_weight<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> f64 {
    let mut by_kind: Vec<(Discriminant<FactKind>, Vec<f64>)> = Vec::new();
    for fact in facts {
        let kind = discriminant(&fact.kind);
        match by_kind.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, weights)) => weights.push(fact.weight),
            None => by_kind.push((kind, vec![fact.weight])),
        }
    }
    let mut sums: Vec<f64> = by_kind
        .into_iter()
        .map(|(_, weights)| faded(weights))
        .collect();
    // In order of size, so that not even rounding depends on the order of facts.
    sums.sort_unstable_by(f64::total_cmp);
    sums.iter()
        .sum::<f64>()
        .clamp(-NODE_WEIGHT_MAX, NODE_WEIGHT_MAX)
}

/// The strongest counts whole, each further one half of the one before; support and contradiction apart.
fn faded(mut weights: Vec<f64>) -> f64 {
    weights.retain(|weight| weight.is_finite());
    weights.sort_unstable_by(|a, b| b.abs().total_cmp(&a.abs()).then(b.total_cmp(a)));
    let of = |positive: bool| -> f64 {
        let (mut sum, mut part) = (0.0, 1.0);
        for weight in weights.iter().filter(|weight| (**weight > 0.0) == positive) {
            sum += weight * part;
            part /= 2.0;
        }
        sum
    };
    of(true) + of(false)
}

/// The sums of weights of all nodes that facts speak about, by name.
pub(crate) fn weights_by_node(facts: &[Fact]) -> BTreeMap<&str, f64> {
    let mut by_node: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        by_node.entry(&fact.node).or_default().push(fact);
    }
    by_node
        .into_iter()
        .map(|(node, facts)| (node, node_weight(facts)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::{Category, Source};

    fn fact(weight: f64) -> Fact {
        Fact {
            node: "a".to_owned(),
            kind: FactKind::Threshold {
                metric: "latency".to_owned(),
                bound: 1.0,
                value: 2.0,
            },
            category: Category::Latency,
            weight,
            at: None,
            text: String::new(),
            source: Source::new("test", "here"),
        }
    }

    fn sum(weights: &[f64]) -> f64 {
        let facts: Vec<Fact> = weights.iter().copied().map(fact).collect();
        node_weight(&facts)
    }

    proptest! {
        #[test]
        fn c4_weight_is_monotone_and_does_not_depend_on_order(
            mut weights in prop::collection::vec(-7.0..7.0_f64, 0..30),
            support in 0.0..7.0_f64,
        ) {
            let before = sum(&weights);
            weights.reverse();
            prop_assert_eq!(before.to_bits(), sum(&weights).to_bits());
            weights.push(support);
            prop_assert!(sum(&weights) >= before - 1e-12);
        }
    }

    #[test]
    fn repetition_says_little_more() {
        assert_eq!(sum(&[WEAK]), WEAK);
        assert_eq!(sum(&[STRONG, -WEAK]), STRONG - WEAK);
        assert!(sum(&[WEAK; 1_000]) <= 2.0 * WEAK);
        assert_eq!(sum(&[f64::NAN, f64::INFINITY]), 0.0);
    }
}
