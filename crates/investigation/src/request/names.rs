//! Names of resources beside a word for their type: "lambda `pay`", "queue: jobs.fifo", "the checkout service".

use std::ops::Range;

use super::words::Word;
use crate::resource::{ResourceKind, route};

/// A name with its type as the text calls it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name<'a> {
    pub(super) type_name: String,
    pub(super) name: &'a str,
    pub(super) place: Range<usize>,
    /// Whether something marks it as a name: quotes, a colon, "named", a digit, a hyphen, a dot.
    pub(super) marked: bool,
}

/// Words for types of which people name instances. Longer ones come first.
const TYPES: &[&[&str]] = &[
    &["lambda", "function"],
    &["step", "function"],
    &["state", "machine"],
    &["api", "gateway"],
    &["rest", "api"],
    &["dynamodb", "table"],
    &["s3", "bucket"],
    &["sqs", "queue"],
    &["sns", "topic"],
    &["iam", "role"],
    &["event", "bus"],
    &["load", "balancer"],
    &["ecs", "service"],
    &["ec2", "instance"],
    &["rds", "instance"],
    &["lambda"],
    &["statemachine"],
    &["table"],
    &["bucket"],
    &["queue"],
    &["topic"],
    &["role"],
    &["function"],
    &["database"],
    &["service"],
    &["host"],
    &["server"],
];

/// Words that follow or precede a type and are no name.
const NO_NAMES: &str = "\
    a about access account accounts after again all also always an and another any are as at backlog bad be \
    because been before being big both breaks broke broken but by call calls can cannot causes client cold \
    concurrency config configuration connection connections could crash crashes customer customers data degraded \
    denied did different do does down during each entire error errors every execution executions external fail \
    failed failing fails failure failures fast few fine first for from full got grew grows had hang hangs has have \
    healthy high how i if in instance instances internal into invocation invocations is isn't it its itself keeps \
    last latency level limit limits log logs low main many may memory message messages metric metrics might more \
    most must my name never new no none not of off ok old on one ones only or other our out over own page per \
    performance permission permissions policy problem problems production quality query rate read reads remote \
    request requests response responses restarted returned returns runs same scan scans second seems shows since \
    size slow slowed slower slowly slows so some started starts still stopped stops such that the their them then \
    there these they this those throttled throttles throttling through throws time timed timeout timeouts times to \
    too took two under unhealthy until up us usage use used user users uses very via was we went were what when \
    where which while who whole why will with without works would write writes you your";

/// All names beside types, in the order of the text.
pub(super) fn names<'a>(words: &[Word<'a>]) -> Vec<Name<'a>> {
    let mut found: Vec<Name<'a>> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let Some(count) = type_at(&words[at..]) else {
            at += 1;
            continue;
        };
        let type_words: Vec<&str> = words[at..at + count].iter().map(|word| word.text).collect();
        let type_name = type_words.join(" ").to_ascii_lowercase();
        let after = after(&words[at..], count);
        let before = || {
            let word = words[..at].last()?;
            let cut = word.ends || word.marked;
            (!cut && is_name(word)).then(|| (*word, distinct(word)))
        };
        if let Some((word, marked)) = after.or_else(before)
            && !found.iter().any(|name| name.place.start == word.start)
        {
            found.push(Name {
                type_name: singular(&type_name),
                name: word.text,
                place: word.start..word.end(),
                marked,
            });
        }
        at += count;
    }
    found
}

