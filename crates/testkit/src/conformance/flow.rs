//! A flow that passes every hook point when nobody refuses.

use std::time::Duration;

use serde_json::json;
use universal_orchestrator::{
    AgentId, AgentRole, AgentSpec, RetryPolicy, RunId, Task, UniversalOrchestrator,
};

use crate::{ScriptedAgent, Step, settle};

/// Between two ticks.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Between two health checks; not often, because each reads the machine.
pub(super) const HEALTH_CHECK: Duration = Duration::from_secs(20);

/// Goes through every door and every end of a task. What the plugin refuses is skipped: refusing is its right.
pub(super) async fn exercise(o: &UniversalOrchestrator) {
    let o = &match o.as_principal("conformance") {
        Ok(caller) => caller,
        Err(error) => std::panic::panic_any(format!("a well-formed name was refused: {error}")),
    };
    let here = ScriptedAgent::script([vec![Step::FailRetryable], vec![Step::Echo]]);
    let spec = AgentSpec::new("here", AgentRole::Worker).capabilities(["here"]);
    // A refused call leaves nothing behind, so the flow goes on without it; the checks look at the plugin and not at the results.
    let _ = o.register_agent(spec.in_process(here)).await;
    let breaks = AgentSpec::new("breaks", AgentRole::Worker).capabilities(["breaks"]);
    let _ = o
        .register_agent(breaks.in_process(ScriptedAgent::fails()))
        .await;
    let there = AgentSpec::new("there", AgentRole::Specialist).capabilities(["there"]);
    let there = o.register_agent(there.label("zone", "eu")).await.ok();

    let task = |capability: &str| Task::new("conformance").requires([capability]);
    let retried = RetryPolicy::immediate(2);
    let _ = o.execute(task("here").payload(1).retry(retried)).await;
    let _ = o.execute(task("here").retry(RetryPolicy::never())).await;
    let _ = o
        .execute(task("breaks").tenant("tenant").payload(json!({"a": [1]})))
        .await;
    if let Ok(delegation) = o.delegate_task(task("here").retry(retried)).await {
        let _ = o.wait_task(delegation.task()).await;
    }
    if let Some(there) = there {
        pass_outside(o, &there, task("there")).await;
    }
    tokio::time::sleep(HEALTH_CHECK + TICK).await;
}

/// Delegates to, is pulled by, and ends the attempts of an external agent; then sends it away.
async fn pass_outside(o: &UniversalOrchestrator, there: &AgentId, task: Task) {
    if let Ok(run) = RunId::new("run") {
        let _ = o.open_run(&run, universal_orchestrator::Limits::unlimited());
    }
    if let Ok(delegation) = o.delegate_task(task.clone().run("run")).await {
        let _ = o.start_task(&delegation).await;
        let _ = o.complete_task(&delegation, 1).await;
    }
    for cancelled in [false, true] {
        let Ok(handle) = o.submit_task(task.clone()).await else {
            continue;
        };
        if !cancelled && let Ok(Some(pulled)) = o.next_task(there, Duration::ZERO).await {
            let _ = o.complete_task(pulled.delegation(), 1).await;
        }
        handle.cancel();
    }
    let _ = o.deregister_agent(there).await;
    settle().await;
}
