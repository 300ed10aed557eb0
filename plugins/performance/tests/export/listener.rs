//! The listener: where it listens, what it answers, that it ends.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use universal_orchestrator::{StartError, Task};
use universal_orchestrator_performance::{MetricName, PerformancePlugin};
use universal_orchestrator_testkit::{quiet_config, test_builder};

use crate::common::{Machine, agents, look, ms, section, service, start, work};
use crate::{ask, metrics, value};

const ANY_PORT: &str = r#"prometheus_listen = "127.0.0.1:0""#;

#[tokio::test]
async fn a_scraper_gets_the_metrics_of_core_and_plugin() {
    let config = section(&format!("{ANY_PORT}\nlatency_buckets_ms = [1, 1000]"));
    let o = start(config, &Machine::calm()).await;
    let address = service(&o).prometheus_address().unwrap();
    agents(&o, "x", &["worker-17"]).await;
    work(&o, Task::new("resize").requires(["x"]), ms(20)).await;
    work(&o, Task::new("resize").requires(["x"]), ms(20)).await;
    look(&o).await;
    let shown = o.status().plugins[0].health.details["prometheus"].clone();
    assert_eq!(shown, format!("http://{address}/metrics"));

    let page = metrics(address).await;
    let tasks = r#"orchestrator_performance_tasks_total{task_type="resize",outcome="succeeded"}"#;
    assert_eq!(value(&page, tasks), Some(2.0), "{page}");
    let bucket = |le: &str| {
        let name = MetricName::Execution.as_str();
        value(
            &page,
            &format!(r#"{name}_bucket{{task_type="resize",le="{le}"}}"#),
        )
    };
    assert_eq!(
        (bucket("0.001"), bucket("1")),
        (Some(0.0), Some(2.0)),
        "{page}"
    );
    assert_eq!(bucket("0.5"), None, "the buckets are those of the section");
    let waits = r#"orchestrator_performance_queue_wait_seconds_count{capability="x"}"#;
    assert_eq!(value(&page, waits), Some(2.0), "{page}");
    assert_eq!(
        value(&page, "orchestrator_performance_cpu_busy_ratio"),
        Some(0.1)
    );
    let finished = r#"orchestrator_tasks_finished_total{state="succeeded"}"#;
    assert_eq!(
        value(&page, finished),
        Some(2.0),
        "what the core counts is there too"
    );
    assert!(!page.contains("worker-17"), "no label holds an agent id");
    o.shutdown().await;
    assert!(
        ask(address, "GET", "/metrics").await.is_err(),
        "it has stopped"
    );
}

#[tokio::test]
async fn labels_stay_bounded_whatever_comes() {
    let mut config = section(&format!("{ANY_PORT}\ntracked_max = 3"));
    (config.interval_ms, config.window_ms) = (200, 400);
    let o = start(config, &Machine::calm()).await;
    agents(&o, "x", &["a"]).await;
    for n in 0..8 {
        work(&o, Task::new(format!("type-{n}")).requires(["x"]), ms(1)).await;
        if n % 4 == 3 {
            // Long enough for the window to forget the first ones, which keep their labels.
            for _ in 0..3 {
                look(&o).await;
            }
        }
    }
    let page = metrics(service(&o).prometheus_address().unwrap()).await;
    let types: std::collections::BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.split_once("task_type=\""))
        .filter_map(|(_, rest)| rest.split('"').next())
        .collect();
    assert_eq!(types.len(), 4, "three and `other`: {types:?}");
    assert!(types.contains("other"), "{types:?}");
    o.shutdown().await;
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let o = start(section(ANY_PORT), &Machine::calm()).await;
    let address = service(&o).prometheus_address().unwrap();
    let answer = ask(address, "GET", "/").await.unwrap();
    assert!(
        answer.contains(" 404 ") && answer.contains("/metrics"),
        "{answer}"
    );
    let answer = ask(address, "POST", "/metrics").await.unwrap();
    assert!(answer.contains(" 405 "), "{answer}");
    o.shutdown().await;
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_the_next_one_is_served() {
    let config = section(&format!("{ANY_PORT}\nprometheus_connections_max = 1"));
    let o = start(config, &Machine::calm()).await;
    let address = service(&o).prometheus_address().unwrap();
    let idle = tokio::net::TcpStream::connect(address).await.unwrap();
    let refused = ask(address, "GET", "/metrics").await;
    assert!(
        refused.as_ref().is_ok_and(String::is_empty) || refused.is_err(),
        "{refused:?}"
    );
    drop(idle);
    // The closed connection is noticed some time later; each attempt says whether it was.
    while ask(address, "GET", "/metrics")
        .await
        .is_ok_and(|answer| answer.is_empty())
    {}
    assert!(metrics(address).await.contains("orchestrator_agents"));
    o.shutdown().await;
}

#[tokio::test]
async fn a_taken_port_stops_the_start_and_the_text_says_what_to_change() {
    let taken = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .unwrap();
    let address = taken.local_addr().unwrap();
    let config = section(&format!("prometheus_listen = \"{address}\""));
    let plugin = PerformancePlugin::with_sampler(config, Machine::calm()).unwrap();
    let error = test_builder(quiet_config())
        .plugin(PerformancePlugin::MANIFEST, plugin)
        .start()
        .await
        .unwrap_err();
    let text = match &error {
        StartError::Plugin { source, .. } => source.to_string(),
        other => panic!("{other}"),
    };
    for part in [
        "prometheus_listen",
        &address.to_string(),
        "write port 0 for a free one",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
