//! The attempts to disprove a hypothesis, against the recorded series.

use super::onset::{Course, course};
use super::{Attempt, Outcome, Test};
use crate::evidence::{Case, Fact, FactKind, Observation};
use crate::ranking::{Evidence, Judged, JudgedNode};
use crate::statistics::quantile;
use crate::telemetry::{Metric, Resource};

/// Intervals that an incident must have for its series to disprove anything. In fewer, chance hides a cause too often.
pub const INTERVALS_MIN: usize = 8;
/// A cause whose onset is more than so many intervals after the symptom's came too late: one for the clock, one for the sum to rise.
pub const LATE_INTERVALS: usize = 2;
/// How far a value may miss its claim, as a share of the claim.
pub const THRESHOLD_TOLERANCE: f64 = 0.05;
/// From how many standard deviations on a node differs from normal operation.
pub const DEVIATION_CLEAR: f64 = 3.0;
/// Below so many standard deviations it does not.
pub const DEVIATION_NONE: f64 = 1.0;
/// From how many standard deviations on a caller counts as affected.
const CALLER_AFFECTED: f64 = 2.0;
/// A node whose callees have this share of its excess only passes it on.
pub const CALLEES_SHARE: f64 = 0.95;
/// A hypothesis that is so many times as likely as the next node has no rival.
pub const ALTERNATIVE_RATIO: f64 = 3.0;

/// What an attempt sees of the case.
pub(super) struct Court<'a> {
    pub(super) case: &'a Case,
    pub(super) evidence: &'a Evidence,
    pub(super) judged: &'a Judged,
}

type Found = (Outcome, String);

