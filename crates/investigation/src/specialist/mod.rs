//! Specialists: each reads one kind of series of every node and turns it into observations.

mod desk;
mod errors;
mod latency;
mod measure;
mod traffic;

pub(crate) use desk::{CASES_MAX, Desk, OpenCase};

use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, TaskContext, UniversalOrchestrator, Value, agent_fn, json,
};

use crate::evidence::{Case, Findings};
use crate::telemetry::Metric;

/// What a specialist looks at.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Specialty {
    /// How long requests take.
    Latency,
    /// Which share of requests fails.
    Errors,
    /// How many requests arrive.
    Traffic,
}

/// Nodes between two looks at the runtime, so that a deadline can end a specialist of a large graph.
const NODES_AT_ONCE: usize = 64;

impl Specialty {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Latency, Self::Errors, Self::Traffic];

    /// The capability that an agent has who does this, and that tasks ask for.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Latency => "investigate.latency",
            Self::Errors => "investigate.errors",
            Self::Traffic => "investigate.traffic",
        }
    }

    /// The specialty that reads the metric.
    #[must_use]
    pub const fn of(metric: Metric) -> Self {
        match metric {
            Metric::Latency => Self::Latency,
            Metric::Availability => Self::Errors,
            Metric::Requests => Self::Traffic,
        }
    }

    pub(crate) const fn place(self) -> usize {
        match self {
            Self::Latency => 0,
            Self::Errors => 1,
            Self::Traffic => 2,
        }
    }

    fn observe(self, case: &Case, nodes: Range<usize>, findings: &mut Findings) {
        match self {
            Self::Latency => latency::observe(case, nodes, findings),
            Self::Errors => errors::observe(case, nodes, findings),
            Self::Traffic => traffic::observe(case, nodes, findings),
        }
    }

    /// Looks at every node of the case.
    pub(crate) fn observe_all(self, case: &Case) -> Findings {
        let mut findings = Findings::default();
        self.observe(case, 0..case.nodes.len(), &mut findings);
        findings
    }

    /// The agent: it takes the case of its task from the desk and hands in what it found.
    pub(crate) fn agent(self, desk: Arc<Desk>) -> AgentSpec {
        let work = move |number: u64, _context: TaskContext| {
            let desk = Arc::clone(&desk);
            async move { self.work(&desk, number).await }
        };
        AgentSpec::new(self.capability(), AgentRole::Specialist)
            .capabilities([self.capability()])
            .concurrency(CASES_AT_ONCE)
            .in_process(agent_fn(work))
    }

    async fn work(self, desk: &Desk, number: u64) -> Result<Value, AgentError> {
        let Some(case) = desk.case(number) else {
            return Err(AgentError::permanent(format!(
                "no case {number} is open: it may have ended"
            )));
        };
        let mut findings = Findings::default();
        let mut from = 0;
        while from < case.nodes.len() {
            let to = (from + NODES_AT_ONCE).min(case.nodes.len());
            self.observe(&case, from..to, &mut findings);
            from = to;
            if from < case.nodes.len() {
                tokio::task::yield_now().await;
            }
        }
        let summary = json!({
            "observations": findings.observations.len(),
            "unknown": findings.unknown.len(),
        });
        desk.hand_in(number, self, findings);
        Ok(summary)
    }
}

/// Investigations that one specialist serves at the same time.
const CASES_AT_ONCE: u32 = 8;

/// Registers the specialists of this crate.
///
/// # Errors
///
/// The orchestrator refuses one of them, for example because it is registered already.
pub(crate) async fn register(
    orchestrator: &UniversalOrchestrator,
    desk: &Arc<Desk>,
    specialties: &[Specialty],
) -> Result<(), universal_orchestrator::RegisterRefused> {
    for specialty in specialties {
        orchestrator
            .register_agent(specialty.agent(Arc::clone(desk)))
            .await?;
    }
    Ok(())
}
