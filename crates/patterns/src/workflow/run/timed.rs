//! A step with a timeout.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;
use universal_orchestrator::Amount;

use crate::contain::{Bounds, CancelledBy, bounded};
use crate::context::OrchestrationContext;
use crate::result::StepResult;
use crate::step::{SharedStep, Step};

/// A step of which one attempt may take so long.
pub(in crate::workflow) struct Timed {
    step: SharedStep<Value, Value>,
    timeout: Duration,
}

impl Timed {
    pub(in crate::workflow) const fn new(
        step: SharedStep<Value, Value>,
        timeout: Duration,
    ) -> Self {
        Self { step, timeout }
    }
}

#[async_trait]
impl Step<Value, Value> for Timed {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn estimate(&self) -> Amount {
        self.step.estimate()
    }

    async fn run(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        let started = Instant::now();
        let bounds = Bounds {
            timeout: started.checked_add(self.timeout),
            deadline: None,
            cancelled: CancelledBy::Context(context),
        };
        let work = async { self.step.run(context, input).await };
        let result = bounded(self.step.name(), bounds, work).await;
        result
            .unwrap_or_else(|failure| StepResult::failed(failure).with_duration(started.elapsed()))
    }
}
