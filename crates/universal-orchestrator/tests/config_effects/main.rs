//! Every key of the configuration has a test that sees its effect; `walk.rs` holds the list and looks that no key is missing.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

#[path = "../common/mod.rs"]
mod common;

mod agents;
mod budgets;
mod host;
mod retries;
mod tasks;
mod top;
mod walk;

use std::sync::Arc;

use common::*;
use universal_orchestrator::plugin::{HookPoint, HookSet, PluginManifest};
use universal_orchestrator::{OrchestratorConfig, Refused, UniversalOrchestrator};
use universal_orchestrator_testkit::Recorder;

/// Sets one key among many in the same table.
pub(crate) type Set<T> = (&'static str, fn(&mut OrchestratorConfig), T);

/// An orchestrator with a plugin that counts what it sees.
pub(crate) async fn recorded(
    change: impl FnOnce(&mut OrchestratorConfig),
) -> (UniversalOrchestrator, Recorder) {
    let mut config = OrchestratorConfig::default();
    change(&mut config);
    let recorder = Recorder::new();
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .config(config)
        .plugin(Recorder::MANIFEST, recorder.clone())
        .start()
        .await
        .unwrap();
    (o, recorder)
}

/// How often a target was exceeded.
pub(crate) fn exceeded(o: &UniversalOrchestrator, target: &str) -> u64 {
    let counts = o.status().performance.targets_exceeded;
    counts.get(target).copied().unwrap_or(0)
}

/// Asserts that a refusal names the key of the limit that refused.
#[track_caller]
pub(crate) fn assert_names<T: std::fmt::Debug>(result: Result<T, Refused>, key: &str) {
    let refused = result.unwrap_err().to_string();
    assert!(refused.contains(key), "{key}: {refused}");
}

pub(crate) fn guard_at(point: HookPoint) -> PluginManifest {
    manifest("slow", HookSet::none().guard(point))
}

/// A guard that allows after a while.
pub(crate) fn slow_guard(millis: u64) -> Hooked {
    let slow = Arc::new(millis);
    Hooked::new().guard(move |_, _| {
        let slow = Arc::clone(&slow);
        universal_orchestrator::plugin::Verdict::later(async move {
            tokio::time::sleep(ms(*slow)).await;
            Ok(())
        })
    })
}
