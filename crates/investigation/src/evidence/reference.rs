//! The level that a series is compared with, and how much it varies.

use super::ReferenceSource;
use crate::statistics::Spread;

/// What is known of a series before the incident.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prior {
    /// Mean of the incident's rows before the onset, and how many had a value.
    pub(crate) before: Option<(f64, usize)>,
    /// The baseline.
    pub(crate) baseline: Option<Spread>,
    /// A standard deviation to assume when there is no baseline.
    pub(crate) sigma_without_baseline: f64,
    /// The least standard deviation to believe in.
    pub(crate) sigma_min: f64,
}

/// A level to compare with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) level: f64,
    /// Standard deviation of one row.
    pub(crate) row_sigma: f64,
    /// Standard deviation of `level`.
    pub(crate) level_sigma: f64,
    pub(crate) source: ReferenceSource,
}

/// How much of a rise against the baseline counts as noise of its own: a series that left its range has an unknown spread.
const DRIFT_AS_SIGMA: f64 = 0.5;

impl Prior {
    /// Weighs baseline and first rows against each other, or `None` when there is neither.
    ///
    /// The baseline knows the level better than a few rows do, as long as the level has not drifted since.
    /// Its weight is that of the positive-part James-Stein estimator (Stein 1956; Efron and Morris 1973):
    /// the baseline's variance over the square of the distance between the two, at most one.
    pub(crate) fn reference(&self) -> Option<Reference> {
        match (self.before, self.baseline) {
            (None, None) => None,
            (None, Some(baseline)) => Some(Reference {
                level: baseline.level,
                row_sigma: baseline.sigma.max(self.sigma_min),
                level_sigma: 0.0,
                source: ReferenceSource::Baseline,
            }),
            (Some((level, rows)), None) => {
                let row_sigma = self.sigma_without_baseline.max(self.sigma_min);
                Some(Reference {
                    level,
                    row_sigma,
                    level_sigma: row_sigma / (rows as f64).sqrt(),
                    source: ReferenceSource::BeforeOnset,
                })
            }
            (Some((before, rows)), Some(baseline)) => {
                let sigma = baseline.sigma.max(self.sigma_min);
                let drift = before - baseline.level;
                let weight = if drift == 0.0 {
                    1.0
                } else {
                    (sigma * sigma / (drift * drift)).min(1.0)
                };
                // Noise grows with the level: a service that takes twice as long varies twice as much.
                let growth = if baseline.level > 0.0 {
                    (before / baseline.level).max(1.0)
                } else {
                    1.0
                };
                let rise = drift.max(0.0) * (1.0 - weight) * DRIFT_AS_SIGMA;
                let row_sigma = (sigma * growth.min(10.0)).hypot(rise);
                Some(Reference {
                    level: before + weight * (baseline.level - before),
                    row_sigma,
                    level_sigma: row_sigma * (1.0 - weight) / (rows as f64).sqrt(),
                    source: if weight < 1e-3 {
                        ReferenceSource::BeforeOnset
                    } else {
                        ReferenceSource::Both
                    },
                })
            }
        }
    }
}

impl Reference {
    /// Standard deviation of the mean of `rows` rows minus the level.
    pub(crate) fn contrast_sigma(&self, rows: usize) -> f64 {
        (self.row_sigma / (rows.max(1) as f64).sqrt()).hypot(self.level_sigma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior(before: Option<f64>, baseline: Option<(f64, f64)>) -> Option<Reference> {
        Prior {
            before: before.map(|level| (level, 1)),
            baseline: baseline.map(|(level, sigma)| Spread { level, sigma }),
            sigma_without_baseline: 0.5,
            sigma_min: 0.01,
        }
        .reference()
    }

    #[test]
    fn a_baseline_that_agrees_is_preferred_to_one_row() {
        let reference = prior(Some(1.05), Some((1.0, 0.1))).unwrap();
        assert_eq!(reference.level, 1.0);
        assert_eq!(reference.source, ReferenceSource::Both);
    }

    #[test]
    fn a_baseline_from_which_the_level_has_drifted_loses_its_weight() {
        let reference = prior(Some(3.0), Some((1.0, 0.1))).unwrap();
        assert!((reference.level - 2.995).abs() < 1e-9, "{reference:?}");
        assert!(reference.row_sigma > 0.5, "{reference:?}");
        let down = prior(Some(0.5), Some((1.0, 0.1))).unwrap();
        assert!((down.row_sigma - 0.1).abs() < 1e-9, "{down:?}");
    }

    #[test]
    fn without_a_baseline_the_first_rows_count() {
        let reference = prior(Some(3.0), None).unwrap();
        assert_eq!((reference.level, reference.row_sigma), (3.0, 0.5));
        assert_eq!(reference.source, ReferenceSource::BeforeOnset);
        assert!(prior(None, None).is_none());
    }

    #[test]
    fn more_rows_make_the_contrast_surer() {
        let reference = prior(Some(3.0), None).unwrap();
        assert!(reference.contrast_sigma(4) < reference.contrast_sigma(1));
    }
}
