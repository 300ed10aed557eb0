//! Series of nodes over common intervals.

mod signal;

pub use signal::{Metric, Signal, Statistic};

use std::collections::HashMap;
use std::sync::Arc;

/// The metrics of all nodes over one span of time.
///
/// All series share their intervals. A missing value is [`f64::NAN`] and never counts as zero.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    starts: Vec<f64>,
    nodes: Vec<Arc<str>>,
    index: HashMap<Arc<str>, usize>,
    columns: Vec<[Option<Vec<f64>>; Signal::COUNT]>,
}

impl Telemetry {
    /// Intervals without a series yet. `starts` are seconds since 1970, ascending.
    #[must_use]
    pub fn over(starts: Vec<f64>) -> Self {
        Self {
            starts,
            ..Self::default()
        }
    }

    /// Adds a series, or replaces it. What `values` lacks towards the number of intervals is missing, what it has more is dropped.
    pub fn insert(&mut self, node: &str, signal: Signal, mut values: Vec<f64>) {
        values.resize(self.starts.len(), f64::NAN);
        let place = match self.index.get(node) {
            Some(place) => *place,
            None => {
                let name: Arc<str> = node.into();
                self.nodes.push(Arc::clone(&name));
                self.columns.push(Default::default());
                self.index.insert(name, self.columns.len() - 1);
                self.columns.len() - 1
            }
        };
        self.columns[place][signal.index()] = Some(values);
    }

    /// The starts of the intervals, in seconds since 1970.
    #[must_use]
    pub fn starts(&self) -> &[f64] {
        &self.starts
    }

    /// The nodes, in the order in which they came.
    #[must_use]
    pub fn nodes(&self) -> &[Arc<str>] {
        &self.nodes
    }

    /// The values of one series, or `None` when there is no such series.
    #[must_use]
    pub fn series(&self, node: &str, signal: Signal) -> Option<&[f64]> {
        let place = *self.index.get(node)?;
        self.columns[place][signal.index()].as_deref()
    }

    /// How many series there are.
    #[must_use]
    pub fn series_count(&self) -> usize {
        let present =
            |columns: &[Option<Vec<f64>>; Signal::COUNT]| columns.iter().flatten().count();
        self.columns.iter().map(present).sum()
    }

    /// The length of an interval in seconds: the median distance between starts, or `None` for fewer than two.
    #[must_use]
    pub fn step(&self) -> Option<f64> {
        let mut steps: Vec<f64> = self
            .starts
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        crate::statistics::quantile(&mut steps, 0.5)
    }

    /// The rows from `from` up to but not including `to`, bounded by what is there.
    #[must_use]
    pub fn rows(&self, from: usize, to: usize) -> Self {
        let to = to.min(self.starts.len());
        let from = from.min(to);
        let cut = |series: &Vec<f64>| series[from..to].to_vec();
        Self {
            starts: self.starts[from..to].to_vec(),
            nodes: self.nodes.clone(),
            index: self.index.clone(),
            columns: self
                .columns
                .iter()
                .map(|signals| std::array::from_fn(|signal| signals[signal].as_ref().map(cut)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_series_is_filled_with_missing_values() {
        let mut telemetry = Telemetry::over(vec![0.0, 300.0, 600.0]);
        telemetry.insert("a", Signal::Requests, vec![1.0]);
        let series = telemetry.series("a", Signal::Requests).unwrap();
        assert_eq!(series[0], 1.0);
        assert!(series[1].is_nan() && series[2].is_nan());
        assert_eq!(telemetry.series("a", Signal::Availability), None);
        assert_eq!(telemetry.series("b", Signal::Requests), None);
        assert_eq!(
            (telemetry.series_count(), telemetry.step()),
            (1, Some(300.0))
        );
    }

    #[test]
    fn rows_are_cut_within_bounds() {
        let mut telemetry = Telemetry::over(vec![0.0, 1.0, 2.0]);
        telemetry.insert("a", Signal::Requests, vec![1.0, 2.0, 3.0]);
        let cut = telemetry.rows(1, 99);
        assert_eq!(cut.starts(), [1.0, 2.0]);
        assert_eq!(cut.series("a", Signal::Requests), Some(&[2.0, 3.0][..]));
        assert!(telemetry.rows(7, 3).starts().is_empty());
    }
}
