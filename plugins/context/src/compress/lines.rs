//! Squeezes that know lines only.

use std::collections::HashSet;

use crate::compress::{Losses, note};

/// Drops white space at line ends, all but one of neighbouring blank lines, and repetitions of a line, whose number it tells.
pub(super) fn squeeze(text: &str) -> (String, Losses) {
    let mut out = String::with_capacity(text.len());
    let mut losses = Losses::default();
    let mut repeats = 0;
    let mut before: Option<&str> = None;
    for line in text.lines().map(str::trim_end) {
        if before == Some(line) {
            repeats += usize::from(!line.is_empty());
            continue;
        }
        flush(&mut out, before, &mut repeats, &mut losses);
        push(&mut out, line);
        before = Some(line);
    }
    flush(&mut out, before, &mut repeats, &mut losses);
    (out, losses)
}

fn flush(out: &mut String, line: Option<&str>, repeats: &mut usize, losses: &mut Losses) {
    let count = std::mem::take(repeats);
    match (count, line) {
        (0, _) | (_, None) => {}
        // A note would be longer than what it stands for.
        (1, Some(line)) if line.len() < NOTE_PAYS => push(out, line),
        (count, _) => {
            out.push_str(&note(count, "lines like this"));
            losses.lines += count;
        }
    }
}

/// A note is worth what it stands for from so many bytes on.
pub(super) const NOTE_PAYS: usize = 40;

/// Drops blank lines and every line of some length that stood before.
pub(super) fn distinct(text: &str) -> (String, Losses) {
    let mut out = String::with_capacity(text.len());
    let mut losses = Losses::default();
    let mut seen = HashSet::new();
    let mut dropped = 0;
    for line in text.lines().map(str::trim_end) {
        if line.trim().is_empty() {
            continue;
        }
        if line.len() >= NOTE_PAYS && !seen.insert(line) {
            dropped += 1;
            continue;
        }
        told(&mut out, &mut dropped, &mut losses);
        push(&mut out, line);
    }
    told(&mut out, &mut dropped, &mut losses);
    (out, losses)
}

fn told(out: &mut String, dropped: &mut usize, losses: &mut Losses) {
    let count = std::mem::take(dropped);
    if count > 0 {
        out.push_str(&note(count, "lines that stand above"));
        losses.lines += count;
    }
}

pub(super) fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_become_one_line_and_their_number() {
        let (text, losses) = squeeze("a  \na\na\n\n\n\nb\n");
        assert_eq!(text, "a\n[...] 2 lines like this dropped\n\nb\n");
        assert_eq!(losses.lines, 2);
        assert_eq!(squeeze("a\na\n"), ("a\na\n".to_owned(), Losses::default()));
    }

    #[test]
    fn a_line_that_stood_before_is_dropped_and_told() {
        let long = "a line that is long enough to be worth the note";
        let (text, losses) = distinct(&format!("{long}\nb\n\n{long}\nb\n"));
        assert_eq!(
            text,
            format!("{long}\nb\n[...] 1 lines that stand above dropped\nb\n")
        );
        assert_eq!(losses.lines, 1);
    }
}
