//! Every metric of the plugin. No label holds a name that a caller chose.

use std::fmt;

use metrics::{Counter, Gauge, Key, KeyName, Label, Level, Metadata, Recorder, Unit};

use crate::config::{RuleAction, Severity};
use crate::refusal::Code;

/// All of them, as `docs/plugins/security.md` lists them.
#[cfg(test)]
pub(crate) const NAMES: [&str; 7] = [
    DECISIONS,
    RULES_FIRED,
    AUDIT_ENTRIES,
    AUDIT_LOST,
    AUDIT_FAILURES,
    BLOCKS,
    TOKENS,
];
const DECISIONS: &str = "orchestrator_security_decisions_total";
const RULES_FIRED: &str = "orchestrator_security_rules_fired_total";
const AUDIT_ENTRIES: &str = "orchestrator_security_audit_entries_total";
const AUDIT_LOST: &str = "orchestrator_security_audit_lost_total";
const AUDIT_FAILURES: &str = "orchestrator_security_audit_write_failures_total";
const BLOCKS: &str = "orchestrator_security_blocks";
const TOKENS: &str = "orchestrator_security_tokens";

const METADATA: Metadata<'static> =
    Metadata::new("universal_orchestrator_security", Level::INFO, None);

/// Handles that were looked up once.
pub(crate) struct Metrics {
    decisions: Vec<Counter>,
    rules: [Counter; Severity::COUNT],
    entries: Counter,
    lost: Counter,
    failures: Counter,
    blocks: Gauge,
    tokens: Gauge,
}

impl Metrics {
    pub(crate) fn new(recorder: &dyn Recorder) -> Self {
        describe(recorder);
        let counter = |name: &'static str, label: Option<(&'static str, &'static str)>| {
            recorder.register_counter(&key(name, label), &METADATA)
        };
        let decision = |code: &Code| counter(DECISIONS, Some(("code", code.as_str())));
        let rule = |severity: Severity| counter(RULES_FIRED, Some(("severity", severity.as_str())));
        Self {
            decisions: Code::ALL.iter().map(decision).collect(),
            rules: [
                rule(Severity::Low),
                rule(Severity::Medium),
                rule(Severity::High),
                rule(Severity::Critical),
            ],
            entries: counter(AUDIT_ENTRIES, None),
            lost: counter(AUDIT_LOST, None),
            failures: counter(AUDIT_FAILURES, None),
            blocks: recorder.register_gauge(&key(BLOCKS, None), &METADATA),
            tokens: recorder.register_gauge(&key(TOKENS, None), &METADATA),
        }
    }

    pub(crate) fn decided(&self, code: Code) {
        if let Some(counter) = self.decisions.get(code as usize) {
            counter.increment(1);
        }
    }

    /// One function for the metric and the log line.
    pub(crate) fn rule_fired(&self, rule: &str, severity: Severity, action: RuleAction) {
        self.rules[severity as usize].increment(1);
        let (severity, action) = (severity.as_str(), action.as_str());
        tracing::warn!(rule, severity, action, "a security rule fired");
    }

    pub(crate) fn audit_entries(&self, count: u64) {
        self.entries.increment(count);
    }

    pub(crate) fn audit_lost(&self) {
        self.lost.increment(1);
    }

    pub(crate) fn audit_write_failed(&self) {
        self.failures.increment(1);
    }

    pub(crate) fn held(&self, blocks: usize, tokens: usize) {
        self.blocks.set(blocks as f64);
        self.tokens.set(tokens as f64);
    }
}

fn key(name: &'static str, label: Option<(&'static str, &'static str)>) -> Key {
    match label {
        Some((label, value)) => Key::from_parts(name, vec![Label::from_static_parts(label, value)]),
        None => Key::from_static_name(name),
    }
}

fn describe(recorder: &dyn Recorder) {
    let count = |name: &'static str, help: &'static str| {
        let name = KeyName::from_const_str(name);
        recorder.describe_counter(name, Some(Unit::Count), help.into());
    };
    count(DECISIONS, "Decisions of the guard, by code");
    count(RULES_FIRED, "Rules that fired, by severity");
    count(AUDIT_ENTRIES, "Entries written to the audit log");
    count(
        AUDIT_LOST,
        "Entries that found no room in the queue of the audit log",
    );
    count(
        AUDIT_FAILURES,
        "Attempts to write the audit log that failed",
    );
    let level = |name: &'static str, help: &'static str| {
        let name = KeyName::from_const_str(name);
        recorder.describe_gauge(name, Some(Unit::Count), help.into());
    };
    level(BLOCKS, "Principals that are blocked");
    level(TOKENS, "Tokens that are held, the expired ones too");
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