impl Court<'_> {
    /// All attempts on one hypothesis: `facts` are those that support it.
    pub(super) fn attempts(&self, node: &JudgedNode, facts: &[&Fact]) -> Vec<Attempt> {
        let attempt = |test, (outcome, reason): Found| Attempt {
            test,
            outcome,
            reason,
        };
        vec![
            attempt(Test::TemporalOrder, self.temporal_order(node.place, facts)),
            attempt(Test::Scope, self.scope(node.place)),
            attempt(Test::Threshold, self.threshold(node.place, facts)),
            attempt(
                Test::BaselineDeviation,
                self.baseline_deviation(node.place, facts),
            ),
            attempt(Test::AlternativeCause, self.alternative_cause(node, facts)),
        ]
    }

    fn name(&self, place: usize) -> &str {
        &self.case.nodes[place]
    }

    /// The observation of a node in the metric of the symptom.
    fn primary(&self, place: usize) -> Option<&Observation> {
        let (_, metric) = self.case.symptom_at()?;
        self.evidence.in_metric(metric)[place].as_ref()
    }

    fn courses(&self, place: usize) -> impl Iterator<Item = Course> + '_ {
        let observed = [Metric::Latency, Metric::Availability];
        observed
            .into_iter()
            .filter_map(move |metric| self.evidence.in_metric(metric)[place].as_ref())
            .filter_map(|observation| course(self.case, observation))
    }

    /// A disproof by what series do not show, if there are enough intervals to trust that.
    fn unless_few(&self, reason: String) -> Found {
        let intervals = self.case.incident.telemetry.starts().len();
        if intervals >= INTERVALS_MIN {
            return (Outcome::Disproven, reason);
        }
        let text = format!("{reason}; {intervals} intervals are too few to disprove it by that");
        (Outcome::Unknown, text)
    }

    fn temporal_order(&self, place: usize, facts: &[&Fact]) -> Found {
        let unknown = |reason: String| (Outcome::Unknown, reason);
        let Some((target, _)) = self.case.symptom_at() else {
            return unknown("no metric shows when the symptom began".to_owned());
        };
        if place == target {
            return unknown("the symptom shows at the node itself".to_owned());
        }
        let telemetry = &self.case.incident.telemetry;
        let starts = telemetry.starts();
        if starts.len() < INTERVALS_MIN {
            return unknown(format!(
                "{} intervals are too few to compare onsets; {INTERVALS_MIN} are needed",
                starts.len()
            ));
        }
        let symptom = self.primary(target).and_then(|o| course(self.case, o));
        let Some(symptom) = symptom.map(|course| course.onset) else {
            return unknown("the symptom has no change point".to_owned());
        };
        let observed = self.courses(place).map(|course| course.onset).min();
        let read = facts.iter().filter_map(|fact| fact.at).map(|span| {
            let after = starts.partition_point(|start| *start <= span.from);
            after.saturating_sub(1)
        });
        // Facts of series span the telling rows, which says nothing about their onset.
        let read = read.filter(|_| !facts.iter().any(|fact| is_series(fact)));
        let Some(onset) = observed.into_iter().chain(read).min() else {
            return unknown("the node has no change point".to_owned());
        };
        let when = match onset as i64 - symptom as i64 {
            0 => "in the same interval as the symptom".to_owned(),
            late @ 1.. => format!("{late} intervals after the symptom"),
            early => format!("{} intervals before the symptom", -early),
        };
        let outcome = if onset > symptom + LATE_INTERVALS {
            Outcome::Disproven
        } else {
            Outcome::Survived
        };
        (outcome, format!("its change begins {when}"))
    }

    /// How far a node deviates in the metric of the symptom. Where the symptom shows, it does.
    fn shown(&self, place: usize) -> Option<f64> {
        let deviation = self.primary(place)?.deviation;
        if self.case.target == Some(place) {
            return Some(deviation.max(CALLER_AFFECTED));
        }
        Some(deviation)
    }

    fn scope(&self, place: usize) -> Found {
        let callers = &self.case.topology.callers[place];
        let judged: Vec<(&str, f64)> = callers
            .iter()
            .filter_map(|caller| Some((self.name(*caller), self.shown(*caller)?)))
            .collect();
        if judged.is_empty() {
            let why = match callers.len() {
                0 => "nobody calls it",
                _ => "none of its callers could be judged",
            };
            return (Outcome::Unknown, why.to_owned());
        }
        let affected = |(_, deviation): &&(&str, f64)| *deviation >= CALLER_AFFECTED;
        let names = |of: &mut dyn Iterator<Item = &(&str, f64)>| {
            let names: Vec<&str> = of.map(|(name, _)| *name).take(5).collect();
            names.join(", ")
        };
        let count = judged.iter().filter(affected).count();
        if count > 0 {
            let hit = names(&mut judged.iter().filter(affected));
            let text = format!(
                "{count} of {} judged callers are affected: {hit}",
                judged.len()
            );
            return (Outcome::Survived, text);
        }
        let clear = judged
            .iter()
            .all(|(_, deviation)| *deviation < DEVIATION_NONE);
        if clear && self.case.target != Some(place) {
            let calm = names(&mut judged.iter());
            return self.unless_few(format!("no caller is affected: {calm}"));
        }
        (
            Outcome::Unknown,
            "its callers deviate too little to tell".to_owned(),
        )
    }

    /// Looks at the claimed values again, by their median instead of their mean. It is disproven when no claim holds.
    fn threshold(&self, place: usize, facts: &[&Fact]) -> Found {
        let node = self.name(place);
        let (mut held, mut failed) = (Vec::new(), Vec::new());
        for fact in facts {
            let (metric, claim) = match &fact.kind {
                FactKind::Threshold { metric, bound, .. } => (metric, *bound),
                FactKind::Saturation {
                    metric,
                    reference,
                    value,
                    bound,
                    ..
                } => (metric, bound.unwrap_or(f64::midpoint(*reference, *value))),
                // Other kinds of facts claim nothing of a recorded value.
                _ => continue,
            };
            let Some(median) = self.median(node, metric) else {
                continue;
            };
            if median < claim * (1.0 - THRESHOLD_TOLERANCE) {
                failed.push(format!(
                    "{metric} should be at least {claim:.3}, its median is {median:.3}"
                ));
            } else {
                held.push(metric.as_str());
            }
        }
        held.dedup();
        match (held.is_empty(), failed.is_empty()) {
            (true, true) => (
                Outcome::Unknown,
                "nothing is claimed of a recorded value".to_owned(),
            ),
            (true, false) => (Outcome::Disproven, failed.join("; ")),
            (false, true) => (Outcome::Survived, format!("holds for {}", held.join(", "))),
            (false, false) => {
                let text = format!("holds for {}, but {}", held.join(", "), failed.join("; "));
                (Outcome::Survived, text)
            }
        }
    }

    fn median(&self, node: &str, metric: &str) -> Option<f64> {
        let resource = Resource::of(metric)?;
        let all = self.case.incident.telemetry.resources(node).iter();
        let mut all = all.filter(|((other, _), _)| *other == resource);
        let (_, values) = all.next()?;
        let rows = self.case.telling.iter();
        let mut values: Vec<f64> = rows
            .map(|row| values[*row])
            .filter(|value| !value.is_nan())
            .collect();
        quantile(&mut values, 0.5)
    }

    fn baseline_deviation(&self, place: usize, facts: &[&Fact]) -> Found {
        let metrics = [Metric::Latency, Metric::Availability, Metric::Requests];
        let observed = metrics
            .into_iter()
            .filter_map(|metric| Some((metric, self.evidence.in_metric(metric)[place].as_ref()?)));
        let largest = observed.max_by(|(_, a), (_, b)| a.deviation.total_cmp(&b.deviation));
        let Some((metric, largest)) = largest else {
            return (
                Outcome::Unknown,
                "none of its series could be judged".to_owned(),
            );
        };
        let text = format!(
            "{metric} is {:+.1} standard deviations off",
            largest.deviation
        );
        if largest.deviation >= DEVIATION_CLEAR {
            (Outcome::Survived, text)
        } else if largest.deviation < DEVIATION_NONE && facts.is_empty() {
            self.unless_few(text)
        } else {
            (Outcome::Unknown, text)
        }
    }

    fn alternative_cause(&self, node: &JudgedNode, facts: &[&Fact]) -> Found {
        if let Some(features) = &node.features
            && facts.is_empty()
            && features.deviation > 0.0
            && 1.0 - features.own >= CALLEES_SHARE
            && !self.case.topology.callees[node.place].is_empty()
        {
            let share = (1.0 - features.own) * 100.0;
            let text = format!("its callees have {share:.0} % of what it has on top");
            return self.unless_few(text);
        }
        let others = self.judged.nodes.iter();
        let rival = others
            .filter(|other| other.place != node.place)
            .max_by(|a, b| a.confidence.total_cmp(&b.confidence));
        let Some(rival) = rival else {
            return (Outcome::Unknown, "there is no other node".to_owned());
        };
        let name = self.name(rival.place);
        if node.confidence >= ALTERNATIVE_RATIO * rival.confidence.max(self.judged.elsewhere) {
            let text = format!("the next, {name}, is less than a third as likely");
            (Outcome::Survived, text)
        } else {
            (
                Outcome::Unknown,
                format!("{name}, or something that was not read, may explain it as well"),
            )
        }
    }
}

