//! A configuration that nobody should write: refused before anything starts, and the smallest one that is allowed does no harm.

mod common;
mod hostile;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{external, settle, task, tid, with_config};
use hostile::{MEGABYTE, check_text};
use universal_orchestrator::{OrchestratorConfig, StartError, Task, UniversalOrchestrator};

async fn start(change: impl FnOnce(&mut OrchestratorConfig)) -> Result<(), StartError> {
    let mut config = OrchestratorConfig::default();
    change(&mut config);
    UniversalOrchestrator::start(config).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn no_orchestrator_starts_with_a_configuration_out_of_its_limits() {
    type Change = fn(&mut OrchestratorConfig);
    let cases: [(&str, Change); 8] = [
        ("`max_agents`", |c| c.max_agents = 0),
        ("`max_concurrent_tasks`", |c| {
            c.max_concurrent_tasks = usize::MAX
        }),
        ("`events.capacity`", |c| c.events.capacity = usize::MAX),
        ("`max_error_rate_percent`", |c| {
            c.max_error_rate_percent = f64::NAN
        }),
        ("`retry.jitter`", |c| c.retry.jitter = f64::INFINITY),
        ("`agents.lease_ms`", |c| c.agents.lease_ms = u64::MAX),
        ("`tasks.payload_depth_max`", |c| {
            c.tasks.payload_depth_max = 129
        }),
        ("`queue.tenant_weights.", |c| {
            let weights = [("x".repeat(MEGABYTE), 0)];
            c.queue.tenant_weights = BTreeMap::from(weights);
        }),
    ];
    for (says, change) in cases {
        let error = start(change).await.unwrap_err();
        assert!(matches!(error, StartError::Config(_)), "{error:.200}");
        check_text(&error, &[says]);
    }
}

#[test]
fn no_text_and_no_variable_makes_a_configuration_out_of_garbage() {
    let mega = "x".repeat(MEGABYTE);
    for text in [
        "max_agents = 0".to_owned(),
        "max_agents = -1".to_owned(),
        "max_agents = 1e308".to_owned(),
        "max_cpu_percent = nan".to_owned(),
        "retry.multiplier = inf".to_owned(),
        format!("{mega} = 1"),
        format!("mode = '{mega}'"),
        format!("[queue.tenant_weights]\n'{mega}' = 0"),
        format!("[concurrency_keys.keys.'{mega}']\nmax_in_flight = 0"),
        format!("[budget.tenants.'{mega}']\nmoney = 'x'"),
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{a=".repeat(100_000)),
        "\u{0}".to_owned(),
        "queue = 1".to_owned(),
    ] {
        let error = OrchestratorConfig::from_toml_str(&text).unwrap_err();
        assert!(
            error.to_string().len() < 2_000,
            "{:.300}",
            error.to_string()
        );
    }
    for (name, value) in [
        ("UO_", "1"),
        ("UO_MAX_AGENTS", ""),
        ("UO_MAX_AGENTS", "18446744073709551616"),
        ("UO_MAX_CPU_PERCENT", "NaN"),
        ("UO_QUEUE__MAX_TASKS", "-1"),
        ("UO_MODE", &mega),
        (&format!("UO_{mega}"), "1"),
        ("UO_PLUGINS", &"{a=".repeat(100_000)),
    ] {
        let variables = [(name.to_owned(), value.to_owned())];
        let error = OrchestratorConfig::default().with_env_from(variables);
        let text = error.unwrap_err().to_string();
        assert!(text.len() < 2_000, "{text:.300}");
        assert!(text.contains(&name[..name.len().min(12)]), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_smallest_configuration_refuses_and_does_not_break() {
    let o = with_config(|c| {
        c.max_agents = 1;
        c.max_concurrent_tasks = 1;
        c.queue.max_tasks = 0;
        c.tasks.payload_bytes_max = 0;
        c.tasks.payload_depth_max = 0;
        c.tasks.result_bytes_max = 0;
        c.tasks.retained_results_max = 0;
        c.tasks.dead_letters_max = 0;
        c.tasks.child_depth_max = 0;
        c.tasks.children_max = 0;
        c.tasks.dependencies_max = 0;
        c.tasks.id_bytes_max = 1;
        c.tasks.labels_max = 0;
        c.tasks.batch_max = 1;
        c.tasks.progress_buffer = 1;
        c.agents.metadata_bytes_max = 0;
        c.events.capacity = 1;
        c.status.list_max = 0;
        c.hooks.control_depth_max = 1;
        c.shutdown.drain_ms = 0;
    })
    .await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let one = || Task::new("t").requires(["a"]).id("1");
    let refused = o.delegate_task(one()).await.unwrap_err();
    check_text(&refused, &["payload has at least 4 bytes", "is 0"]);
    let refused = o.submit_task(one()).await.unwrap_err();
    check_text(&refused, &["payload"]);
    let o = with_config(|c| c.queue.max_tasks = 0).await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    for refused in [
        o.submit_task(one()).await.unwrap_err(),
        o.submit_task_wait(one()).await.unwrap_err(),
        o.execute(one()).await.unwrap_err(),
    ] {
        check_text(&refused, &["queue.max_tasks 0", "raise the limit"]);
    }
    o.delegate_task(one()).await.unwrap();
    let busy = o.delegate_task(task("a").id("2")).await.unwrap_err();
    check_text(
        &busy,
        &["no capable agent is free (1 busy): submit_task queues"],
    );
    let report = o.shutdown_within(Duration::MAX);
    let (report, ()) = tokio::join!(report, async {
        settle().await;
        assert!(o.cancel_task(&tid("1")).await.is_ok());
    });
    assert_eq!(report.unfinished.len(), 0);
    assert_eq!(report.drained, 1);
}
