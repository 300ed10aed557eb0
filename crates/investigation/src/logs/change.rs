//! What a log says after the onset that it did not say, or said less often, before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::category::category_of;
use super::summary::{Counts, LogSummary, LogTemplate};

/// A change counts when it is less likely than this by chance, after correction for the number of templates.
pub const SURPRISE_MAX: f64 = 0.01;
/// A template surges when its lines come at least so many times as often as before.
pub const SURGE_RATIO_MIN: f64 = 2.0;
/// Intervals before the onset from which the burstiness of a template is estimated, at least.
const INTERVALS_MIN: i64 = 8;

/// How a template changed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogChangeKind {
    /// No line of it before the onset.
    New,
    /// More lines than before.
    Surging,
}

/// A template that changed at the onset.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogChange {
    /// How.
    pub kind: LogChangeKind,
    /// The template.
    pub template: LogTemplate,
    /// Its lines before the onset.
    pub before: u64,
    /// Its lines after it.
    pub after: u64,
    /// The probability that chance alone does as much, after correction for the number of templates; at most 1.
    ///
    /// That of a new template that complains may be above [`SURPRISE_MAX`]: one line can be all there is.
    pub surprise: f64,
}

/// The changes of a node's log.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LogChanges {
    /// New and surging templates, the least likely by chance first.
    pub changes: Vec<LogChange>,
    /// Seconds of log before the onset.
    pub seconds_before: f64,
    /// Seconds of log after it.
    pub seconds_after: f64,
}

impl LogSummary {
    /// Compares what was logged before the onset and after it, or `None` when the log has no lines with a time on both
    /// sides.
    ///
    /// `covered` is the time that the log is known to cover, in seconds since 1970, if that is more than from its first
    /// line to its last: a program that logs trouble only is silent before it. Silence in that time counts as no lines.
    ///
    /// A template is *new* when no line of it is older than the onset. It is told when it is of error level or has one of
    /// the phrases that programs complain with, or when it is unlikely by chance. If its `n` lines fell anywhere in the log, all
    /// of them after the onset have the probability of that share of time to the power of `n`.
    ///
    /// A template *surges* when its rate at least doubles and a G-test of the two rates (Sokal and Rohlf 1995), with
    /// the variance widened by its burstiness before the onset (quasi-Poisson; McCullagh and Nelder 1989), finds that
    /// unlikely. Below the level of an error its share of all lines must rise as well: more requests write more lines.
    ///
    /// Probabilities are multiplied by the number of templates (Bonferroni).
    #[must_use]
    pub fn changes(&self, onset: f64, covered: Option<(f64, f64)>) -> Option<LogChanges> {
        let (width, mut first, mut last) = self.span()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast of a float saturates, and times are cut to the span by what follows"
        )]
        let interval = |at: f64| (at / width as f64).floor() as i64;
        let silent =
            covered.filter(|(from, to)| self.is_plausible(*from) && self.is_plausible(*to));
        if let Some((from, to)) = silent {
            first = first.min(interval(from));
            last = last.max(interval(to));
        }
        let split = interval(onset).clamp(first, last.saturating_add(1));
        // The interval of the onset itself belongs to neither side, unless it begins with it.
        let starts = split as f64 * width as f64 >= onset;
        let after = if starts { split } else { split + 1 }..last + 1;
        let before = first..split;
        let known = |side: &std::ops::Range<i64>| {
            !side.is_empty() && (silent.is_some() || self.all.within(side.clone()) > 0)
        };
        if !known(&before) || !known(&after) || !onset.is_finite() {
            return None;
        }
        let seconds = |range: &std::ops::Range<i64>| ((range.end - range.start) * width) as f64;
        let sides = Sides {
            all_before: self.all.within(before.clone()) as f64,
            all_after: self.all.within(after.clone()) as f64,
            seconds_before: seconds(&before),
            seconds_after: seconds(&after),
            templates: self.template_count() as f64,
            before,
            after,
        };
        let mut changes: Vec<LogChange> = (0..self.template_count())
            .filter_map(|number| {
                let (counts, template) = self.counts(number);
                let (kind, surprise) = sides.judge(counts, template, onset)?;
                Some(LogChange {
                    kind,
                    before: counts.within(sides.before.clone()),
                    after: counts.within(sides.after.clone()),
                    surprise,
                    template: self.template(number),
                })
            })
            .collect();
        // The order in which templates were first seen decides between equals.
        changes.sort_by(|a, b| a.surprise.total_cmp(&b.surprise));
        Some(LogChanges {
            changes,
            seconds_before: sides.seconds_before,
            seconds_after: sides.seconds_after,
        })
    }
}

