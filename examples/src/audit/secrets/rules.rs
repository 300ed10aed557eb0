//! What a secret looks like.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

use super::super::entropy::text_bits;

/// A place in a block that matches a rule.
pub(super) struct Match {
    pub(super) rule: &'static str,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One kind of secret. Group 1 of the pattern is the secret, or the whole match if there is no group.
struct Rule {
    name: &'static str,
    pattern: &'static str,
    /// Shannon bits per character below which a match is taken for a placeholder.
    bits_min: f64,
    /// Whether the value must look like one that somebody made up as a password.
    guessed: bool,
}

const fn token(name: &'static str, pattern: &'static str) -> Rule {
    Rule {
        name,
        pattern,
        bits_min: 3.0,
        guessed: false,
    }
}

const RULES: [Rule; 15] = [
    token(
        "aws-access-key-id",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    ),
    // The header alone stands in every program that reads such files; a real key goes on after it.
    Rule {
        name: "private-key",
        pattern: r"(?m)(-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----)(?:[ \t]*\r?$|\\[rn])",
        bits_min: 0.0,
        guessed: false,
    },
    token("github-token", r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b"),
    token(
        "github-fine-grained-token",
        r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b",
    ),
    token("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,64}\b"),
    token(
        "slack-token",
        r"\bxox[abeoprs]-[0-9]{8,16}-[A-Za-z0-9-]{10,120}\b",
    ),
    token(
        "slack-webhook",
        r"https://hooks\.slack\.com/services/(T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24})\b",
    ),
    token("stripe-live-key", r"\b[sr]k_live_[A-Za-z0-9]{24,247}\b"),
    token("google-api-key", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    token("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{32,200}\b"),
    token(
        "openai-key",
        r"\bsk-(?:[a-z]{1,12}-)?[A-Za-z0-9_-]{20,80}T3BlbkFJ[A-Za-z0-9_-]{20,80}\b",
    ),
    token("npm-token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    token(
        "pypi-token",
        r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,250}\b",
    ),
    token("crates-io-token", r"\bcio[A-Za-z0-9]{32}\b"),
    Rule {
        name: "assigned-secret",
        pattern: concat!(
            r"(?i)(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)[A-Za-z0-9_-]{0,20}",
            // A type between name and value, as in `token: &str = …`.
            r#"["']?(?:[ \t]*:[ \t]*&?(?:'static[ \t]+)?[a-z]{1,12})?"#,
            r#"[ \t]{0,4}(?::=|=>|=|:)[ \t]{0,4}["']([^"'\s]{8,128})["']"#,
        ),
        bits_min: 2.75,
        guessed: true,
    },
];

static COMPILED: LazyLock<Vec<(&'static Rule, Regex)>> = LazyLock::new(|| {
    RULES
        .iter()
        .map(|rule| {
            let regex = RegexBuilder::new(rule.pattern)
                .unicode(false)
                .build()
                .expect("the patterns are constants and the tests compile them");
            (rule, regex)
        })
        .collect()
});

/// The matches in a block, in order and without overlaps; the more specific rule wins.
pub(super) fn matches(bytes: &[u8]) -> Vec<Match> {
    let mut matches = Vec::new();
    for (rule, regex) in &*COMPILED {
        for captures in regex.captures_iter(bytes) {
            let Some(secret) = captures.get(1).or_else(|| captures.get(0)) else {
                continue;
            };
            if rule.accepts(secret.as_bytes()) {
                matches.push(Match {
                    rule: rule.name,
                    start: secret.start(),
                    end: secret.end(),
                });
            }
        }
    }
    // The sort is stable and the general rule is the last one.
    matches.sort_by_key(|found| found.start);
    let mut free_from = 0;
    matches.retain(|found| {
        let keep = found.start >= free_from;
        if keep {
            free_from = found.end;
        }
        keep
    });
    matches
}

impl Rule {
    fn accepts(&self, secret: &[u8]) -> bool {
        text_bits(secret) >= self.bits_min
            && !is_placeholder(secret)
            && (!self.guessed || is_guessed(secret))
    }
}

/// Whether the value says itself that it is none.
fn is_placeholder(secret: &[u8]) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"example",
        b"changeme",
        b"change_me",
        b"placeholder",
        b"redacted",
        b"dummy",
        b"fake",
        b"sample",
        b"your",
        b"xxxx",
        b"****",
        b"....",
        b"test",
        b"todo",
    ];
    let lower = secret.to_ascii_lowercase();
    WORDS
        .iter()
        .any(|word| lower.windows(word.len()).any(|window| window == *word))
}

/// Letters and digits together, and neither a template, nor a path, nor a name.
fn is_guessed(secret: &[u8]) -> bool {
    let has = |wanted: &[u8]| secret.windows(wanted.len()).any(|window| window == wanted);
    let templates: [&[u8]; 6] = [b"${", b"$(", b"{{", b"<", b"%s", b"://"];
    let starts: [&[u8]; 6] = [b"/", b"./", b"../", b"$", b"{", b"%"];
    secret.iter().any(u8::is_ascii_alphabetic)
        && secret.iter().any(u8::is_ascii_digit)
        && !templates.into_iter().any(has)
        && !starts.into_iter().any(|start| secret.starts_with(start))
}