/// How many words name a type here.
fn type_at(words: &[Word<'_>]) -> Option<usize> {
    TYPES
        .iter()
        .find(|parts| {
            words.len() >= parts.len()
                && parts
                    .iter()
                    .zip(words)
                    .enumerate()
                    .all(|(at, (part, word))| {
                        let last = at + 1 == parts.len();
                        !word.quoted
                            && (last || !(word.ends || word.marked))
                            && (word.is(part)
                                || last
                                    && word.text.len() == part.len() + 1
                                    && word.text.ends_with(['s', 'S'])
                                    && word.text[..part.len()].eq_ignore_ascii_case(part))
                    })
        })
        .map(|parts| parts.len())
}

/// The name behind a type: "lambda pay", "lambda: pay", "lambda named pay", "lambda function `pay`".
fn after<'a>(words: &[Word<'a>], count: usize) -> Option<(Word<'a>, bool)> {
    let last = words[count - 1];
    if last.ends {
        return None;
    }
    let mut next = words.get(count)?;
    let mut marked = last.marked;
    if next.is_any(&["named", "called", "name"]) && !next.quoted {
        marked = true;
        next = words.get(count + 1)?;
    }
    if type_at(&words[count..]).is_some() && !marked {
        return None;
    }
    if next.quoted {
        return is_form(next.text).then_some((*next, true));
    }
    if marked {
        let name = is_form(next.text) && !is_everyday(next);
        return name.then_some((*next, true));
    }
    let named = distinct(next);
    let verb = next.text.ends_with("ing") || next.text.ends_with("ed");
    if !is_name(next) || (verb && !named) {
        return None;
    }
    Some((*next, named))
}

fn is_name(word: &Word<'_>) -> bool {
    is_form(word.text) && (word.quoted || !is_everyday(word)) && !only_number(word.text)
}

fn is_everyday(word: &Word<'_>) -> bool {
    NO_NAMES.split(' ').any(|other| word.is(other))
}

fn only_number(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || b".-:/".contains(&byte))
}

/// Letters, digits and the marks that names have; ARNs are found elsewhere.
fn is_form(text: &str) -> bool {
    (2..=256).contains(&text.len())
        && !text.starts_with("arn:")
        && !text.contains("://")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-/$:".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Whether the word looks like a name by itself.
fn distinct(word: &Word<'_>) -> bool {
    word.quoted
        || word.text.contains(['-', '_', '.', '/'])
        || word.text.bytes().any(|byte| byte.is_ascii_digit())
        || word
            .text
            .bytes()
            .skip(1)
            .any(|byte| byte.is_ascii_uppercase())
            && word.text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// The type in a form that the routing table knows.
fn singular(type_name: &str) -> String {
    match type_name.strip_suffix('s') {
        Some(single) if route(type_name).kind == ResourceKind::Other => single.to_owned(),
        _ => type_name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn found(text: &str) -> Vec<(String, String, bool)> {
        let words = words(text);
        let names = names(&words).into_iter();
        names
            .map(|name| (name.type_name, name.name.to_owned(), name.marked))
            .collect()
    }

    #[test]
    fn names_beside_types_are_found() {
        for (text, type_name, name, marked) in [
            ("lambda payments is slow", "lambda", "payments", false),
            (
                "Lambda function payments-v2 fails",
                "lambda function",
                "payments-v2",
                true,
            ),
            ("the `pay` lambda timed out", "lambda", "pay", true),
            ("queue: jobs.fifo grows", "queue", "jobs.fifo", true),
            ("table=orders", "table", "orders", true),
            ("a bucket named reports", "bucket", "reports", true),
            ("the checkout service is slow", "service", "checkout", false),
            (
                "state machine wf.v2 aborted",
                "state machine",
                "wf.v2",
                true,
            ),
            (
                "our OrdersTable table throttles",
                "table",
                "OrdersTable",
                true,
            ),
        ] {
            assert_eq!(
                found(text),
                [(type_name.to_owned(), name.to_owned(), marked)],
                "{text}"
            );
        }
    }

    #[test]
    fn p8_two_names_of_one_type_are_both_found() {
        let names: Vec<String> = found("lambda `pay` calls lambda `ship`")
            .into_iter()
            .map(|(_, name, _)| name)
            .collect();
        assert_eq!(names, ["pay", "ship"]);
    }

    #[test]
    fn no_name_is_invented() {
        for text in [
            "the lambda is slow",
            "lambda timeouts since 14:30",
            "the queue grows",
            "table scan takes long",
            "service down",
            "the service. Payments are late",
            "lambda failing",
            "customer service",
            "in the database",
            "500 service errors",
            "no service was named",
            "function",
            "queue 42",
            "é service",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
