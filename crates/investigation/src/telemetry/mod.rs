//! Series of nodes over common intervals.

mod named;
mod signal;

pub use named::Resource;
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
    columns: Vec<Columns>,
    /// What a server was asked for a series of a node.
    queries: HashMap<(Arc<str>, Signal), Arc<str>>,
}

/// The series of one node.
#[derive(Clone, Debug, Default)]
struct Columns {
    signals: [Option<Vec<f64>>; Signal::COUNT],
    resources: Vec<((Resource, Statistic), Vec<f64>)>,
}

impl Columns {
    fn all_mut(&mut self) -> impl Iterator<Item = &mut Vec<f64>> {
        let resources = self.resources.iter_mut().map(|(_, values)| values);
        self.signals.iter_mut().flatten().chain(resources)
    }
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
        let place = self.place(node);
        self.columns[place].signals[signal.index()] = Some(values);
    }

    /// Adds a series of a resource, or replaces it, as [`insert`](Self::insert) does.
    pub fn insert_resource(
        &mut self,
        node: &str,
        resource: Resource,
        statistic: Statistic,
        mut values: Vec<f64>,
    ) {
        values.resize(self.starts.len(), f64::NAN);
        let place = self.place(node);
        let resources = &mut self.columns[place].resources;
        let key = (resource, statistic);
        match resources.iter_mut().find(|(other, _)| *other == key) {
            Some((_, own)) => *own = values,
            None => {
                resources.push((key, values));
                resources.sort_by_key(|(key, _)| *key);
            }
        }
    }

    fn place(&mut self, node: &str) -> usize {
        if let Some(place) = self.index.get(node) {
            return *place;
        }
        let name: Arc<str> = node.into();
        self.nodes.push(Arc::clone(&name));
        self.columns.push(Columns::default());
        self.index.insert(name, self.columns.len() - 1);
        self.columns.len() - 1
    }

    /// Keeps the question that a server was asked for a series.
    pub fn set_query(&mut self, node: &str, signal: Signal, query: &str) {
        self.queries.insert((node.into(), signal), query.into());
    }

    /// What a server was asked for a series; `None` for series that were not asked for.
    #[must_use]
    pub fn query(&self, node: &str, signal: Signal) -> Option<&str> {
        self.queries
            .get(&(node.into(), signal))
            .map(|query| &**query)
    }

    /// Takes over the series of another telemetry, over the intervals of both.
    ///
    /// Of a series that both have, values are filled in where they are missing. Nothing is overwritten.
    pub fn merge(&mut self, other: Self) {
        if self.columns.is_empty() {
            *self = other;
            return;
        }
        if self.starts != other.starts {
            self.spread_over(&other.starts);
        }
        let rows: Vec<usize> = other
            .starts
            .iter()
            .map(|start| self.starts.partition_point(|own| own < start))
            .collect();
        for (key, query) in other.queries {
            self.queries.entry(key).or_insert(query);
        }
        let count = self.starts.len();
        let fill = |own: Option<&[f64]>, values: Vec<f64>| {
            let mut merged = own.map_or_else(|| vec![f64::NAN; count], <[f64]>::to_vec);
            for (row, value) in rows.iter().zip(values) {
                if merged[*row].is_nan() {
                    merged[*row] = value;
                }
            }
            merged
        };
        for (node, columns) in other.nodes.iter().zip(other.columns) {
            for (signal, values) in Signal::ALL.into_iter().zip(columns.signals) {
                let Some(values) = values else { continue };
                let merged = fill(self.series(node, signal), values);
                self.insert(node, signal, merged);
            }
            for ((resource, statistic), values) in columns.resources {
                let merged = fill(self.resource(node, resource, statistic), values);
                self.insert_resource(node, resource, statistic, merged);
            }
        }
    }

    /// Adds intervals; every series misses their values.
    fn spread_over(&mut self, starts: &[f64]) {
        let mut all: Vec<f64> = self.starts.iter().chain(starts).copied().collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let rows: Vec<usize> = self
            .starts
            .iter()
            .map(|start| all.partition_point(|other| other < start))
            .collect();
        for series in self.columns.iter_mut().flat_map(Columns::all_mut) {
            let mut spread = vec![f64::NAN; all.len()];
            for (row, value) in rows.iter().zip(series.iter()) {
                spread[*row] = *value;
            }
            *series = spread;
        }
        self.starts = all;
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
        self.columns[place].signals[signal.index()].as_deref()
    }

    /// The values of one series of a resource, or `None` when there is no such series.
    #[must_use]
    pub fn resource(&self, node: &str, resource: Resource, statistic: Statistic) -> Option<&[f64]> {
        let all = self.resources(node);
        let key = (resource, statistic);
        let found = all.iter().find(|(other, _)| *other == key);
        found.map(|(_, values)| &values[..])
    }

    /// All series of resources of a node, in the order of their metrics.
    #[must_use]
    pub fn resources(&self, node: &str) -> &[((Resource, Statistic), Vec<f64>)] {
        match self.index.get(node) {
            Some(place) => &self.columns[*place].resources,
            None => &[],
        }
    }

    /// How many series there are.
    #[must_use]
    pub fn series_count(&self) -> usize {
        let present =
            |columns: &Columns| columns.signals.iter().flatten().count() + columns.resources.len();
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
            queries: self.queries.clone(),
            columns: self
                .columns
                .iter()
                .map(|columns| Columns {
                    signals: std::array::from_fn(|n| columns.signals[n].as_ref().map(cut)),
                    resources: columns
                        .resources
                        .iter()
                        .map(|(key, values)| (*key, cut(values)))
                        .collect(),
                })
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
    fn merging_fills_gaps_and_overwrites_nothing() {
        let mut own = Telemetry::over(vec![0.0, 1.0]);
        own.insert("a", Signal::Requests, vec![1.0, f64::NAN]);
        let mut other = Telemetry::over(vec![1.0, 2.0]);
        other.insert("a", Signal::Requests, vec![7.0, 8.0]);
        other.insert("b", Signal::Requests, vec![5.0, 6.0]);
        let (cpu, average) = (Resource::CpuUtilization, Statistic::Average);
        other.insert_resource("b", cpu, average, vec![50.0]);
        own.merge(other);
        assert_eq!(own.starts(), [0.0, 1.0, 2.0]);
        assert_eq!(
            own.series("a", Signal::Requests),
            Some(&[1.0, 7.0, 8.0][..])
        );
        let b = own.series("b", Signal::Requests).unwrap();
        assert!(b[0].is_nan() && b[1..] == [5.0, 6.0], "{b:?}");
        let used = own.resource("b", cpu, average).unwrap();
        assert!(
            used[0].is_nan() && used[1] == 50.0 && used[2].is_nan(),
            "{used:?}"
        );
        assert_eq!(
            own.rows(1, 2).resource("b", cpu, average),
            Some(&[50.0][..])
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
