//! What the tests of this crate share.

#![allow(dead_code, reason = "each test program uses a part")]

use universal_orchestrator::{Limits, UniversalOrchestrator};
use universal_orchestrator_patterns::OrchestrationContext;
use universal_orchestrator_testkit::{quiet_config, test_orchestrator};

/// A seed, so that jitter is the same in every run.
pub(crate) const SEED: u64 = 7;

pub(crate) async fn orchestrator() -> UniversalOrchestrator {
    test_orchestrator(quiet_config()).await
}

pub(crate) fn context(o: &UniversalOrchestrator) -> OrchestrationContext {
    OrchestrationContext::builder(o)
        .request("test")
        .seed(SEED)
        .build()
        .expect("the parts are valid")
}

pub(crate) fn tokens(limit: u64) -> Limits {
    Limits::unlimited().with_tokens(limit)
}

pub(crate) fn with_budget(o: &UniversalOrchestrator, limits: Limits) -> OrchestrationContext {
    OrchestrationContext::builder(o)
        .request("test")
        .seed(SEED)
        .budget(limits)
        .build()
        .expect("the parts are valid")
}
