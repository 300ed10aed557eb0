//! What contributed beside the first node's main hypothesis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Case, Category, Fact};
use crate::hypothesis::{Hypothesis, Standing};
use crate::ranking::Evidence;

/// Factors at most.
pub const FACTORS_MAX: usize = 10;
/// A hypothesis that is less likely did not contribute.
const CONFIDENCE_MIN: f64 = 0.05;
/// From how many standard deviations on more requests contribute.
const TRAFFIC_DEVIATION_MIN: f64 = 5.0;

/// Something that contributed to the incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// The node.
    pub node: String,
    /// What kind it is.
    pub category: Category,
    /// What it is, for people.
    pub text: String,
    /// Facts that it rests on, as places in `facts` of the report; none when it rests on series.
    pub facts: Vec<usize>,
}

/// Contributing factors: further hypotheses that are likely and not disproven, and more requests at the target.
///
/// The first hypothesis is the cause, not a factor.
pub(crate) fn factors(
    case: &Case,
    evidence: &Evidence,
    hypotheses: &[Hypothesis],
    facts: &[Fact],
) -> Vec<Factor> {
    let standing = hypotheses
        .iter()
        .filter(|hypothesis| hypothesis.standing != Standing::Disproven);
    let mut factors: Vec<Factor> = standing
        .skip(1)
        .filter(|hypothesis| hypothesis.confidence >= CONFIDENCE_MIN)
        .map(|hypothesis| Factor {
            node: hypothesis.node.clone(),
            category: hypothesis.category,
            text: hypothesis.text.clone(),
            facts: hypothesis.supporting_facts.clone(),
        })
        .collect();
    let named = |node: &str, category| {
        hypotheses
            .iter()
            .any(|hypothesis| hypothesis.node == node && hypothesis.category == category)
    };
    for (place, fact) in facts.iter().enumerate() {
        let change = matches!(
            fact.category,
            Category::Deployment | Category::Configuration
        );
        if change && fact.weight > 0.0 && !named(&fact.node, fact.category) {
            factors.push(Factor {
                node: fact.node.clone(),
                category: fact.category,
                text: fact.text.clone(),
                facts: vec![place],
            });
        }
    }
    if let Some(traffic) = case
        .target
        .and_then(|target| evidence.traffic[target].as_ref())
        && traffic.deviation >= TRAFFIC_DEVIATION_MIN
    {
        factors.push(Factor {
            node: traffic.node.clone(),
            category: Category::Traffic,
            text: format!(
                "requests rose from {:.0} to {:.0} an interval",
                traffic.reference, traffic.value
            ),
            facts: Vec::new(),
        });
    }
    factors.truncate(FACTORS_MAX);
    factors
}
