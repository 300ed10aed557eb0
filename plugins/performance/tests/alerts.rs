//! Rules raise alerts that are told, seen in the status, acknowledged and resolved.

mod common;

use common::{Machine, agents, look, ms, pass, seconds, section, service, start, work};
use universal_orchestrator::{HealthStatus, Task, TaskFailure, UniversalOrchestrator};
use universal_orchestrator_performance::{AlertState, NAME};

fn told(o: &UniversalOrchestrator) -> Vec<String> {
    let alerts = o.status().alerts;
    assert!(alerts.iter().all(|alert| alert.source == NAME));
    alerts.into_iter().map(|alert| alert.text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_critical_alert_fires_is_acknowledged_and_resolves() {
    let machine = Machine::calm();
    let o = start(seconds(), &machine).await;
    pass(ms(3_000)).await;
    assert_eq!(o.status().critical_alerts, 0);
    machine.set(|reading| reading.memory_percent = Some(96.0));
    pass(ms(10_000)).await;
    assert_eq!(o.status().critical_alerts, 0, "it must last 30 s");
    assert!(
        service(&o)
            .alerts()
            .iter()
            .all(|a| a.state == AlertState::Pending)
    );
    pass(ms(25_000)).await;
    let status = o.status();
    assert_eq!(status.critical_alerts, 1);
    assert_eq!(status.health_status, HealthStatus::Critical);
    assert!(
        status.health_issues[0].contains("memory_critical (96.0)"),
        "{:?}",
        status.health_issues
    );
    let texts = told(&o);
    assert!(
        texts
            .iter()
            .any(|t| t.starts_with("critical memory_critical fires: memory_percent > 95")),
        "{texts:?}"
    );

    service(&o).acknowledge("memory_critical", "ann").unwrap();
    let status = o.status();
    assert_eq!(status.critical_alerts, 0, "somebody knows");
    assert_eq!(
        status.health_status,
        HealthStatus::Critical,
        "and it is still bad"
    );

    machine.set(|reading| reading.memory_percent = Some(93.0));
    pass(ms(3_000)).await;
    let firing = |rule: &str| {
        let alerts = service(&o).alerts();
        alerts
            .iter()
            .any(|a| a.rule == rule && a.state != AlertState::Pending)
    };
    assert!(firing("memory_critical"), "hysteresis: it resolves at 92");
    machine.set(|reading| reading.memory_percent = Some(20.0));
    pass(ms(3_000)).await;
    assert!(!firing("memory_critical"));
    assert_eq!(o.status().health_status, HealthStatus::Healthy);
    let resolved = service(&o).resolved_alerts();
    let alert = resolved
        .iter()
        .find(|a| a.rule == "memory_critical")
        .unwrap();
    assert_eq!(alert.acknowledged_by.as_deref(), Some("ann"));
    assert!(
        told(&o)
            .iter()
            .any(|t| t.starts_with("critical memory_critical resolved"))
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_cooldown_holds_repeated_notices_back() {
    let rule = r#"
        default_rules = false
        [[rules]]
        name = "hot"
        signal = "cpu_percent"
        operator = ">="
        threshold = 50
        severity = "info"
        cooldown_ms = 20000
    "#;
    let machine = Machine::calm();
    let o = start(section(rule), &machine).await;
    for _ in 0..5 {
        machine.set(|reading| reading.cpu_percent = Some(60.0));
        pass(ms(3_000)).await;
        machine.set(|reading| reading.cpu_percent = Some(10.0));
        pass(ms(3_000)).await;
    }
    let fired = told(&o)
        .iter()
        .filter(|text| text.contains("fires"))
        .count();
    assert_eq!(
        fired,
        2,
        "at the start and after twenty seconds: {:?}",
        told(&o)
    );
    assert_eq!(service(&o).notices_withheld(), 3);
    assert_eq!(
        o.status().health_status,
        HealthStatus::Healthy,
        "info does not count"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_rate_is_judged_from_enough_tasks_on() {
    let o = start(section("judged_from = 4"), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    let fail = async || {
        let delegation = o
            .delegate_task(Task::new("t").requires(["x"]))
            .await
            .unwrap();
        o.fail_task(&delegation, TaskFailure::permanent("no"))
            .await
            .unwrap();
    };
    fail().await;
    look(&o).await;
    assert_eq!(o.status().critical_alerts, 0, "one of one says nothing");
    for _ in 0..3 {
        fail().await;
    }
    look(&o).await;
    assert_eq!(o.status().critical_alerts, 1);
    pass(ms(12_000)).await;
    assert_eq!(o.status().critical_alerts, 0, "it has left the window");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_for_waiting_tasks_is_critical_and_nobody_for_none_is_not() {
    let o = start(seconds(), &Machine::calm()).await;
    pass(ms(3_000)).await;
    assert_eq!(o.status().critical_alerts, 0, "no agents and no work");
    agents(&o, "x", &["a"]).await;
    let id = universal_orchestrator::AgentId::new("a").unwrap();
    o.sleep_agent(&id).await.unwrap();
    let waiting = o.submit_task(Task::new("t").requires(["x"])).await.unwrap();
    look(&o).await;
    let rules: Vec<String> = service(&o).alerts().into_iter().map(|a| a.rule).collect();
    assert_eq!(rules, ["no_agent_for_waiting_tasks"]);
    waiting.cancel();
    look(&o).await;
    assert!(service(&o).alerts().is_empty());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_system_raises_nothing_not_even_low_throughput() {
    let rule = r#"
        [[rules]]
        name = "low_throughput"
        signal = "throughput_per_second"
        operator = "<"
        threshold = 10
    "#;
    let o = start(section(rule), &Machine::calm()).await;
    pass(ms(60_000)).await;
    assert!(
        service(&o).alerts().is_empty(),
        "{:?}",
        service(&o).alerts()
    );
    assert!(told(&o).is_empty());
    agents(&o, "x", &["a"]).await;
    work(&o, Task::new("t").requires(["x"]), ms(1)).await;
    look(&o).await;
    assert_eq!(
        service(&o).alerts().len(),
        1,
        "one task in ten seconds is low"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_can_look_at_one_task_type() {
    let rule = r#"
        default_rules = false
        [[rules]]
        name = "checkout_slow"
        signal = "execution_p95_ms"
        operator = ">"
        threshold = 100
        only = { task_type = "checkout" }
    "#;
    let o = start(section(rule), &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    work(&o, Task::new("report").requires(["x"]), ms(500)).await;
    look(&o).await;
    assert!(service(&o).alerts().is_empty());
    work(&o, Task::new("checkout").requires(["x"]), ms(200)).await;
    look(&o).await;
    assert_eq!(o.status().health_status, HealthStatus::Degraded);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn switched_off_at_run_time_it_raises_nothing_more() {
    let machine = Machine::calm();
    let o = start(seconds(), &machine).await;
    o.disable_plugin(NAME).unwrap();
    machine.set(|reading| reading.disk_percent = Some(99.0));
    pass(ms(60_000)).await;
    assert!(told(&o).is_empty());
    o.enable_plugin(NAME).unwrap();
    pass(ms(40_000)).await;
    assert_eq!(told(&o).len(), 2, "disk_high and disk_critical");
    o.shutdown().await;
}
