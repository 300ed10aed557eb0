//! From the place of a problem, `steps[2].inputs.text`, to its place in the file.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// One part of a place.
enum Part<'p> {
    Key(&'p str),
    Number(usize),
}

fn parts(place: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    for key in place.split('.') {
        let mut pieces = key.split('[');
        if let Some(name) = pieces.next() {
            found.push(Part::Key(name));
        }
        let numbers = pieces.filter_map(|piece| piece.strip_suffix(']')?.parse().ok());
        found.extend(numbers.map(Part::Number));
    }
    found
}

/// A value of a table, with where its key is.
pub(super) fn entry<'t, 'i>(
    table: &'t DeTable<'i>,
    name: &str,
) -> Option<(Range<usize>, &'t toml::Spanned<DeValue<'i>>)> {
    let found = table.iter().find(|(key, _)| key.get_ref() == name);
    found.map(|(key, value)| (key.span(), value))
}

/// Where a problem is: at the value, or at what is nearest to it of what is written.
pub(super) fn of(table: &DeTable<'_>, place: &str) -> Range<usize> {
    let mut span = 0..0;
    let mut at: Option<&DeValue<'_>> = None;
    for part in parts(place) {
        let next = match (part, at) {
            (Part::Key(name), None) => entry(table, name),
            (Part::Key(name), Some(DeValue::Table(table))) => entry(table, name),
            (Part::Number(number), Some(DeValue::Array(values))) => {
                values.get(number).map(|value| (value.span(), value))
            }
            _ => None,
        };
        let Some((key, value)) = next else { break };
        span = match value.get_ref() {
            // A long value is marked by its key.
            DeValue::Table(_) | DeValue::Array(_) => key,
            _ => value.span(),
        };
        at = Some(value.get_ref());
    }
    // A step is known by its name.
    match at {
        Some(DeValue::Table(step)) => entry(step, "name").map_or(span, |(_, name)| name.span()),
        _ => span,
    }
}

/// Where a character of a text is, when the text is written as it is: on one line, in quotes, without escapes.
pub(super) fn within(text: &str, span: Range<usize>, at: usize) -> Range<usize> {
    let Some(written) = text.get(span.clone()) else {
        return span;
    };
    let plain = !written.starts_with("\"\"\"")
        && !written.starts_with("'''")
        && written.starts_with(['"', '\''])
        && !written.contains('\\');
    let inner = written.get(1..written.len().saturating_sub(1));
    match inner.filter(|_| plain) {
        Some(inner) => {
            let offset = inner
                .char_indices()
                .nth(at)
                .map_or(inner.len(), |(offset, _)| offset);
            let start = span.start + 1 + offset;
            let width = inner.get(offset..).and_then(|rest| rest.chars().next());
            start..start + width.map_or(1, char::len_utf8)
        }
        None => span,
    }
}
