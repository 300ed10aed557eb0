//! A node's log, read once: templates with their counts over time.

use std::collections::HashMap;
use std::io::{self, BufRead};

use super::drain::{Drain, LOG_TEMPLATES_MAX};
use super::line::{LogLevel, LogLine};
use super::stream::{LINE_BYTES_MAX, Lines};
use super::text::clean;

/// Intervals of time in which lines are counted, at most; when a log spans more, their length doubles.
const INTERVALS_MAX: i64 = 1_024;
/// Bytes of a sample line that are kept.
const SAMPLE_BYTES_MAX: usize = 240;
/// A timestamp so far away from the incident is taken for a mistake: 400 days.
const PLAUSIBLE_SECONDS: f64 = 400.0 * 86_400.0;

/// Counts by interval, in the order of intervals; intervals without a line are not kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts(Vec<(i64, u64)>);

impl Counts {
    fn add(&mut self, interval: i64) {
        // Lines come nearly in order of time: the place is at the end or close to it.
        let place = self.0.partition_point(|(known, _)| *known < interval);
        match self.0.get_mut(place) {
            Some((known, count)) if *known == interval => *count += 1,
            _ => self.0.insert(place, (interval, 1)),
        }
    }

    /// Intervals of twice the length.
    fn halve(&mut self) {
        let mut merged: Vec<(i64, u64)> = Vec::with_capacity(self.0.len().div_ceil(2) + 1);
        for (interval, count) in self.0.drain(..) {
            let interval = interval.div_euclid(2);
            match merged.last_mut() {
                Some((known, sum)) if *known == interval => *sum += count,
                _ => merged.push((interval, count)),
            }
        }
        self.0 = merged;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Sum over the intervals of the range.
    pub(super) fn within(&self, range: std::ops::Range<i64>) -> u64 {
        self.iter()
            .filter(|(interval, _)| range.contains(interval))
            .map(|(_, count)| count)
            .sum()
    }
}

/// Lines of one form in a node's log.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogTemplate {
    /// The form; `<*>` stands for what varies. Control characters are shown as escapes.
    pub text: String,
    /// The worst level that a line of it has.
    pub level: Option<LogLevel>,
    /// Lines.
    pub lines: u64,
    /// Time of the earliest line that has one, in seconds since 1970.
    pub first_at: Option<f64>,
    /// The earliest of those lines, cut to 240 bytes. Control characters are shown as escapes.
    pub sample: String,
    /// Where the sample stands: file and line.
    pub location: String,
    pub(super) counts: Counts,
}

/// What a node's log holds.
#[derive(Clone, Debug)]
pub struct LogSummary {
    node: String,
    near: f64,
    /// New templates that may still come.
    room: usize,
    drain: Drain,
    templates: Vec<LogTemplate>,
    pub(super) all: Counts,
    /// Seconds of an interval, a power of two.
    width: i64,
    span: Option<(i64, i64)>,
    lines: u64,
    unfitting: u64,
    undated: u64,
    services: HashMap<String, u64>,
}

/// Names of services that a log may have; further ones are not kept.
const SERVICES_MAX: usize = 64;

impl LogSummary {
    /// An empty log of the node. `near` is a time close to the incident, in seconds since 1970: it gives the year to
    /// timestamps that have none, and timestamps more than 400 days away from it are taken for mistakes.
    #[must_use]
    pub fn new(node: impl Into<String>, near: f64) -> Self {
        Self {
            node: node.into(),
            near,
            room: LOG_TEMPLATES_MAX,
            drain: Drain::default(),
            templates: Vec::new(),
            all: Counts::default(),
            width: 1,
            span: None,
            lines: 0,
            unfitting: 0,
            undated: 0,
            services: HashMap::new(),
        }
    }

    /// At most so many templates, if that is less than [`LOG_TEMPLATES_MAX`].
    pub(super) fn templates_max(mut self, max: usize) -> Self {
        self.room = max.min(LOG_TEMPLATES_MAX);
        self
    }

