//! Checks of single attributes against a bound.

use super::Reading;
use crate::evidence::{Category, FactKind, Findings};
use crate::resource::Thresholds;

/// One number against a bound.
pub(super) struct Check {
    /// Names of the attribute; CloudWatch's or the API's first.
    names: &'static [&'static str],
    test: Test,
    category: Category,
    weight: f64,
    /// What it means, in a sentence without its subject.
    meaning: &'static str,
}

enum Test {
    Above(Bound),
    Below(Bound),
}

enum Bound {
    Fixed(f64),
    Of(fn(&Thresholds) -> f64),
}

impl Check {
    /// A count that should be zero.
    pub(super) const fn none(
        names: &'static [&'static str],
        category: Category,
        weight: f64,
        meaning: &'static str,
    ) -> Self {
        Self {
            names,
            test: Test::Above(Bound::Fixed(0.0)),
            category,
            weight,
            meaning,
        }
    }

    pub(super) const fn above(
        names: &'static [&'static str],
        bound: fn(&Thresholds) -> f64,
        category: Category,
        weight: f64,
        meaning: &'static str,
    ) -> Self {
        Self {
            names,
            test: Test::Above(Bound::Of(bound)),
            category,
            weight,
            meaning,
        }
    }

    pub(super) const fn below(
        names: &'static [&'static str],
        bound: fn(&Thresholds) -> f64,
        category: Category,
        weight: f64,
        meaning: &'static str,
    ) -> Self {
        Self {
            names,
            test: Test::Below(Bound::Of(bound)),
            category,
            weight,
            meaning,
        }
    }

    pub(super) fn of(&self, reading: &Reading<'_>, findings: &mut Findings) {
        let Some(value) = reading.number(self.names) else {
            return;
        };
        let bound = |bound: &Bound| match bound {
            Bound::Fixed(bound) => *bound,
            Bound::Of(of) => of(&reading.case.incident.thresholds),
        };
        let (bound, beyond, word) = match &self.test {
            Test::Above(above) => (bound(above), value > bound(above), "above"),
            Test::Below(below) => (bound(below), value < bound(below), "below"),
        };
        if !beyond {
            return;
        }
        let metric = self.names[0];
        let kind = FactKind::Threshold {
            metric: metric.to_owned(),
            bound,
            value,
        };
        let text = format!("{metric} is {value}, {word} {bound}: {}", self.meaning);
        findings
            .facts
            .push(reading.fact(kind, self.category, self.weight, text, metric));
    }
}
