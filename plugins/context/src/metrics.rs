//! The metrics of this plugin: names, kinds and labels are written once, here.

use std::fmt;
use std::sync::Arc;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};

use crate::store::StoreStats;
use crate::windows::WindowStage;

/// Names and meanings, as docs/plugins/context.md shows them.
pub(crate) const METRICS: &[(&str, &str)] = &[
    (
        ASSEMBLIES,
        "Contexts asked for by tasks, by what came of it.",
    ),
    (
        ASSEMBLED_TOKENS,
        "Tokens of the contexts that were put together.",
    ),
    (ASSEMBLY_DURATION, "Time to put a context together."),
    (DROPPED, "What found no place, by sort."),
    (EVICTED, "Fragments that went to make room."),
    (EXPIRED, "Fragments that were too old."),
    (COMPRESSED, "Fragments compressed to save room."),
    (
        WINDOW_ALERTS,
        "Agents whose window reached a stage, by stage.",
    ),
    (SESSIONS, "Sessions open now."),
    (FRAGMENTS, "Fragments held now."),
    (TOKENS, "Tokens held now."),
    (BYTES, "Bytes held now, working data included."),
];

const ASSEMBLIES: &str = "orchestrator_context_assemblies_total";
const ASSEMBLED_TOKENS: &str = "orchestrator_context_assembled_tokens";
const ASSEMBLY_DURATION: &str = "orchestrator_context_assembly_duration_seconds";
const DROPPED: &str = "orchestrator_context_dropped_total";
const EVICTED: &str = "orchestrator_context_evicted_total";
const EXPIRED: &str = "orchestrator_context_expired_total";
const COMPRESSED: &str = "orchestrator_context_compressed_total";
const WINDOW_ALERTS: &str = "orchestrator_context_window_alerts_total";
const SESSIONS: &str = "orchestrator_context_sessions";
const FRAGMENTS: &str = "orchestrator_context_fragments";
const TOKENS: &str = "orchestrator_context_tokens";
const BYTES: &str = "orchestrator_context_bytes";

/// What came of a context that a task asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Assembled,
    NoSession,
    CriticalExceedsBudget,
    Malformed,
    TooLate,
}

impl Asked {
    const ALL: [Self; 5] = [
        Self::Assembled,
        Self::NoSession,
        Self::CriticalExceedsBudget,
        Self::Malformed,
        Self::TooLate,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Assembled => "assembled",
            Self::NoSession => "no_session",
            Self::CriticalExceedsBudget => "critical_exceeds_budget",
            Self::Malformed => "malformed",
            Self::TooLate => "too_late",
        }
    }
}

/// What found no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A result: too many on their way, too long, or no room.
    Result,
    /// A session: as many as there may be.
    Session,
    /// A delivery: longer than it may be.
    Delivery,
    /// A summary: late, failed, or too long.
    Summary,
}

impl Lost {
    const ALL: [Self; 4] = [Self::Result, Self::Session, Self::Delivery, Self::Summary];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Session => "session",
            Self::Delivery => "delivery",
            Self::Summary => "summary",
        }
    }
}

/// Handles, fetched once.
pub(crate) struct Metrics {
    asked: [Counter; 5],
    lost: [Counter; 4],
    stages: [Counter; 3],
    pub(crate) tokens_of_context: Histogram,
    pub(crate) duration: Histogram,
    evicted: Counter,
    expired: Counter,
    compressed: Counter,
    sessions: Gauge,
    fragments: Gauge,
    tokens: Gauge,
    bytes: Gauge,
}

const STAGES: [WindowStage; 3] = [WindowStage::Warn, WindowStage::Compress, WindowStage::Sleep];

impl Metrics {
    pub(crate) fn new(recorder: &Arc<dyn Recorder + Send + Sync>) -> Self {
        let about = Metadata::new(
            "universal_orchestrator_context",
            Level::INFO,
            Some(module_path!()),
        );
        for (name, help) in METRICS {
            let (name, help) = (KeyName::from_const_str(name), SharedString::const_str(help));
            if name.as_str().ends_with("_total") {
                recorder.describe_counter(name, Some(Unit::Count), help);
            } else if name.as_str() == ASSEMBLED_TOKENS {
                recorder.describe_histogram(name, Some(Unit::Count), help);
            } else if name.as_str() == ASSEMBLY_DURATION {
                recorder.describe_histogram(name, Some(Unit::Seconds), help);
            } else {
                recorder.describe_gauge(name, None, help);
            }
        }
        let counter = |name| recorder.register_counter(&Key::from_static_name(name), &about);
        let gauge = |name| recorder.register_gauge(&Key::from_static_name(name), &about);
        let histogram = |name| recorder.register_histogram(&Key::from_static_name(name), &about);
        let labelled = |name: &'static str, label: &'static str, value: &'static str| {
            let labels = vec![Label::from_static_parts(label, value)];
            recorder.register_counter(&Key::from_parts(name, labels), &about)
        };
        Self {
            asked: Asked::ALL.map(|asked| labelled(ASSEMBLIES, "outcome", asked.as_str())),
            lost: Lost::ALL.map(|lost| labelled(DROPPED, "what", lost.as_str())),
            stages: STAGES.map(|stage| labelled(WINDOW_ALERTS, "stage", stage.as_str())),
            tokens_of_context: histogram(ASSEMBLED_TOKENS),
            duration: histogram(ASSEMBLY_DURATION),
            evicted: counter(EVICTED),
            expired: counter(EXPIRED),
            compressed: counter(COMPRESSED),
            sessions: gauge(SESSIONS),
            fragments: gauge(FRAGMENTS),
            tokens: gauge(TOKENS),
            bytes: gauge(BYTES),
        }
    }

    pub(crate) fn asked(&self, asked: Asked) {
        self.asked[asked as usize].increment(1);
    }

    pub(crate) fn lost(&self, lost: Lost) {
        self.lost[lost as usize].increment(1);
    }

    pub(crate) fn stage(&self, stage: WindowStage) {
        if let Some(at) = STAGES.iter().position(|one| *one == stage) {
            self.stages[at].increment(1);
        }
    }

    pub(crate) fn store(&self, stats: &StoreStats) {
        self.evicted.absolute(stats.evicted);
        self.expired.absolute(stats.expired);
        self.compressed.absolute(stats.compressed);
        self.sessions.set(stats.sessions as f64);
        self.fragments.set(stats.fragments as f64);
        self.tokens.set(stats.tokens as f64);
        self.bytes.set(stats.bytes as f64);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_every_metric_with_its_meaning_and_labels() {
        let page = include_str!("../../../docs/plugins/context.md");
        for (name, help) in METRICS {
            let row = page
                .lines()
                .find(|row| row.starts_with(&format!("| `{name}` |")));
            assert!(row.is_some_and(|row| row.contains(help)), "{name}");
        }
        let labels = Asked::ALL.map(Asked::as_str).into_iter();
        let labels = labels
            .chain(Lost::ALL.map(Lost::as_str))
            .chain(STAGES.map(WindowStage::as_str));
        for label in labels {
            assert!(page.contains(&format!("`{label}`")), "{label}");
        }
    }
}
