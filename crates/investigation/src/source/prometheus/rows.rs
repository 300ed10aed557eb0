//! Equal intervals around the onset, and the series of answers laid over them.

use super::answer::{QueryData, Series};

/// Intervals of a window that are aimed at.
const ROWS_AIM: f64 = 30.0;
/// Scrapes that an interval has at least, so that its increase is known.
const SCRAPES_MIN: f64 = 4.0;
/// Intervals of one question at most; Prometheus refuses more than 11,000 points of a series.
const ROWS_MAX: f64 = 10_000.0;

/// Intervals of equal length; number 0 ends at the onset, number 1 begins with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rows {
    pub(super) onset: f64,
    /// Seconds.
    pub(super) step: f64,
    /// Number of the first and of the last interval.
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Rows {
    /// Half of the window before the onset, half after it but not beyond `now`; `None` when nothing is left after it.
    pub(super) fn around(onset: f64, window: f64, step: f64, now: f64) -> Option<Self> {
        let half = whole((window / 2.0 / step).floor().clamp(1.0, ROWS_MAX / 2.0));
        let measured = whole(((now - onset) / step).floor().clamp(-1.0, ROWS_MAX));
        let rows = Self {
            onset,
            step,
            first: 1 - half,
            last: half.min(measured),
        };
        (rows.last >= 1).then_some(rows)
    }

    /// Intervals of normal operation: so many seconds before the first of these.
    pub(super) fn baseline(self, seconds: f64) -> Option<Self> {
        let count = whole((seconds / self.step).floor().clamp(0.0, ROWS_MAX));
        (count > 0).then_some(Self {
            first: self.first - count,
            last: self.first - 1,
            ..self
        })
    }

    /// The starts of the intervals.
    pub(super) fn starts(self) -> Vec<f64> {
        let start = |number: i64| self.end_of(number) - self.step;
        (self.first..=self.last).map(start).collect()
    }

    /// The end of the first interval, at which it is asked for.
    pub(super) fn first_end(self) -> f64 {
        self.end_of(self.first)
    }

    /// The end of the last one.
    pub(super) fn last_end(self) -> f64 {
        self.end_of(self.last)
    }

    fn end_of(self, number: i64) -> f64 {
        self.onset + number as f64 * self.step
    }

    /// The values of a series in these intervals; what is missing or infinite is NaN.
    pub(super) fn values(self, series: &Series) -> Vec<f64> {
        let mut values = vec![f64::NAN; (self.first..=self.last).count()];
        for point in &series.values {
            let place = ((point.at - self.first_end()) / self.step).round();
            if place >= 0.0
                && point.value.is_finite()
                && let Some(value) =
                    values.get_mut(usize::try_from(whole(place)).unwrap_or(usize::MAX))
            {
                *value = point.value;
            }
        }
        values
    }
}

/// The length of an interval for a window and an interval of scrapes, in whole seconds from one on.
pub(super) fn step(window: f64, scrape: Option<f64>) -> f64 {
    let shortest = scrape.unwrap_or(15.0) * SCRAPES_MIN;
    let step = (window / ROWS_AIM).max(shortest);
    if step > 1.0 { step.ceil() } else { step }
}

/// A duration in PromQL.
pub(super) fn duration(seconds: f64) -> String {
    format!("{}ms", whole((seconds * 1_000.0).round()).max(1))
}

/// The series of an answer; one value at a time counts as one point.
pub(super) fn series_of(data: QueryData) -> Vec<Series> {
    match data {
        QueryData::Matrix(series) => series,
        QueryData::Vector(samples) => samples
            .into_iter()
            .map(|sample| Series {
                metric: sample.metric,
                values: sample.value.into_iter().collect(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "values are cut to their range before, and a cast of a float saturates"
)]
fn whole(number: f64) -> i64 {
    number as i64
}

/// Seconds of a duration as Prometheus writes it, for example `15s`, `1m30s`, `500ms` or `1d`; `None` for anything else,
/// and for nothing.
#[must_use]
pub fn duration_of(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let end = unit
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(unit.len());
        let factor = match &unit[..end] {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = &unit[end..];
    }
    (seconds > 0.0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Labels, Point};
    use super::*;

    #[test]
    fn intervals_meet_at_the_onset_and_end_by_now() {
        let rows = Rows::around(1_000.0, 120.0, 20.0, 1_045.0).unwrap();
        assert_eq!((rows.first, rows.last), (-2, 2));
        assert_eq!(rows.starts(), [940.0, 960.0, 980.0, 1_000.0, 1_020.0]);
        assert_eq!((rows.first_end(), rows.last_end()), (960.0, 1_040.0));
        let baseline = rows.baseline(65.0).unwrap();
        assert_eq!(baseline.starts(), [880.0, 900.0, 920.0]);
        assert_eq!(Rows::around(1_000.0, 120.0, 20.0, 1_010.0), None);
        assert_eq!(rows.baseline(5.0), None);
    }

    #[test]
    fn values_find_their_interval() {
        let rows = Rows::around(1_000.0, 80.0, 20.0, 9_999.0).unwrap();
        let point = |at: f64, value: f64| Point { at, value };
        let series = Series {
            metric: Labels::new(),
            values: vec![
                point(100.0, 9.0),
                point(980.0, 1.0),
                point(1_020.0, f64::INFINITY),
                point(1_040.0, 4.0),
                point(9_000.0, 9.0),
            ],
        };
        let values = rows.values(&series);
        assert_eq!((values[0], values[3]), (1.0, 4.0));
        assert!(values[1].is_nan() && values[2].is_nan() && values.len() == 4);
    }

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds) in [
            ("15s", Some(15.0)),
            ("1m30s", Some(90.0)),
            ("500ms", Some(0.5)),
            ("1d", Some(86_400.0)),
            ("", None),
            ("15", None),
            ("x", None),
            ("1y", None),
        ] {
            assert_eq!(duration_of(text), seconds, "{text}");
        }
        assert_eq!(duration(1.5), "1500ms");
        assert_eq!(step(1_800.0, Some(15.0)), 60.0);
        assert_eq!(step(1_800.0, Some(60.0)), 240.0);
    }
}
