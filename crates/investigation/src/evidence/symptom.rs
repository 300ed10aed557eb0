//! The symptom at the target: how strong it is, how rare, and in which rows it shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Prior;
use crate::incident::Incident;
use crate::statistics::{Spread, quantile, spread};
use crate::telemetry::{Metric, Signal};

/// How far the target left its usual range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// The metric in which the trouble was noticed.
    pub metric: Metric,
    /// Level before the onset: seconds, or the share of requests that failed.
    pub before: f64,
    /// Level in the telling rows, in the same unit.
    pub value: f64,
    /// The rise against what rises as large occur in, once in a hundred windows of the baseline; 1 is as large as that.
    pub strength: f64,
    /// Windows of the baseline that were compared; 0 when there is no baseline.
    pub windows: usize,
    /// How many of them rose at least as much.
    pub windows_as_strong: usize,
}

/// A rise of the latency by this share counts as large when there is no baseline to ask.
const LATENCY_RISE: f64 = 0.15;
/// So does this share of requests that fail on top.
const FAILED_RISE: f64 = 0.01;

impl Symptom {
    /// The symptom, if the target has values, and the rows in which it is strongest: half of those after the onset.
    pub(crate) fn of(
        incident: &Incident,
        before: &[usize],
        after: &[usize],
    ) -> (Option<Self>, Vec<usize>) {
        let Some(target) = &incident.target else {
            return (None, after.to_vec());
        };
        let (node, signal) = (&*target.node, target.signal);
        let count = after.len().div_ceil(2);
        let Some(series) = incident.telemetry.series(node, signal) else {
            return (None, after.to_vec());
        };
        let series = badness(series, signal);
        let mut rows: Vec<usize> = after.to_vec();
        rows.retain(|row| !series[*row].is_nan());
        // Ties go to the earlier row.
        rows.sort_by(|a, b| series[*b].total_cmp(&series[*a]));
        rows.truncate(count);
        rows.sort_unstable();
        if rows.is_empty() {
            return (None, after.to_vec());
        }
        let baseline = incident
            .baseline
            .as_ref()
            .and_then(|baseline| baseline.series(node, signal))
            .map(|series| badness(series, signal));
        let usual = baseline
            .as_ref()
            .and_then(|values| spread(&mut values.clone()));
        let level = mean(&series, before).or(usual.map(|usual| usual.level));
        let Some(level) = level else {
            return (None, rows);
        };
        let value = mean(&series, &rows).unwrap_or(level);
        let window = Window {
            before,
            after,
            count,
            rows: series.len(),
            usual,
            relative: signal.metric() == Metric::Latency,
        };
        let rise = window.rise(value, level);
        let mut rises = baseline
            .map(|values| window.rises(&values))
            .unwrap_or_default();
        let windows = rises.len();
        let as_strong = rises.iter().filter(|usual| **usual >= rise).count();
        let floor = match signal.metric() {
            Metric::Latency => LATENCY_RISE,
            _ => FAILED_RISE,
        };
        let large = match quantile(&mut rises, 0.99) {
            Some(large) => large.max(floor / 10.0),
            None => floor,
        };
        let symptom = Self {
            metric: signal.metric(),
            before: level,
            value,
            strength: (rise / large).clamp(-100.0, 100.0),
            windows,
            windows_as_strong: as_strong,
        };
        (Some(symptom), rows)
    }
}

/// The series, such that larger is worse: latency as it is, availability as the share that failed.
pub(crate) fn badness(series: &[f64], signal: Signal) -> Vec<f64> {
    match signal.metric() {
        Metric::Availability => series
            .iter()
            .map(|percent| (100.0 - percent) / 100.0)
            .collect(),
        _ => series.to_vec(),
    }
}

/// The mean of the rows that have a value.
pub(crate) fn mean(series: &[f64], rows: &[usize]) -> Option<f64> {
    let present = rows
        .iter()
        .map(|row| series[*row])
        .filter(|value| !value.is_nan());
    let (sum, count) = present.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The shape of the incident, to lay over the baseline.
struct Window<'a> {
    before: &'a [usize],
    after: &'a [usize],
    count: usize,
    rows: usize,
    usual: Option<Spread>,
    /// Whether a rise is a share of the level.
    relative: bool,
}

/// Windows that are laid over the baseline at most; a longer baseline is sampled evenly.
const WINDOWS_MAX: usize = 2_000;

impl Window<'_> {
    /// How far `value` is above the level before, which gives way to the usual one as in every other observation.
    fn rise(&self, value: f64, before: f64) -> f64 {
        let prior = Prior {
            before: Some((before, self.before.len().max(1))),
            baseline: self.usual,
            sigma_without_baseline: 0.0,
            sigma_min: 0.0,
        };
        let level = prior
            .reference()
            .map_or(before, |reference| reference.level);
        let rise = value - level;
        if self.relative && level > 0.0 {
            rise / level
        } else {
            rise
        }
    }

    /// How much the series rises in each place of the baseline, judged just as in the incident.
    fn rises(&self, values: &[f64]) -> Vec<f64> {
        if values.len() < self.rows || self.rows == 0 {
            return Vec::new();
        }
        let places = values.len() - self.rows + 1;
        let mut rises = Vec::with_capacity(places.min(WINDOWS_MAX));
        let mut strongest: Vec<f64> = Vec::with_capacity(self.after.len());
        for place in (0..places).step_by(places.div_ceil(WINDOWS_MAX)) {
            let window = &values[place..place + self.rows];
            strongest.clear();
            strongest.extend(
                self.after
                    .iter()
                    .map(|row| window[*row])
                    .filter(|value| !value.is_nan()),
            );
            strongest.sort_unstable_by(|a, b| b.total_cmp(a));
            strongest.truncate(self.count);
            if strongest.is_empty() {
                continue;
            }
            let top = strongest.iter().sum::<f64>() / strongest.len() as f64;
            let usual = self.usual.map_or(0.0, |usual| usual.level);
            rises.push(self.rise(top, mean(window, self.before).unwrap_or(usual)));
        }
        rises
    }
}