/// The log's time, cut at the onset.
struct Sides {
    before: std::ops::Range<i64>,
    after: std::ops::Range<i64>,
    seconds_before: f64,
    seconds_after: f64,
    all_before: f64,
    all_after: f64,
    templates: f64,
}

impl Sides {
    fn judge(
        &self,
        counts: &Counts,
        template: &LogTemplate,
        onset: f64,
    ) -> Option<(LogChangeKind, f64)> {
        let before = counts.within(self.before.clone()) as f64;
        let after = counts.within(self.after.clone()) as f64;
        let is_error = template.level.is_some_and(|level| level.is_error());
        let complains = is_error || category_of(&template.sample).is_some();
        if template.first_at.is_some_and(|first| first >= onset) {
            let share = self.seconds_after / (self.seconds_before + self.seconds_after);
            let surprise = (share.powf(after.max(1.0)) * self.templates).min(1.0);
            return (complains || surprise <= SURPRISE_MAX)
                .then_some((LogChangeKind::New, surprise));
        }
        let ratio = (after / self.seconds_after) / (before / self.seconds_before);
        // A template with a line in the onset's own interval only has no rate before: nothing to compare.
        if before == 0.0 || ratio < SURGE_RATIO_MIN {
            return None;
        }
        let share_ratio = (after / self.all_after) / (before / self.all_before);
        if !is_error && share_ratio < SURGE_RATIO_MIN {
            return None;
        }
        let g = g_statistic(before, self.seconds_before, after, self.seconds_after);
        let chance = above(g / self.burstiness(counts)) * self.templates;
        (chance <= SURPRISE_MAX).then_some((LogChangeKind::Surging, chance))
    }

    /// Variance over mean of the counts before the onset, at least 1. Too few intervals count as 2.
    fn burstiness(&self, counts: &Counts) -> f64 {
        let intervals = self.before.end - self.before.start;
        if intervals < INTERVALS_MIN {
            return 2.0;
        }
        let (mut sum, mut squares) = (0.0, 0.0);
        for (_, count) in counts
            .iter()
            .filter(|(interval, _)| self.before.contains(interval))
        {
            let count = count as f64;
            sum += count;
            squares += count * count;
        }
        let intervals = intervals as f64;
        let mean = sum / intervals;
        let variance = (squares - intervals * mean * mean) / (intervals - 1.0);
        (variance / mean).max(1.0)
    }
}

/// Twice the log of the likelihood of two rates over that of one common rate.
fn g_statistic(before: f64, seconds_before: f64, after: f64, seconds_after: f64) -> f64 {
    let rate = (before + after) / (seconds_before + seconds_after);
    let part = |count: f64, expected: f64| {
        if count > 0.0 {
            count * (count / expected).ln()
        } else {
            0.0
        }
    };
    2.0 * (part(before, rate * seconds_before) + part(after, rate * seconds_after))
}

