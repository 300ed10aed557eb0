//! Facts: what was really read about a node, and how much it says about the cause.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::events::ChangeKind;
use crate::logs::LogLevel;

/// One thing that was really read about one node.
///
/// A read that failed is no fact: it is an [`Unknown`](super::Unknown).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// The node that it speaks about.
    pub node: String,
    /// What it is.
    pub kind: FactKind,
    /// The kind of cause that it hints at.
    pub category: Category,
    /// The log-likelihood ratio of "this node is the cause", in nats: positive supports, negative contradicts, 0 is neutral.
    ///
    /// [`weights`](crate::weights) has every weight that is given.
    pub weight: f64,
    /// When it was so.
    pub at: Option<Span>,
    /// One sentence for people.
    pub text: String,
    /// Where it was read.
    pub source: Source,
}

/// What a fact is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FactKind {
    /// Something was changed.
    Change {
        /// What kind of change.
        change: ChangeKind,
        /// How long before the onset, in seconds; negative when it was after it.
        seconds_before_onset: f64,
    },
    /// The log of another node complains about this one.
    NamedInLog {
        /// The node whose log it is.
        by: String,
        /// The form of the lines.
        template: String,
        /// Lines after the onset.
        lines: u64,
    },
    /// Lines of a form that was not logged before the onset.
    NewLogTemplate {
        /// The form of the lines.
        template: String,
        /// The worst level of the lines, if they tell it.
        level: Option<LogLevel>,
        /// Lines after the onset.
        lines: u64,
        /// The probability that chance alone does as much, corrected for the number of forms.
        surprise: f64,
    },
    /// Lines of a form that is logged more often than before the onset.
    SurgingLogTemplate {
        /// The form of the lines.
        template: String,
        /// The worst level of the lines, if they tell it.
        level: Option<LogLevel>,
        /// Lines before the onset.
        before: u64,
        /// Lines after it.
        after: u64,
        /// The probability that chance alone does as much, corrected for the number of forms.
        surprise: f64,
    },
    /// A measured value is beyond a documented bound.
    Threshold {
        /// The metric.
        metric: String,
        /// The bound, in the unit of the metric.
        bound: f64,
        /// The value, in the unit of the metric.
        value: f64,
    },
    /// Spans of traces failed, and nothing beneath them did.
    TraceFault {
        /// The class of what was thrown.
        exception: Option<String>,
        /// The status of the HTTP response.
        status: Option<u16>,
        /// How many spans.
        spans: usize,
    },
    /// Calls were refused because there were too many.
    Throttled {
        /// The operation that was called.
        operation: Option<String>,
        /// How many spans.
        spans: usize,
    },
    /// A call was denied.
    PermissionDenied {
        /// Who called.
        principal: Option<String>,
        /// What was called, `service:Operation`.
        action: Option<String>,
        /// What it was called on.
        resource: Option<String>,
    },
    /// Something was cut off, or its caller gave up waiting for it.
    TimedOut {
        /// How long it took, in seconds.
        seconds: f64,
        /// The configured limit in seconds, if the message names it.
        limit_seconds: Option<f64>,
    },
    /// Calls were tried again.
    Retried {
        /// The operation that was called.
        operation: Option<String>,
        /// How many times in all.
        retries: u64,
    },
    /// How much of the time of all traces was spent in it, on the critical path.
    CriticalPath {
        /// Seconds of all traces together.
        seconds: f64,
        /// Share of the duration of all traces, 0 to 1.
        share: f64,
    },
    /// The operation answers with success before, or although, its outcome may be a failure.
    OutcomeHidden {
        /// The operation.
        operation: String,
        /// The status of the HTTP response.
        status: u16,
    },
    /// Every span of it in traces that failed elsewhere ended well.
    Answered {
        /// How many spans.
        spans: usize,
    },
    /// A setting or state is one that practice advises against.
    Setting {
        /// The attribute.
        name: String,
        /// Its value.
        value: String,
    },
    /// A policy grants more than it should.
    OpenPolicy {
        /// The statement's id or number.
        statement: String,
        /// What it grants to whom.
        grants: String,
    },
    /// A resource is used more than it is otherwise, beyond what the requests explain.
    Saturation {
        /// The metric, as in `metrics.csv`.
        metric: String,
        /// The level that it is compared with.
        reference: f64,
        /// The level in the telling rows.
        value: f64,
        /// `value - reference` in units of what it varies by in normal operation, cut to ±1000.
        deviation: f64,
        /// The bound that it is beyond, if it is beyond one.
        bound: Option<f64>,
        /// The value of each interval of the incident; `null` where it is missing.
        rows: Vec<Option<f64>>,
    },
}

/// A kind of cause, in the terms of the field.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Category {
    /// A call was denied.
    Permission,
    /// A call was refused because there were too many.
    Throttling,
    /// A setting is wrong or missing.
    Configuration,
    /// A defect of the program.
    Code,
    /// It takes longer, and what it does longer is not known.
    Latency,
    /// It fails more often, and why is not known.
    Errors,
    /// A resource is used up: processor, memory, disk, connections, locks.
    Saturation,
    /// Something that it calls is at fault.
    Dependency,
    /// The way between nodes.
    Network,
    /// A change was rolled out.
    Deployment,
    /// More requests than usual.
    Traffic,
    /// The data do not tell.
    Unknown,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permission => "permission",
            Self::Throttling => "throttling",
            Self::Configuration => "configuration",
            Self::Code => "code",
            Self::Latency => "latency",
            Self::Errors => "errors",
            Self::Saturation => "saturation",
            Self::Dependency => "dependency",
            Self::Network => "network",
            Self::Deployment => "deployment",
            Self::Traffic => "traffic",
            Self::Unknown => "unknown",
        })
    }
}

/// A stretch of time, in seconds since 1970. A moment begins and ends at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Its begin.
    pub from: f64,
    /// Its end, not before `from`.
    pub to: f64,
}

impl Span {
    /// A moment.
    #[must_use]
    pub const fn moment(at: f64) -> Self {
        Self { from: at, to: at }
    }
}

/// Where a fact was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Who read it, for example `metrics.csv`, `x-ray`, `prometheus`.
    pub reader: String,
    /// The place: file and line, segment id, series, or the exact query.
    pub location: String,
}

impl Source {
    /// A source.
    #[must_use]
    pub fn new(reader: impl Into<String>, location: impl Into<String>) -> Self {
        Self {
            reader: reader.into(),
            location: location.into(),
        }
    }
}
