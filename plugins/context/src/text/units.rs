//! Cuts a text into units whose token counts add up.

use std::ops::Range;

use crate::text::TextKind;
use crate::tokens::Encoding;

/// A line, a paragraph's sentence, or lines that cannot be counted apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Where it stands in the text, with its line feed if it has one.
    pub(crate) range: Range<u32>,
    /// Tokens of its text with a line feed at the end, when it follows a line feed.
    pub(crate) tokens: u32,
}

impl Unit {
    /// Its text, without the line feed at the end.
    pub(crate) fn text<'a>(&self, of: &'a str) -> &'a str {
        let text = &of[self.range.start as usize..self.range.end as usize];
        text.strip_suffix('\n').unwrap_or(text)
    }
}

/// Cuts where counts add up: after a line feed, before a line that begins with anything but a blank line or, after
/// punctuation, a `/`; long lines of prose also between sentences. Blank lines at the beginning belong to no unit.
pub(crate) fn split(text: &str, kind: TextKind, encoding: Encoding) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut start = skip_blank_lines(text);
    while start < text.len() {
        let end = next_cut(text, start);
        match kind {
            TextKind::Prose => sentences(text, start..end, &mut |range| {
                push(&mut units, text, range, encoding);
            }),
            _ => push(&mut units, text, start..end, encoding),
        }
        start = end;
    }
    units
}

fn push(units: &mut Vec<Unit>, text: &str, range: Range<usize>, encoding: Encoding) {
    // Longer texts are refused before they come here.
    let (Ok(start), Ok(end)) = (u32::try_from(range.start), u32::try_from(range.end)) else {
        return;
    };
    let piece = &text[range];
    let tokens = match piece.ends_with('\n') {
        true => encoding.count(piece),
        false => encoding.count(&format!("{piece}\n")),
    };
    let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
    let range = start..end;
    units.push(Unit { range, tokens });
}

fn skip_blank_lines(text: &str) -> usize {
    let content = text.trim_start();
    let before = &text[..text.len() - content.len()];
    match content.is_empty() {
        true => text.len(),
        false => before.rfind(['\n', '\r']).map_or(0, |at| at + 1),
    }
}

/// The next place after `start` where counts add up, or the end.
fn next_cut(text: &str, start: usize) -> usize {
    let mut from = start;
    while let Some(at) = text[from..].find('\n') {
        let cut = from + at + 1;
        if adds_up_at(text, cut) {
            return cut;
        }
        from = cut;
    }
    text.len()
}

/// Whether the pieces of a byte-pair encoding end at a place that follows a line feed.
fn adds_up_at(text: &str, cut: usize) -> bool {
    let rest = &text[cut..];
    let content = rest.trim_start();
    let blank = &rest[..rest.len() - content.len()];
    if content.is_empty() || blank.contains(['\n', '\r']) {
        return false;
    }
    if blank.is_empty() && content.starts_with('/') {
        // `o200k_base` takes line feeds and slashes together with the punctuation before them.
        let before = text[..cut].trim_end_matches(['\n', '\r']);
        let last = before.chars().next_back();
        return last.is_none_or(|c| c.is_ascii_alphanumeric() || c.is_whitespace());
    }
    true
}

/// Sentences shorter than this stay with the one before.
const SENTENCE_BYTES_MIN: usize = 40;

/// Cuts a line after a full stop, question or exclamation mark that a space and a letter follow.
fn sentences(text: &str, line: Range<usize>, found: &mut dyn FnMut(Range<usize>)) {
    let mut start = line.start;
    let bytes = text.as_bytes();
    // The row of a table says what it says as a whole.
    let row = text[line.clone()].trim_start().starts_with('|');
    let last = if row {
        start
    } else {
        line.end.saturating_sub(2)
    };
    for at in line.start..last {
        let ends = matches!(bytes[at], b'.' | b'?' | b'!') && bytes[at + 1] == b' ';
        let long = at + 1 - start >= SENTENCE_BYTES_MIN;
        if ends && long && bytes[at + 2].is_ascii_alphabetic() {
            found(start..at + 1);
            start = at + 2;
        }
    }
    found(start..line.end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, kind: TextKind) -> Vec<&str> {
        let units = split(text, kind, Encoding::O200kBase);
        units.iter().map(|unit| unit.text(text)).collect()
    }

    #[test]
    fn lines_are_units_and_blank_lines_belong_to_the_one_before() {
        assert_eq!(
            texts("\n\n  a\nb\n\n c\n", TextKind::Log),
            ["  a", "b\n", " c"]
        );
        assert_eq!(texts(" \n\n", TextKind::Log), [""; 0]);
    }

    #[test]
    fn a_slash_after_punctuation_stays_with_it() {
        assert_eq!(
            texts("f();\n// x\ng\n", TextKind::Code),
            ["f();\n// x", "g"]
        );
        assert_eq!(texts("word\n// x\n", TextKind::Code), ["word", "// x"]);
    }

    #[test]
    fn long_lines_of_prose_are_cut_into_sentences() {
        let first = "This is a sentence that is long enough to stand alone.";
        let text = format!("{first} And so is this one, which follows it.");
        assert_eq!(
            texts(&text, TextKind::Prose),
            [first, "And so is this one, which follows it."]
        );
    }

    #[test]
    fn rows_of_tables_stay_whole() {
        let row = "| `key` | This is a sentence that is long enough to stand alone. And another. |";
        assert_eq!(texts(row, TextKind::Prose), [row]);
    }

    #[test]
    fn counts_of_units_add_up_to_the_count_of_the_text() {
        let text = "a (b)\n  c;\n// d\n\n\t{ \"e\": 1 }\r\nf\n  \n/g h/\n/i\n\n\n j\u{2028}k\nÄ…\n";
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let units = split(text, TextKind::Log, encoding);
            let sum: u32 = units.iter().map(|unit| unit.tokens).sum();
            assert_eq!(sum as usize, encoding.count(text), "{encoding}");
        }
    }
}
