//! Specialists as agents: each takes its assignment from the desk and hands in what it found.

use std::sync::Arc;

use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, RegisterRefused, TaskContext, UniversalOrchestrator, Value,
    agent_fn, json,
};

use super::desk::{AssignmentId, Desk};
use super::table::Expert;
use crate::evidence::Findings;

/// Nodes between two looks at the runtime, so that a deadline can end a specialist of a large graph.
const NODES_AT_ONCE: usize = 64;

/// Investigations that one specialist serves at the same time.
const CASES_AT_ONCE: u32 = 8;

/// Registers specialists as agents.
///
/// # Errors
///
/// The orchestrator refuses one of them, for example because it is registered already.
pub(crate) async fn register(
    orchestrator: &UniversalOrchestrator,
    desk: &Arc<Desk>,
    experts: &[Expert],
) -> Result<(), RegisterRefused> {
    for expert in experts {
        orchestrator
            .register_agent(agent(*expert, Arc::clone(desk)))
            .await?;
    }
    Ok(())
}

fn agent(expert: Expert, desk: Arc<Desk>) -> AgentSpec {
    let work = move |id: AssignmentId, _context: TaskContext| {
        let desk = Arc::clone(&desk);
        async move { examine(expert, &desk, id).await }
    };
    AgentSpec::new(expert.capability(), AgentRole::Specialist)
        .capabilities([expert.capability()])
        .concurrency(CASES_AT_ONCE)
        .in_process(agent_fn(work))
}

async fn examine(expert: Expert, desk: &Desk, id: AssignmentId) -> Result<Value, AgentError> {
    let Some((case, nodes)) = desk.assignment(id) else {
        return Err(AgentError::permanent(format!(
            "no assignment {} of case {} is open: it may have ended",
            id.assignment, id.case
        )));
    };
    let mut findings = Findings::default();
    for (place, chunk) in nodes.chunks(NODES_AT_ONCE).enumerate() {
        if place > 0 {
            tokio::task::yield_now().await;
        }
        expert.examine(&case, chunk, &mut findings);
    }
    let summary = json!({
        "observations": findings.observations.len(),
        "facts": findings.facts.len(),
        "unknown": findings.unknown.len(),
    });
    desk.hand_in(id, findings);
    Ok(summary)
}