    /// Reads a log to its end, in bounded memory. `file` is how it is named in what is found.
    ///
    /// Bytes that are not UTF-8 are replaced; a line is cut after 64 KiB.
    /// Lines that begin with a space, or as the tail of a stack trace does, belong to the line before them.
    /// A line without a time has that of the line before it.
    ///
    /// # Errors
    ///
    /// What the reader says. What was read until then stays.
    pub fn read(&mut self, file: &str, from: impl BufRead) -> io::Result<()> {
        let mut lines = Lines::new(from);
        let mut number = 0_u64;
        let mut last_at = None;
        while let Some(bytes) = lines.next_line()? {
            number += 1;
            let text = String::from_utf8_lossy(bytes);
            if text.trim().is_empty() || (last_at.is_some() && continues(&text)) {
                continue;
            }
            let line = LogLine::parse(&text, self.near);
            if let Some(at) = line.at.filter(|at| self.is_plausible(*at)) {
                last_at = Some(at);
            }
            self.add(file, number, &line, last_at);
        }
        Ok(())
    }

    /// Adds one line that comes with its time, as a server of logs has it. `file` is how its source is named in what is
    /// found.
    pub fn add_line(&mut self, file: &str, at: f64, text: &str) {
        let end = text.floor_char_boundary(LINE_BYTES_MAX);
        let line = LogLine::parse(&text[..end], self.near);
        let number = self.lines + 1;
        let at = Some(at).filter(|at| self.is_plausible(*at));
        self.add(file, number, &line, at);
    }

    pub(super) fn is_plausible(&self, at: f64) -> bool {
        (at - self.near).abs() <= PLAUSIBLE_SECONDS
    }

    fn add(&mut self, file: &str, number: u64, line: &LogLine<'_>, at: Option<f64>) {
        self.lines += 1;
        let interval = match at {
            Some(at) => Some(self.interval(at)),
            None => {
                self.undated += 1;
                None
            }
        };
        if let Some(interval) = interval {
            self.all.add(interval);
        }
        if let Some(service) = &line.service {
            if let Some(count) = self.services.get_mut(&**service) {
                *count += 1;
            } else if self.services.len() < SERVICES_MAX {
                self.services.insert(service.to_string(), 1);
            }
        }
        let Some(template) = self.drain.learn(&line.message, self.room) else {
            self.unfitting += 1;
            return;
        };
        if template == self.templates.len() {
            self.templates.push(LogTemplate {
                text: String::new(),
                level: None,
                lines: 0,
                first_at: None,
                sample: clean(&line.message, SAMPLE_BYTES_MAX),
                location: format!("{}:{number}", clean(file, SAMPLE_BYTES_MAX)),
                counts: Counts::default(),
            });
        }
        let template = &mut self.templates[template];
        template.lines += 1;
        template.level = template.level.max(line.level);
        if let Some(interval) = interval {
            template.counts.add(interval);
        }
        if let Some(at) = at.filter(|at| template.first_at.is_some_and(|first| *at < first)) {
            template.first_at = Some(at);
            template.sample = clean(&line.message, SAMPLE_BYTES_MAX);
            template.location = format!("{}:{number}", clean(file, SAMPLE_BYTES_MAX));
        } else if template.lines == 1 {
            template.first_at = at;
        }
    }

