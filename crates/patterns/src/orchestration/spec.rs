//! How an orchestration registers.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A group of orchestrations. One calls its own layer and lower ones, never a higher one.
///
/// From low to high: infrastructure, domain, application.
/// Source: E. Evans, "Domain-Driven Design", 2003, chapter 4: each layer depends on itself and on those below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Technical services: health, resilience, limits. Called by everybody, calls nobody above.
    Infrastructure,
    /// What the business does, usually without state.
    Domain,
    /// What coordinates: calls all layers.
    Application,
}

impl Layer {
    /// The name used in records and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Domain => "domain",
            Self::Application => "application",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an orchestration works: a label to look it up by. It decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OrchestrationKind {
    /// One specialist after the other.
    Sequential,
    /// Specialists at the same time.
    Parallel,
    /// Sequential or parallel, as measured.
    Adaptive,
    /// What one wave finds chooses the next.
    Waves,
    /// The first that succeeds.
    Fallback,
    /// Over a stream of inputs.
    MapReduce,
    /// A graph of steps.
    Workflow,
    /// Watches and keeps state.
    Monitoring,
    /// Collects signals.
    Feedback,
    /// Anything else that calls others.
    Coordination,
}

/// How an orchestration registers: its name, its layer, its kind, its limits.
#[derive(Debug, Clone)]
#[must_use]
pub struct OrchestrationSpec {
    pub(crate) name: String,
    pub(crate) layer: Layer,
    pub(crate) kind: OrchestrationKind,
    pub(crate) concurrency: usize,
    pub(crate) waiting_max: usize,
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) lifecycle_timeout: Duration,
}

impl OrchestrationSpec {
    /// An orchestration with at most 64 calls at once, 1,024 that wait for them, no timeout of its own, and 30 seconds to start and to stop.
    pub fn new(name: impl Into<String>, layer: Layer, kind: OrchestrationKind) -> Self {
        Self {
            name: name.into(),
            layer,
            kind,
            concurrency: 64,
            waiting_max: 1_024,
            call_timeout: None,
            lifecycle_timeout: Duration::from_secs(30),
        }
    }

    /// How many calls run at once; 0 is read as 1.
    pub const fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// How many calls may wait for a place; further ones are refused.
    pub const fn waiting_max(mut self, calls: usize) -> Self {
        self.waiting_max = calls;
        self
    }

    /// The longest that a call may take; the deadline of its context holds besides.
    pub const fn call_timeout(mut self, time: Duration) -> Self {
        self.call_timeout = Some(time);
        self
    }

    /// The longest that its start, the calls that are left at its removal, and its stop may take, each.
    pub const fn lifecycle_timeout(mut self, time: Duration) -> Self {
        self.lifecycle_timeout = time;
        self
    }
}
