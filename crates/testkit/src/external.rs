//! A driver for external agents that behave as told.

use std::time::Duration;

use serde_json::Value;
use universal_orchestrator::{
    AgentCallError, AgentId, Delegation, PulledTask, ReportError, TaskFailure,
    UniversalOrchestrator,
};

/// What an external agent does with an attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Answer {
    /// Completes it.
    Succeed(Value),
    /// Fails it.
    Fail(TaskFailure),
    /// Completes it twice.
    Twice(Value),
    /// Waits on tokio's clock, then completes it.
    Late(Duration, Value),
    /// Completes it under the name of another agent.
    AsStranger(AgentId, Value),
    /// Completes the attempt before it.
    Stale(Value),
    /// Says nothing.
    Never,
}

/// An external agent that behaves as told.
#[derive(Debug, Clone)]
pub struct ExternalAgent {
    orchestrator: UniversalOrchestrator,
    id: AgentId,
}

impl ExternalAgent {
    /// Drives an agent that is registered already.
    #[must_use]
    pub const fn new(orchestrator: UniversalOrchestrator, id: AgentId) -> Self {
        Self { orchestrator, id }
    }

    /// The agent.
    #[must_use]
    pub const fn id(&self) -> &AgentId {
        &self.id
    }

    /// Fetches the next task, if one comes within `wait`.
    ///
    /// # Errors
    /// As `next_task`.
    pub async fn pull(&self, wait: Duration) -> Result<Option<PulledTask>, AgentCallError> {
        self.orchestrator.next_task(&self.id, wait).await
    }

    /// Fetches the next task and answers; `None` when none came.
    ///
    /// # Errors
    /// As `next_task`.
    pub async fn pull_and(
        &self,
        wait: Duration,
        answer: &Answer,
    ) -> Result<Option<Vec<Result<(), ReportError>>>, AgentCallError> {
        match self.pull(wait).await? {
            Some(task) => Ok(Some(self.answer(task.delegation(), answer).await)),
            None => Ok(None),
        }
    }

    /// Answers an attempt; gives what each of its reports came to.
    pub async fn answer(
        &self,
        delegation: &Delegation,
        answer: &Answer,
    ) -> Vec<Result<(), ReportError>> {
        let o = &self.orchestrator;
        match answer {
            Answer::Succeed(value) => vec![o.complete_task(delegation, value.clone()).await],
            Answer::Fail(failure) => vec![o.fail_task(delegation, failure.clone()).await],
            Answer::Twice(value) => vec![
                o.complete_task(delegation, value.clone()).await,
                o.complete_task(delegation, value.clone()).await,
            ],
            Answer::Late(time, value) => {
                tokio::time::sleep(*time).await;
                vec![o.complete_task(delegation, value.clone()).await]
            }
            Answer::AsStranger(stranger, value) => {
                let forged = Delegation::new(
                    delegation.task().clone(),
                    stranger.clone(),
                    delegation.attempt(),
                );
                vec![o.complete_task(&forged, value.clone()).await]
            }
            Answer::Stale(value) => {
                let stale = Delegation::new(
                    delegation.task().clone(),
                    delegation.agent().clone(),
                    delegation.attempt().saturating_sub(1),
                );
                vec![o.complete_task(&stale, value.clone()).await]
            }
            Answer::Never => Vec::new(),
        }
    }
}
