//! Where a value is going.

use std::collections::VecDeque;

use serde::Serialize;

use crate::signal::Signal;
use crate::snapshot::PerformanceSnapshot;

/// Halves that differ by less than this are stable, as in the original.
const STABLE_PERCENT: f64 = 10.0;

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up by more than ten per cent.
    Increasing,
    /// Down by more than ten per cent.
    Decreasing,
    /// Neither.
    Stable,
}

/// Where a value is going: the mean of the later half of the points beside that of the earlier half, and a line through all of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trend {
    /// Which way.
    pub direction: Direction,
    /// By how much the later half differs, in percent of the earlier one; `None` when that is zero.
    pub change_percent: Option<f64>,
    /// Slope of the line by least squares, in units of the value a minute.
    pub per_minute: f64,
    /// Where the line is two intervals after the last point.
    pub projected: f64,
    /// Points that it rests on.
    pub points: usize,
}

/// The values of all signals, a point an interval.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<Vec<Option<f64>>>);

impl History {
    pub(crate) fn push(&mut self, snapshot: &PerformanceSnapshot, max: usize) {
        while self.0.len() >= max {
            self.0.pop_front();
        }
        let values = Signal::ALL.iter().map(|s| s.value(snapshot, None));
        self.0.push_back(values.collect());
    }

    /// The trend of the last points; `None` with fewer than four known ones.
    pub(crate) fn trend(&self, signal: Signal, points: usize, interval_s: f64) -> Option<Trend> {
        let column = Signal::ALL.iter().position(|s| *s == signal)?;
        let from = self.0.len().saturating_sub(points);
        let known: Vec<(f64, f64)> = self
            .0
            .range(from..)
            .enumerate()
            .filter_map(|(at, row)| Some((at as f64 * interval_s, (*row.get(column)?)?)))
            .collect();
        let last = (self.0.len() - from).checked_sub(1)? as f64 * interval_s;
        trend_of(&known, last + 2.0 * interval_s)
    }
}

fn trend_of(points: &[(f64, f64)], at: f64) -> Option<Trend> {
    if points.len() < 4 {
        return None;
    }
    let mean =
        |values: &[(f64, f64)]| values.iter().map(|(_, v)| v).sum::<f64>() / values.len() as f64;
    let half = points.len() / 2;
    let (before, after) = (mean(&points[..half]), mean(&points[points.len() - half..]));
    let change = (before != 0.0).then(|| (after - before) * 100.0 / before.abs());
    let direction = match change {
        Some(change) if change > STABLE_PERCENT => Direction::Increasing,
        Some(change) if change < -STABLE_PERCENT => Direction::Decreasing,
        Some(_) => Direction::Stable,
        None if after > 0.0 => Direction::Increasing,
        None if after < 0.0 => Direction::Decreasing,
        None => Direction::Stable,
    };
    let count = points.len() as f64;
    let mean_time = points.iter().map(|(t, _)| t).sum::<f64>() / count;
    let mean_value = mean(points);
    let (mut above, mut below) = (0.0, 0.0);
    for (time, value) in points {
        above += (time - mean_time) * (value - mean_value);
        below += (time - mean_time).powi(2);
    }
    let slope = if below > 0.0 { above / below } else { 0.0 };
    Some(Trend {
        direction,
        change_percent: change,
        per_minute: slope * 60.0,
        projected: mean_value + slope * (at - mean_time),
        points: points.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(values: &[f64]) -> Option<Trend> {
        let points: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(t, v)| (t as f64, *v))
            .collect();
        trend_of(&points, values.len() as f64 + 1.0)
    }

    #[test]
    fn a_line_is_found_and_continued() {
        let found = trend(&[10.0, 12.0, 14.0, 16.0]).unwrap();
        assert_eq!(found.direction, Direction::Increasing);
        assert!((found.per_minute - 120.0).abs() < 1e-9, "{found:?}");
        assert!((found.projected - 20.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn ten_per_cent_either_way_is_stable() {
        let cases = [
            ([100.0, 100.0, 109.0, 110.0], Direction::Stable),
            ([100.0, 100.0, 111.0, 111.0], Direction::Increasing),
            ([100.0, 100.0, 89.0, 89.0], Direction::Decreasing),
            ([0.0, 0.0, 1.0, 1.0], Direction::Increasing),
            ([0.0, 0.0, 0.0, 0.0], Direction::Stable),
        ];
        for (values, expected) in cases {
            assert_eq!(trend(&values).unwrap().direction, expected, "{values:?}");
        }
        assert_eq!(trend(&[1.0, 2.0, 3.0]), None);
    }
}
