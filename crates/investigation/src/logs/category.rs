//! What a message complains about, by the words that programs use for it.

use crate::evidence::Category;

/// Phrases in lower case; the first group that has one in the message decides.
///
/// Taken from the messages of PostgreSQL, MySQL, the Linux kernel, nginx, Envoy, the AWS SDKs, gRPC and the standard
/// libraries of Java, Python, Go and Rust.
const PHRASES: &[(Category, &[&str])] = &[
    (
        Category::Permission,
        &[
            "permission denied",
            "access denied",
            "accessdenied",
            "not authorized",
            "unauthorized",
            "forbidden",
            "authentication failed",
            "password authentication",
        ],
    ),
    (
        Category::Throttling,
        &[
            "throttl",
            "rate exceeded",
            "rate limit",
            "too many requests",
            "slow down",
            "quota exceeded",
        ],
    ),
    (
        Category::Saturation,
        &[
            "out of memory",
            "cannot allocate memory",
            "outofmemory",
            "oom-kill",
            "oom_kill",
            "no space left",
            "disk full",
            "disk is full",
            "quota exceeded on disk",
            "too many connections",
            "too many clients",
            "remaining connection slots",
            "pool exhausted",
            "pool is exhausted",
            "pool timed out",
            "timeout waiting for connection from pool",
            "too many open files",
            "queue is full",
            "queue full",
            "deadlock detected",
            "lock timeout",
            "lock wait timeout",
            "still waiting for",
        ],
    ),
    (
        Category::Configuration,
        &[
            "invalid configuration",
            "misconfigur",
            "unknown setting",
            "missing environment variable",
            "no such host",
            "certificate has expired",
            "certificate verify failed",
            "does not exist",
        ],
    ),
    (
        Category::Network,
        &[
            "connection refused",
            "connection reset",
            "broken pipe",
            "no route to host",
            "network is unreachable",
            "name or service not known",
            "temporary failure in name resolution",
        ],
    ),
    (
        Category::Latency,
        &[
            "timed out",
            "timeout",
            "deadline exceeded",
            "slow query",
            "slow call",
            "slow request",
            "slow statement",
            "took too long",
        ],
    ),
    (
        Category::Code,
        &[
            "panicked at",
            "nullpointerexception",
            "null pointer",
            "segmentation fault",
            "traceback",
            "assertion failed",
            "index out of",
            "typeerror",
        ],
    ),
    (
        Category::Dependency,
        &[
            "upstream",
            "bad gateway",
            "service unavailable",
            "circuit breaker",
        ],
    ),
];

/// The kind of cause that a message hints at; `None` when it has none of the known phrases.
pub(crate) fn category_of(message: &str) -> Option<Category> {
    let message = message.to_ascii_lowercase();
    let says = |phrase: &&str| message.contains(*phrase) && !negated(&message, phrase);
    PHRASES
        .iter()
        .find(|(_, phrases)| phrases.iter().any(|phrase| says(&phrase)))
        .map(|(category, _)| *category)
}

/// "no timeout", "0 timeouts", "without timeouts" complain about nothing.
fn negated(message: &str, phrase: &str) -> bool {
    let before = message.split(phrase).next().unwrap_or_default();
    let word = before.split_ascii_whitespace().next_back();
    before.ends_with(' ') && matches!(word, Some("no" | "0" | "not" | "without" | "zero"))
}

/// Whether the message names the node as a word of its own.
pub(crate) fn names(message: &str, node: &str) -> bool {
    const SHORTEST: usize = 3;
    if node.len() < SHORTEST {
        return false;
    }
    let of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    message.match_indices(node).any(|(place, _)| {
        let before = message[..place].chars().next_back();
        let after = message[place + node.len()..].chars().next();
        !before.is_some_and(of_name) && !after.is_some_and(of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hint_at_a_kind_of_cause() {
        for (message, category) in [
            (
                "FATAL: sorry, too many clients already",
                Some(Category::Saturation),
            ),
            (
                "could not write: No space left on device",
                Some(Category::Saturation),
            ),
            (
                "ERROR: permission denied for table orders",
                Some(Category::Permission),
            ),
            (
                "dial tcp 10.0.0.1:5432: connect: connection refused",
                Some(Category::Network),
            ),
            ("context deadline exceeded", Some(Category::Latency)),
            (
                "thread 'main' panicked at src/main.rs:7",
                Some(Category::Code),
            ),
            ("finished with no timeout", None),
            ("0 timeouts so far", None),
            ("paid", None),
        ] {
            assert_eq!(category_of(message), category, "{message}");
        }
    }

    #[test]
    fn a_node_is_named_as_a_whole_word() {
        assert!(names("connection to ledger refused", "ledger"));
        assert!(names("GET http://ledger:8080/", "ledger"));
        assert!(!names("connection to ledger-2 refused", "ledger"));
        assert!(!names("ledgers", "ledger"));
        assert!(!names("a db", "db"));
    }
}
