//! Free text: ids, ARNs, names, error phrases, time and urgency.

use std::ops::Range;

use super::words::{Word, words};
use super::{Found, Place, Request, Urgency, extract, names, time_phrase};
use crate::resource::Resource;

/// Where a text comes from.
pub(super) enum Origin {
    /// It is the request.
    Text,
    /// It stands under a key of a structured request.
    Key(String),
}

impl Origin {
    fn found<T>(&self, value: T, confidence: f64, range: Range<usize>) -> Found<T> {
        match self {
            Self::Text => Found {
                value,
                confidence,
                place: Place::Text {
                    start: range.start,
                    end: range.end,
                },
            },
            Self::Key(pointer) => Found {
                value,
                confidence: confidence.min(UNDER_UNKNOWN_KEY),
                place: Place::Key(pointer.clone()),
            },
        }
    }
}

/// Confidence of an ARN or an id.
pub(super) const EXACT: f64 = 0.95;
/// Of a name that is marked as one.
const MARKED: f64 = 0.85;
/// Of what stands in a text under an unknown key.
const UNDER_UNKNOWN_KEY: f64 = 0.7;
/// Of a plain word beside a type.
const PLAIN: f64 = 0.6;

/// An error message is cut at so many bytes.
const ERROR_BYTES_MAX: usize = 400;

/// Adds what the text says to the request.
pub(super) fn read(text: &str, now: f64, origin: &Origin, request: &mut Request) {
    for (range, id) in extract::trace_ids(text) {
        if !request.trace_ids.iter().any(|known| known.value == id) {
            request.trace_ids.push(origin.found(id, EXACT, range));
        }
    }
    let arns = extract::arns(text);
    for (range, arn) in &arns {
        let resource = Resource::of_arn(arn).from_source("request");
        request
            .targets
            .push(origin.found(resource, EXACT, range.clone()));
    }
    let words = words(text);
    for name in names::names(&words) {
        if arns
            .iter()
            .any(|(range, _)| range.contains(&name.place.start))
        {
            continue;
        }
        let resource = Resource::named(name.type_name, name.name).from_source("request");
        let known = request.targets.iter().any(|target| {
            target.value.name == resource.name && target.value.kind() == resource.kind()
        });
        if !known {
            let confidence = if name.marked { MARKED } else { PLAIN };
            request
                .targets
                .push(origin.found(resource, confidence, name.place));
        }
    }
    for range in errors(text, &words) {
        let value = text[range.clone()].trim().to_owned();
        if !request.errors.iter().any(|known| known.value == value) {
            request.errors.push(origin.found(value, MARKED, range));
        }
    }
    if request.time_range.is_none() {
        let found = time_phrase::time_range(&words, now);
        request.time_range = found.map(|(place, range)| origin.found(range, MARKED, place));
    }
    if request.urgency.is_none() {
        let found = urgency(&words);
        request.urgency = found.map(|(place, urgency)| origin.found(urgency, MARKED, place));
    }
}

/// Phrases of errors, as sequences of words.
const PHRASES: &[&[&str]] = &[
    &["timed", "out"],
    &["times", "out"],
    &["timing", "out"],
    &["access", "denied"],
    &["permission", "denied"],
    &["not", "authorized"],
    &["rate", "exceeded"],
    &["connection", "refused"],
    &["connection", "reset"],
    &["connection", "pool", "exhausted"],
    &["pool", "exhausted"],
    &["too", "many", "connections"],
    &["out", "of", "memory"],
    &["no", "space", "left"],
    &["disk", "full"],
    &["deadlock"],
    &["throttled"],
    &["throttling"],
    &["timeout"],
    &["timeouts"],
    &["internal", "server", "error"],
    &["bad", "gateway"],
    &["service", "unavailable"],
    &["gateway", "timeout"],
];