fn is_series(fact: &Fact) -> bool {
    matches!(
        fact.kind,
        FactKind::Saturation { .. } | FactKind::Threshold { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Category, Source};
    use crate::ranking::judge;
    use crate::telemetry::Statistic;
    use crate::test_data::slow_incident;

    #[test]
    fn c5_a_claim_of_a_value_must_hold_within_a_share_of_it() {
        let mut incident = slow_incident(&[("front", 0.4)]);
        let used = vec![1.0, 1.0, 96.0, 96.0, 1.0];
        let telemetry = &mut incident.telemetry;
        telemetry.insert_resource("back", Resource::QueueDepth, Statistic::Average, used);
        let case = Case::of(incident);
        let evidence = Evidence::of(&case, []);
        let judged = judge(&case, &evidence, &[], &[]);
        let court = Court {
            case: &case,
            evidence: &evidence,
            judged: &judged,
        };
        let claim = |metric: &str, bound: f64| Fact {
            node: "back".to_owned(),
            kind: FactKind::Threshold {
                metric: metric.to_owned(),
                bound,
                value: bound,
            },
            category: Category::Saturation,
            weight: 2.0,
            at: None,
            text: String::new(),
            source: Source::new("test", "here"),
        };
        let back = case.place("back").unwrap();
        let check = |facts: &[Fact], expected: Outcome| {
            let facts: Vec<&Fact> = facts.iter().collect();
            assert_eq!(court.threshold(back, &facts).0, expected, "{facts:?}");
        };
        check(&[claim("queue_depth", 100.0)], Outcome::Survived);
        check(&[claim("queue_depth", 102.0)], Outcome::Disproven);
        check(&[claim("disk_utilization", 90.0)], Outcome::Unknown);
        // One claim that holds keeps what rests on several.
        let both = [claim("queue_depth", 500.0), claim("queue_depth", 50.0)];
        check(&both, Outcome::Survived);
        check(&[], Outcome::Unknown);
    }
}
