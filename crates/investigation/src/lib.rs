//! Finds the node that caused an incident, from recorded telemetry and the call graph, and says how sure it is.
//!
//! No model is asked anything: specialists, which are agents of an orchestrator, compare every series with its baseline,
//! a ranking over the call graph weighs what they found, and bounds decide what may be said.
//! `docs/investigation.md` tells the method and the formats, `docs/investigation-quality.md` how well it works.
//!
//! ```
//! use universal_orchestrator::UniversalOrchestrator;
//! use universal_orchestrator_investigation::{
//!     CallGraph, Incident, InvestigationLimits, Investigator, Signal, Target, Telemetry, Verdict,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut graph = CallGraph::new();
//! graph.add_call("shop", "search");
//! graph.add_call("search", "database");
//!
//! // Five minutes a row; the second row is when somebody noticed.
//! let mut telemetry = Telemetry::over(vec![0.0, 300.0, 600.0, 900.0, 1200.0]);
//! for (node, latency) in [
//!     ("shop", [0.20, 0.20, 0.45, 0.46, 0.20]),
//!     ("search", [0.10, 0.10, 0.35, 0.36, 0.10]),
//!     ("database", [0.01, 0.01, 0.01, 0.01, 0.01]),
//! ] {
//!     telemetry.insert(node, Signal::LatencyAverage, latency.to_vec());
//!     telemetry.insert(node, Signal::Requests, vec![400.0; 5]);
//! }
//! let target = Target { node: "shop".into(), signal: Signal::LatencyAverage, at: Some(450.0) };
//! let incident = Incident { target: Some(target), telemetry, graph, ..Incident::default() };
//!
//! let orchestrator = UniversalOrchestrator::builder().start().await?;
//! let investigator = Investigator::new(orchestrator.clone()).await?;
//! let report = investigator.investigate(incident, &InvestigationLimits::default()).await?;
//! assert_eq!(report.verdict, Verdict::Diagnosed);
//! assert_eq!(report.root_cause.ranking[0].node, "search");
//! orchestrator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod evidence;
mod graph;
mod hypothesis;
mod impact;
mod incident;
mod investigator;
mod ranking;
mod report;
mod request;
mod resource;
mod specialist;
mod statistics;
mod telemetry;
#[cfg(test)]
mod test_data;
mod trace;
mod verdict;
mod wave;

pub mod calibration;
pub mod events;
pub mod logs;
pub mod source;

pub use evidence::{
    Category, Fact, FactKind, Findings, Observation, ReferenceSource, Source, Span, Symptom,
    Unknown, weights,
};
pub use graph::CallGraph;
pub use hypothesis::{
    ALTERNATIVE_RATIO, Attempt, CALLEES_SHARE, DEVIATION_CLEAR, DEVIATION_NONE, HYPOTHESES_MAX,
    HYPOTHESIS_NODES_MAX, Hypothesis, INTERVALS_MIN, LATE_INTERVALS, Outcome, Standing,
    THRESHOLD_TOLERANCE, Test,
};
pub use impact::{
    BlastRadius, CALLERS_MAX, FACTORS_MAX, FAILED_CRITICAL, FAILED_HIGH, FAILED_MEDIUM, Factor,
    ReachedCaller, SHARE_LOW, SLOWER_CRITICAL, SLOWER_HIGH, SLOWER_MEDIUM, Severity, SeverityLevel,
    TIMELINE_MAX, TimelineEntry, TimelineEvent,
};
pub use incident::{
    Gathered, Incident, IncidentFiles, READ_LIMITS, ReadError, ReadErrorKind, ReadLimits,
    SaveError, Target, read_graph, read_resources,
};
pub use investigator::{InvestigateError, InvestigationLimits, Investigator};
pub use ranking::{
    CHECK_UP_NO_FAULT_PRIOR, CandidateFeatures, ELSEWHERE_PRIOR, ELSEWHERE_WHEN_DISPROVEN,
    NO_FAULT_PRIOR,
};
pub use report::{
    Asked, Contribution, DataSummary, EVIDENCE_NODES_MAX, EXPLAINED_FACTS_MAX, Explanation,
    FACTS_MAX, Probe, RANKING_MAX, REPORT_VERSION, RESOURCES_SHOWN_MAX, RankedNode, Report,
    ReportResource, ReportTarget, RootCause, RunSummary, Style, UNKNOWN_MAX, compare, html,
    post_mortem, render, report_schema,
};
pub use request::{
    Found, Place, REQUEST_BYTES_MAX, REQUEST_ENTRIES_MAX, Request, RequestError, TimeRange,
    Urgency, instant,
};
pub use resource::{
    ARN_BYTES_MAX, Arn, ArnError, Attributes, Inventory, InventoryFull, RESOURCES_MAX,
    ROUTING_TABLE, Resource, ResourceKind, Route, RoutingRow, Thresholds, route,
};
pub use specialist::{capability_of, specialists};
pub use telemetry::{Metric, Resource as ResourceMetric, Signal, Statistic, Telemetry};
pub use trace::{
    Exception, HttpCall, Namespace, SqlCall, TRACE_LIMITS, Trace, TraceError, TraceErrorKind,
    TraceLimits, TraceSpan, Traces,
};
pub use verdict::{CONFIDENCE_MIN, FAULT_PROBABILITY_MIN, NO_FAULT_PROBABILITY_MAX, Verdict};
pub use wave::{
    BudgetUse, CONFIDENCE_ENOUGH, Cost, CostSummary, DEEP_NODES_MAX, Progress, ProgressListener,
    SUSPICION_MIN, SpecialistRun, Strategy,
};
