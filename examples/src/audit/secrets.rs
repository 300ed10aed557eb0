//! Keys, tokens and passwords that should not be in a source tree.
//!
//! A finding never shows the secret: it has the line, the rule and at most the first four characters.

mod rules;

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::scan::count_newlines;
use super::{Block, Scan};

/// How many findings of one file are listed; more are counted only.
const HITS_MAX: usize = 100;

/// How many characters of a secret may be shown.
const SHOWN_MAX: usize = 4;

/// The suspected secrets of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReport {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub hits: Vec<SecretHit>,
}

/// One suspected secret, redacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHit {
    /// The line, counted from 1.
    pub line: u64,
    /// The rule that it matched.
    pub rule: Cow<'static, str>,
    /// Its first characters: four at most, and never more than a quarter of it.
    pub starts_with: String,
}

/// Looks for secrets. One that stands across the border of two blocks, which only happens in a line
/// longer than [`BLOCK_BYTES`](super::BLOCK_BYTES), is missed.
#[derive(Debug, Default)]
pub struct SecretScan {
    report: SecretReport,
}

impl Scan for SecretScan {
    type Report = SecretReport;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        let mut line = block.first_line;
        let mut counted_to = 0;
        for found in rules::matches(block.bytes) {
            line += count_newlines(&block.bytes[counted_to..found.start]);
            counted_to = found.start;
            self.report.count += 1;
            if self.report.hits.len() < HITS_MAX {
                let secret = &block.bytes[found.start..found.end];
                let shown = &secret[..SHOWN_MAX.min(secret.len() / 4)];
                self.report.hits.push(SecretHit {
                    line,
                    rule: Cow::Borrowed(found.rule),
                    starts_with: String::from_utf8_lossy(shown).into_owned(),
                });
            }
        }
        ControlFlow::Continue(())
    }

    fn finish(self) -> SecretReport {
        self.report
    }
}