    /// The interval of a time. Intervals become longer when there would be too many.
    fn interval(&mut self, at: f64) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "within 400 days of `near`")]
        let second = at.floor() as i64;
        let mut interval = second.div_euclid(self.width);
        let (mut first, mut last) = self.span.unwrap_or((interval, interval));
        first = first.min(interval);
        last = last.max(interval);
        while last - first >= INTERVALS_MAX {
            self.width *= 2;
            for counts in self
                .templates
                .iter_mut()
                .map(|template| &mut template.counts)
            {
                counts.halve();
            }
            self.all.halve();
            interval = second.div_euclid(self.width);
            (first, last) = (first.div_euclid(2), last.div_euclid(2));
        }
        self.span = Some((first, last));
        interval
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Lines that were read; those that belong to the line before them are not counted.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Lines that are of no template because there are [`LOG_TEMPLATES_MAX`].
    #[must_use]
    pub fn lines_without_template(&self) -> u64 {
        self.unfitting
    }

    /// Lines before the first one with a timestamp of a known form.
    #[must_use]
    pub fn lines_without_time(&self) -> u64 {
        self.undated
    }

    /// The service that most lines name, of equal ones the first by name.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.services
            .iter()
            .max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))
            .map(|(name, _)| name.as_str())
    }

    /// The templates, in the order in which they were first seen.
    #[must_use]
    pub fn templates(&self) -> Vec<LogTemplate> {
        (0..self.templates.len())
            .map(|n| self.template(n))
            .collect()
    }

    pub(super) fn template_count(&self) -> usize {
        self.drain.len()
    }

    pub(super) fn counts(&self, number: usize) -> (&Counts, &LogTemplate) {
        (&self.templates[number].counts, &self.templates[number])
    }

    pub(super) fn template(&self, number: usize) -> LogTemplate {
        LogTemplate {
            text: clean(&self.drain.text(number), SAMPLE_BYTES_MAX),
            ..self.templates[number].clone()
        }
    }

    /// Seconds of an interval, and the first and the last interval that has a line.
    pub(super) fn span(&self) -> Option<(i64, i64, i64)> {
        self.span.map(|(first, last)| (self.width, first, last))
    }
}

/// Whether the line belongs to the one before it: indented, or the tail of a stack trace.
fn continues(line: &str) -> bool {
    line.starts_with([' ', '\t', '}', ')'])
        || ["Caused by:", "Traceback (", "Suppressed:", "goroutine "]
            .iter()
            .any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: f64 = 1_795_293_219.0;

    fn summary(text: &str) -> LogSummary {
        let mut summary = LogSummary::new("pay", AT);
        summary.read("pay.log", text.as_bytes()).unwrap();
        summary
    }

    #[test]
    fn lines_of_one_form_are_one_template() {
        let summary = summary(
            "2026-11-21T20:33:39Z INFO paid order 17 in 3 ms\n\
             2026-11-21T20:33:40Z INFO paid order 18 in 45 ms\n\
             2026-11-21T20:33:41Z ERROR deadlock detected\n\
             \tat pay.rs:7\n\
             Caused by: nobody\n\
             no time of its own\n",
        );
        let templates = summary.templates();
        let texts: Vec<&str> = templates.iter().map(|known| known.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "INFO paid order <*> in <*> ms",
                "ERROR deadlock detected",
                "no time of its own"
            ]
        );
        assert_eq!(templates[0].lines, 2);
        assert_eq!(templates[0].location, "pay.log:1");
        assert_eq!(templates[1].level, Some(LogLevel::Error));
        assert_eq!(templates[2].first_at, Some(AT + 2.0));
        assert_eq!((summary.lines(), summary.lines_without_time()), (4, 0));
    }

    #[test]
    fn escapes_are_harmless() {
        let summary = summary("\u{1b}[31mred\u{7} \u{202e}evil\n");
        let template = &summary.templates()[0];
        for text in [&template.text, &template.sample] {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text}");
        }
    }

    #[test]
    fn intervals_stay_bounded_over_any_span() {
        let mut text = String::new();
        for hour in 0..24 * 30 {
            text.push_str(&format!("{} tick {hour}\n", 1_795_000_000 + hour * 3_600));
        }
        let summary = summary(&text);
        let (width, first, last) = summary.span().unwrap();
        assert!(last - first < INTERVALS_MAX);
        assert_eq!(width, 4_096);
        assert_eq!(summary.all.within(first..last + 1), 24 * 30);
        let (counts, _) = summary.counts(0);
        assert_eq!(counts.within(first..last + 1), 24 * 30);
    }

    #[test]
    fn a_wrong_clock_does_not_stretch_the_span() {
        let summary = summary("1000000000 early\n1795293219 now\n4100000000 late\n");
        let (width, first, last) = summary.span().unwrap();
        assert_eq!((width, first, last), (1, 1_795_293_219, 1_795_293_219));
        assert_eq!(summary.lines_without_time(), 1);
    }
}
