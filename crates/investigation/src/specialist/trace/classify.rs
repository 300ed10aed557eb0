//! What went wrong in a span: from its exceptions, status and flags.

use crate::resource::{Denial, is_denial_class};
use crate::trace::{Exception, Namespace, TraceSpan};

/// What went wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// Somebody was denied something.
    Denied(Denial),
    /// Too many calls.
    Throttled,
    /// A time limit ran out; the limit in seconds, if the message names it.
    TimedOut(Option<f64>),
    /// Memory, disk or connections are used up.
    Exhausted,
    /// No connection.
    Unreachable,
    /// What the call names does not exist, or is not set up as the caller takes it to be.
    Misconfigured,
    /// The service failed.
    Fault,
    /// The caller did something wrong.
    ClientError,
}

/// Words in a class or message, in lower case, and what they say. The first that fits counts.
const WORDS: &[(&[&str], Trouble)] = &[
    (
        &[
            "throttl",
            "toomanyrequests",
            "too many requests",
            "provisionedthroughputexceeded",
            "requestlimitexceeded",
            "rate exceeded",
            "slowdown",
            "bandwidthlimitexceeded",
        ],
        Trouble::Throttled,
    ),
    (
        &[
            "outofmemory",
            "out of memory",
            "memoryerror",
            "signal: killed",
            "heap limit",
            "no space left",
            "too many connections",
            "remaining connection slots",
            "pool exhausted",
            "emfile",
            "enospc",
        ],
        Trouble::Exhausted,
    ),
    (
        &[
            "timed out",
            "timeout",
            "time-out",
            "deadline exceeded",
            "etimedout",
            "timelimit",
        ],
        Trouble::TimedOut(None),
    ),
    (
        &[
            "connection refused",
            "connection reset",
            "econnrefused",
            "econnreset",
            "enotfound",
            "unknownhost",
            "getaddrinfo",
            "name or service not known",
            "no route to host",
            "unreachable",
            "endpointconnectionerror",
            "ssl",
            "certificate",
        ],
        Trouble::Unreachable,
    ),
    (
        &[
            "resourcenotfound",
            "nosuchbucket",
            "nosuchkey",
            "queuedoesnotexist",
            "nonexistentqueue",
            "statemachinedoesnotexist",
            "notfoundexception",
            "does not exist",
            "importmoduleerror",
            "modulenotfound",
            "handlernotfound",
            "invalidsignature",
            "unrecognizedclient",
            "invalid security token",
        ],
        Trouble::Misconfigured,
    ),
];

/// What went wrong in a span that is bad, with the exception that says so.
pub(super) fn classify(span: &TraceSpan) -> (Trouble, Option<&Exception>) {
    let telling = |exception: &&Exception| exception.class.is_some() || exception.message.is_some();
    let exception = span.exceptions.iter().find(telling);
    let status = span.http.as_ref().and_then(|http| http.status);
    if let Some(denial) = span.exceptions.iter().find_map(denial) {
        return (Trouble::Denied(denial), exception);
    }
    if span.throttle || status == Some(429) {
        return (Trouble::Throttled, exception);
    }
    let words = exception.map(|exception| {
        let text = |text: &Option<String>| text.as_deref().unwrap_or("").to_ascii_lowercase();
        format!("{} {}", text(&exception.class), text(&exception.message))
    });
    let said = words.as_deref().and_then(|words| {
        let found = WORDS
            .iter()
            .find(|(marks, _)| marks.iter().any(|mark| words.contains(mark)));
        found.map(|(_, trouble)| trouble.clone())
    });
    let trouble = match (said, status) {
        (Some(Trouble::TimedOut(_)), _) => Trouble::TimedOut(words.as_deref().and_then(limit)),
        (Some(trouble), _) => trouble,
        (None, Some(403)) if span.namespace == Some(Namespace::Aws) => {
            Trouble::Denied(Denial::default())
        }
        (None, Some(408 | 504)) => Trouble::TimedOut(None),
        (None, _) if span.fault => Trouble::Fault,
        (None, Some(500..)) => Trouble::Fault,
        (None, _) if span.error => Trouble::ClientError,
        (None, _) => Trouble::Fault,
    };
    (trouble, exception)
}

fn denial(exception: &Exception) -> Option<Denial> {
    let message = exception.message.as_deref().unwrap_or("");
    let denied = exception.class.as_deref().is_some_and(is_denial_class);
    Denial::in_message(message).or_else(|| denied.then(Denial::default))
}

/// `task timed out after 3.00 seconds`: the limit.
fn limit(words: &str) -> Option<f64> {
    let (_, rest) = words.split_once("timed out after ")?;
    let number = rest.split_whitespace().next()?;
    let (number, unit) = match number.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (number.strip_suffix('s').unwrap_or(number), 1.0),
    };
    let seconds: f64 = number.parse().ok()?;
    (seconds.is_finite() && seconds > 0.0).then_some(seconds * unit)
}