/// Places of error messages and phrases that are not denied by the words before them.
fn errors(text: &str, words: &[Word<'_>]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if found.last().is_some_and(|last| last.end > word.start) || negated(words, at) {
            continue;
        }
        if is_class(word.text) {
            found.push(word.start..message_end(text, word));
            continue;
        }
        let phrase = PHRASES.iter().find(|phrase| {
            words.len() - at >= phrase.len()
                && phrase
                    .iter()
                    .zip(&words[at..])
                    .all(|(part, word)| word.is(part))
        });
        if let Some(phrase) = phrase {
            found.push(word.start..words[at + phrase.len() - 1].end());
            continue;
        }
        let status = words
            .get(at + 1)
            .filter(|_| word.is_any(&["HTTP", "status", "code"]));
        if let Some(status) = status.filter(|status| is_error_status(status.text)) {
            found.push(word.start..status.end());
        }
    }
    found
}

/// `AccessDeniedException`, `botocore.exceptions.ClientError`; "Error" alone only with a message behind it is a class.
fn is_class(text: &str) -> bool {
    let name = text.rsplit(['.', ':', '$']).next().unwrap_or(text);
    let class = ["Exception", "Error", "Fault"]
        .iter()
        .any(|end| name.len() > end.len() && name.ends_with(end));
    class
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The class alone, or with its message up to the end of the line or sentence.
fn message_end(text: &str, class: &Word<'_>) -> usize {
    if !class.marked {
        return class.end();
    }
    let rest = &text[class.end()..];
    let line = rest.find('\n').unwrap_or(rest.len());
    let sentence = rest.find(". ").map_or(rest.len(), |at| at + 1);
    let mut length = line.min(sentence).min(ERROR_BYTES_MAX);
    while !rest.is_char_boundary(length) {
        length -= 1;
    }
    class.end() + rest[..length].trim_end().len()
}

fn is_error_status(text: &str) -> bool {
    text.len() == 3
        && text.starts_with(['4', '5'])
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

const DENIALS: &[&str] = &[
    "no", "not", "without", "never", "none", "zero", "0", "isn't", "wasn't", "aren't", "weren't",
    "didn't", "doesn't", "nothing",
];

/// Whether one of the three words before denies it, within the same clause.
fn negated(words: &[Word<'_>], at: usize) -> bool {
    words[..at]
        .iter()
        .rev()
        .take(3)
        .take_while(|word| !word.ends && !word.is_any(&["but", "and"]))
        .any(|word| word.is_any(DENIALS))
}

/// How pressing the text says it is; "down" counts as a word of its own behind a verb only.
fn urgency(words: &[Word<'_>]) -> Option<(Range<usize>, Urgency)> {
    let mut found: Option<(Range<usize>, Urgency)> = None;
    for (at, word) in words.iter().enumerate() {
        if word.quoted || negated(words, at) {
            continue;
        }
        let before = at.checked_sub(1).map(|at| &words[at]);
        let behind = |verbs: &[&str]| before.is_some_and(|word| !word.ends && word.is_any(verbs));
        let followed = |next: &[&str]| {
            words
                .get(at + 1)
                .is_some_and(|word| !words[at].ends && word.is_any(next))
        };
        let down = word.is("down")
            && behind(&[
                "is",
                "are",
                "was",
                "were",
                "went",
                "goes",
                "fully",
                "completely",
                "still",
            ])
            && !followed(&["to", "by", "from"]);
        let report = followed(&["report", "reports", "review", "budget", "path", "section"]);
        let urgency = if word.is_any(&["critical", "outage", "emergency", "sev1", "sev-1", "p1"])
            && !report
            || down
        {
            Urgency::Critical
        } else if word.is_any(&["urgent", "asap", "severe", "major", "sev2", "sev-2", "p2"])
            && !report
        {
            Urgency::High
        } else if word.is_any(&["minor", "cosmetic", "trivial"])
            || word.is("low") && followed(&["priority"])
        {
            Urgency::Low
        } else {
            continue;
        };
        // What is said to be minor stays so; else the most pressing word counts.
        let known = found.as_ref().map(|(_, known)| *known);
        let takes = match known {
            None => true,
            Some(Urgency::Low) => false,
            Some(known) => urgency == Urgency::Low || urgency > known,
        };
        if takes {
            found = Some((word.start..word.end(), urgency));
        }
    }
    found
}