/// The probability that a chi-squared variable of one degree of freedom, on its upper side, is above the value.
fn above(chi_squared: f64) -> f64 {
    0.5 * libm::erfc((chi_squared.max(0.0) / 2.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONSET: f64 = 1_795_293_000.0;

    /// A log that says `line(second)` for each second, from 600 before the onset to 300 after it.
    fn log(line: impl Fn(i64) -> String) -> LogSummary {
        let mut text = String::new();
        for second in -600..300 {
            for line in line(second).lines() {
                text.push_str(&format!("{} {line}\n", 1_795_293_000 + second));
            }
        }
        let mut summary = LogSummary::new("pay", ONSET);
        summary.read("pay.log", text.as_bytes()).unwrap();
        summary
    }

    fn told(summary: &LogSummary) -> Vec<(LogChangeKind, String)> {
        let changes = summary.changes(ONSET, None).unwrap().changes;
        changes
            .into_iter()
            .map(|change| (change.kind, change.template.text))
            .collect()
    }

    #[test]
    fn a_new_error_and_a_surge_are_told_and_the_rest_is_not() {
        let summary = log(|second| {
            let mut text = format!("INFO paid order {second}\n");
            if second % 20 == 0 || (second > 0 && second % 2 == 0) {
                text.push_str("WARN slow query of table orders\n");
            }
            if second == 17 {
                text.push_str("ERROR deadlock detected\n");
            }
            text
        });
        assert_eq!(
            told(&summary),
            [
                (
                    LogChangeKind::Surging,
                    "WARN slow query of table orders".to_owned()
                ),
                (LogChangeKind::New, "ERROR deadlock detected".to_owned()),
            ]
        );
        let changes = summary.changes(ONSET, None).unwrap();
        let new = &changes.changes[1];
        assert_eq!((new.before, new.after), (0, 1));
        assert!(new.template.location.starts_with("pay.log:"));
        assert_eq!(changes.seconds_before, 600.0);
    }

    #[test]
    fn a_rare_harmless_line_after_the_onset_is_chance() {
        let summary = log(|second| match second {
            40 => "INFO rotated keys".to_owned(),
            _ => "INFO paid".to_owned(),
        });
        assert_eq!(told(&summary), []);
    }

    #[test]
    fn more_requests_are_no_surge_of_their_lines() {
        let summary = log(|second| {
            let line = "INFO paid\nINFO stored in table orders\n";
            line.repeat(if second >= 0 { 5 } else { 1 })
        });
        assert_eq!(told(&summary), []);
    }

    #[test]
    fn bursts_as_before_are_no_surge() {
        // 60 lines at once every five minutes, and one burst more after the onset than its share of time.
        let summary = log(|second| match second {
            -550 | -250 | 10 | 100 => "WARN flush of cache\n".repeat(60),
            _ => "INFO paid".to_owned(),
        });
        assert_eq!(told(&summary), []);
        // Three times as many lines, evenly: that is a surge.
        let even = log(|second| {
            let many = if second >= 0 {
                second % 5 < 3
            } else {
                second % 5 == 0
            };
            format!(
                "INFO paid\n{}",
                if many { "WARN flush of cache" } else { "" }
            )
        });
        assert_eq!(told(&even).len(), 1);
    }

    #[test]
    fn without_lines_on_both_sides_nothing_is_said() {
        let summary = log(|_| "INFO paid".to_owned());
        assert_eq!(summary.changes(ONSET + 5_000.0, None), None);
        assert_eq!(summary.changes(ONSET - 5_000.0, None), None);
        assert_eq!(summary.changes(f64::NAN, None), None);
        assert_eq!(LogSummary::new("pay", ONSET).changes(ONSET, None), None);
    }

    #[test]
    fn silence_in_the_time_that_is_covered_is_no_lines() {
        let text: String = (0..100)
            .map(|second| format!("{} WARN slow call\n", 1_795_293_000 + second))
            .collect();
        let mut summary = LogSummary::new("pay", ONSET);
        summary.read("pay.log", text.as_bytes()).unwrap();
        assert_eq!(summary.changes(ONSET, None), None);
        let covered = Some((ONSET - 300.0, ONSET + 300.0));
        let changes = summary.changes(ONSET, covered).unwrap();
        assert_eq!(changes.seconds_before, 300.0);
        assert_eq!(changes.changes[0].kind, LogChangeKind::New);
        assert_eq!(summary.changes(ONSET, Some((ONSET, ONSET + 300.0))), None);
    }

    #[test]
    fn the_statistic_is_that_of_the_table() {
        // Sokal and Rohlf's form: 2 · Σ observed · ln(observed / expected).
        let g = g_statistic(10.0, 100.0, 30.0, 100.0);
        let by_hand = 2.0 * (10.0 * (10.0_f64 / 20.0).ln() + 30.0 * (30.0_f64 / 20.0).ln());
        assert!((g - by_hand).abs() < 1e-12);
        // 3.841 is exceeded by one in twenty, half of them on the upper side.
        assert!((above(3.841_459) - 0.025).abs() < 1e-6);
    }
}
