//! When a series left its usual range, and when it came back.

use crate::evidence::{Case, Observation};

/// What a series did, in rows of the incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    /// The first row of the change.
    pub(crate) onset: usize,
    /// The row in which the change became certain.
    pub(crate) alarm: usize,
    /// The first row from which on everything is as usual again.
    pub(crate) recovery: Option<usize>,
}

/// What a row may drift without adding up, in standard deviations.
const ALLOWANCE: f64 = 0.5;
/// The sum from which on a change is certain, in standard deviations.
const ALARM: f64 = 8.0;
/// What one row may add at most, so that a single wild row is no change.
const ROW_MAX: f64 = 5.0;
/// Within so many standard deviations a row is as usual.
const USUAL: f64 = 2.0;
/// Rows that must be as usual at the end to call it a recovery.
const RECOVERED_ROWS_MIN: usize = 2;

/// The course of an observed series: a one-sided cumulative sum (Page 1954) over the rows in units of their noise.
///
/// With an allowance of half a standard deviation and an alarm at eight, a false alarm is due once in about 19,000 rows
/// (the approximation of Siegmund 1985), so that hundreds of series have none. The onset is the first row after the sum was last zero
/// that is beyond two standard deviations, or the first at all when none is.
pub(crate) fn course(case: &Case, observation: &Observation) -> Option<Course> {
    let sigma = observation.excess_sigma * (case.telling.len().max(1) as f64).sqrt();
    let z = |row: &Option<f64>| {
        row.map(|excess| {
            if sigma > 0.0 {
                excess / sigma
            } else if excess > 0.0 {
                ROW_MAX
            } else {
                0.0
            }
        })
    };
    let rows: Vec<Option<f64>> = observation.rows.iter().map(z).collect();
    of_rows(&rows)
}

/// The course of rows in units of their noise; gaps neither add nor take away.
fn of_rows(rows: &[Option<f64>]) -> Option<Course> {
    let (mut sum, mut begin) = (0.0_f64, None);
    let mut found = None;
    for (row, z) in rows.iter().enumerate() {
        let Some(z) = z else { continue };
        sum += z.min(ROW_MAX) - ALLOWANCE;
        if sum <= 0.0 {
            sum = 0.0;
            begin = None;
            continue;
        }
        let onset = *begin.get_or_insert(row);
        if sum >= ALARM {
            // Noise just before a jump belongs to the sum, but not to the change.
            let clear = |row: &usize| rows[*row].is_some_and(|z| z >= USUAL);
            found = Some(((onset..=row).find(clear).unwrap_or(onset), row));
            break;
        }
    }
    let (onset, alarm) = found?;
    let unusual = |z: &Option<f64>| z.is_some_and(|z| z >= USUAL);
    let last = rows.iter().rposition(unusual).unwrap_or(alarm);
    let quiet = rows[last + 1..].iter().flatten().count();
    Some(Course {
        onset,
        alarm,
        recovery: (quiet >= RECOVERED_ROWS_MIN).then_some(last + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_change_has_an_onset_and_a_single_wild_row_has_none() {
        let check = |rows: &[f64], expected: Option<(usize, usize, Option<usize>)>| {
            let rows: Vec<Option<f64>> = rows.iter().map(|z| (!z.is_nan()).then_some(*z)).collect();
            let found = of_rows(&rows).map(|c| (c.onset, c.alarm, c.recovery));
            assert_eq!(found, expected, "{rows:?}");
        };
        check(&[0.1, -0.2, 9.0, 9.0, 0.1, 0.0, 0.2], Some((2, 3, Some(4))));
        check(&[0.1, -0.2, 9.0, 9.0, 9.0, 0.2], Some((2, 3, None)));
        check(&[0.0, 99.0, 0.0, 0.0, 0.0, 0.0], None);
        check(&[0.0, 0.9, 9.0, 9.0, 9.0], Some((2, 3, None)));
        check(&[0.3; 50], None);
        check(&[0.0, 2.5, 1.5, 2.5, 2.5, 2.5, 2.5], Some((1, 5, None)));
        check(&[0.0, f64::NAN, 9.0, f64::NAN, 9.0], Some((2, 4, None)));
        check(&[], None);
    }
}
