//! Each setting that no other test looks at changes what it says.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{fault_reader, orchestrator, reader, service, session, task};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, RetryPolicy, TaskContext, UniversalOrchestrator, Value,
    agent_fn,
};
use universal_orchestrator_context::{
    ContextConfig, ContextPlugin, ContextService, NewFragment, Shown,
};
use universal_orchestrator_testkit::{quiet_config, test_builder};

async fn recorded(toml: &str) -> (UniversalOrchestrator, Snapshotter) {
    let config: ContextConfig = toml::from_str(toml).unwrap();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let mut quiet = quiet_config();
    quiet.tick_interval_ms = 1_000;
    let builder = test_builder(quiet).metrics_recorder(Arc::new(recorder));
    let builder = builder.plugin(ContextPlugin::MANIFEST, ContextPlugin::new(config).unwrap());
    (builder.start().await.unwrap(), snapshotter)
}

/// The value of a counter or gauge with such a label value; snapshots take counters away, so all are asked for at once.
fn values(snapshotter: &Snapshotter) -> impl Fn(&str, &str) -> f64 + use<> {
    let all = snapshotter.snapshot().into_vec();
    move |name, label| {
        let found = all.iter().find(|(key, ..)| {
            let key = key.key();
            key.name() == name && (label.is_empty() || key.labels().any(|l| l.value() == label))
        });
        match found {
            Some((_, _, _, DebugValue::Counter(count))) => *count as f64,
            Some((_, _, _, DebugValue::Gauge(value))) => value.into_inner(),
            _ => f64::NAN,
        }
    }
}

async fn filled(service: &ContextService, name: &str, fragments: usize) {
    service.create(&session(name)).unwrap();
    for n in 0..fragments {
        let words: String = (0..120)
            .map(|k| format!("word{} ", n * 1_000 + k))
            .collect();
        service
            .add(&session(name), NewFragment::new(words))
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn budgets_have_a_default_and_a_limit() {
    let o = orchestrator("budget_tokens = 100\nbudget_tokens_max = 500").await;
    let seen = reader(&o, "a").await;
    filled(&service(&o), "s", 5).await;
    for budget in [None, Some("400"), Some("1000000")] {
        let task = task("a", "s", "x");
        let task = match budget {
            Some(budget) => task.metadata("context.budget_tokens", budget),
            None => task,
        };
        o.execute(task).await.unwrap().into_result().unwrap();
    }
    let budgets: Vec<usize> = seen
        .lock()
        .iter()
        .flatten()
        .map(|context| context.budget)
        .collect();
    assert_eq!(budgets, [100, 400, 500]);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn excerpts_are_as_long_as_they_must_be_or_left_out() {
    for (least, excerpts) in [(16, true), (100_000, false)] {
        let o = orchestrator(&format!("excerpt_tokens_min = {least}")).await;
        let service = service(&o);
        service.create(&session("s")).unwrap();
        for n in 0..8 {
            let lines: String = (0..40)
                .map(|k| format!("item{k} of list{n} is v{}\n", k * n))
                .collect();
            service
                .add(&session("s"), NewFragment::new(lines))
                .await
                .unwrap();
        }
        let context = service
            .assemble(&session("s"), Some("item7"), 600)
            .await
            .unwrap();
        let shown = context
            .explanation
            .fragments
            .iter()
            .filter(|c| c.shown == Shown::Excerpt)
            .count();
        assert_eq!(shown > 4, excerpts, "{shown} at {least}");
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn near_duplicates_are_as_near_as_they_must_be() {
    let words = |from: usize| -> String { (from..from + 40).map(|n| format!("{n:x}_ ")).collect() };
    for (bits, near) in [(0, 0), (16, 1)] {
        let o = orchestrator(&format!("near_duplicate_bits = {bits}")).await;
        let service = service(&o);
        service.create(&session("s")).unwrap();
        for own in [5_000, 9_000] {
            let shared: String = (0..12).map(|n| words(n * 100)).collect();
            let new = NewFragment::new(shared + &words(own));
            service.add(&session("s"), new).await.unwrap();
        }
        let context = service.assemble(&session("s"), None, 2_000).await.unwrap();
        assert_eq!(
            context.explanation.losses.near_duplicates, near,
            "{bits} bits"
        );
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn results_failures_and_unknown_sessions_are_left_out_on_request() {
    for (toml, fragments) in [
        ("", Some(2)),
        ("store_results = false", Some(1)),
        ("store_failures = false", Some(1)),
        ("open_sessions = false", None),
    ] {
        let o = orchestrator(toml).await;
        reader(&o, "a").await;
        o.execute(task("a", "s", "good"))
            .await
            .unwrap()
            .into_result()
            .unwrap();
        let fails = task("a", "s", "fail").retry(RetryPolicy::never());
        assert!(!o.execute(fails).await.unwrap().is_success());
        service(&o).settled().await;
        let held = service(&o).fragments(&session("s")).map(|all| all.len());
        assert_eq!(held, fragments, "{toml}");
        o.shutdown().await;
    }
    let o = orchestrator("open_sessions = false").await;
    fault_reader(&o, "f").await;
    let said = o
        .execute(task("f", "s", "x"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    assert!(
        said.as_str()
            .is_some_and(|text| text.contains("there is no session s")),
        "{said}"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn results_on_their_way_are_bounded_and_what_is_dropped_is_counted() {
    let (o, snapshotter) = recorded("pending_max = 1").await;
    let spec = AgentSpec::new("x", AgentRole::Worker)
        .capabilities(["x"])
        .concurrency(3);
    o.register_agent(spec).await.unwrap();
    let mut delegations = Vec::new();
    for n in 0..3 {
        delegations.push(o.delegate_task(task("x", "s", n)).await.unwrap());
    }
    // Nothing of these waits, so the one task that stores cannot run in between.
    for (n, delegation) in delegations.iter().enumerate() {
        o.complete_task(delegation, format!("result {n}"))
            .await
            .unwrap();
    }
    service(&o).settled().await;
    let held = service(&o).fragments(&session("s")).unwrap().len();
    assert_eq!(held, 1);
    assert_eq!(
        values(&snapshotter)("orchestrator_context_dropped_total", "result"),
        2.0
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn metrics_show_what_happened() {
    let (o, snapshotter) = recorded("fragments_max = 2\nfragment_bytes_max = 100").await;
    reader(&o, "a").await;
    for payload in ["one", "two", "three", &"long".repeat(100)] {
        o.execute(task("a", "s", payload))
            .await
            .unwrap()
            .into_result()
            .unwrap();
    }
    service(&o).settled().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let value = values(&snapshotter);
    assert_eq!(
        value("orchestrator_context_assemblies_total", "no_session"),
        1.0
    );
    assert_eq!(
        value("orchestrator_context_assemblies_total", "assembled"),
        3.0
    );
    assert_eq!(value("orchestrator_context_dropped_total", "result"), 1.0);
    assert_eq!(value("orchestrator_context_evicted_total", ""), 1.0);
    assert_eq!(value("orchestrator_context_fragments", ""), 2.0);
    assert_eq!(value("orchestrator_context_sessions", ""), 1.0);
    assert!(value("orchestrator_context_tokens", "") > 0.0);
    assert!(value("orchestrator_context_bytes", "") > 0.0);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_session_are_bounded_as_its_tokens_are() {
    let o = orchestrator("session_bytes_max = 40000").await;
    let service = service(&o);
    filled(&service, "s", 30).await;
    let stats = service.session_stats(&session("s")).unwrap();
    assert!(stats.bytes <= 40_000 && stats.evicted > 0, "{stats:?}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn thresholds_decide_how_hard_a_session_is_compressed() {
    let percents = |light, medium, heavy| {
        format!(
            "session_tokens_max = 20000\ncompress_light_percent = {light}\ncompress_medium_percent = {medium}\ncompress_heavy_percent = {heavy}"
        )
    };
    let mut tokens = Vec::new();
    for toml in [
        percents(100, 100, 100),
        percents(5, 100, 100),
        percents(5, 5, 100),
        percents(5, 5, 5),
    ] {
        let o = orchestrator(&toml).await;
        let service = service(&o);
        let s = session("s");
        service.create(&s).unwrap();
        for n in 0..2 {
            let mut log = String::new();
            for k in 0..60 {
                let line = format!("12:00:{k:02} INFO request {k} of batch {n} served\n");
                log.push_str(&line.repeat(3));
            }
            service.add(&s, NewFragment::new(log)).await.unwrap();
        }
        tokens.push(service.session_stats(&s).unwrap().tokens);
        o.shutdown().await;
    }
    assert!(tokens.is_sorted_by(|a, b| a > b), "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn the_status_lists_as_many_as_it_should() {
    for top in [0, 2] {
        let o = orchestrator(&format!("status_top = {top}")).await;
        for name in ["a", "b", "c"] {
            filled(&service(&o), name, 1).await;
        }
        let status = o.status();
        let details = &status.plugins[0].health.details;
        assert_eq!(details["store"]["sessions"], 3);
        assert_eq!(
            details["store"]["largest"].as_array().map(Vec::len),
            Some(top)
        );
        assert_eq!(details["encoding"], "o200k_base");
        o.shutdown().await;
    }
}

#[tokio::test]
async fn a_task_whose_context_is_late_goes_on_and_says_so() {
    let o = orchestrator("attach_timeout_ms = 1").await;
    let long: String = (0..6_000)
        .map(|n| format!("line {n} of a long result\n"))
        .collect();
    let agent = agent_fn(move |_: Value, _: TaskContext| {
        let long = long.clone();
        async move { Ok::<_, AgentError>(long) }
    });
    let spec = AgentSpec::new("a", AgentRole::Worker).capabilities(["a"]);
    o.register_agent(spec.in_process(agent)).await.unwrap();
    fault_reader(&o, "f").await;
    o.execute(task("a", "s", "x"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    // The result is still being counted, which takes far longer than the limit.
    let said = o
        .execute(task("f", "s", "x"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let text = said.as_str().unwrap();
    assert!(
        text.starts_with("no context within attach_timeout_ms = 1: "),
        "{text}"
    );
    assert_eq!(o.plugins()[0].faults, 0);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn settings_change_at_run_time_and_the_fixed_ones_say_so() {
    let o = orchestrator("").await;
    let seen = reader(&o, "a").await;
    filled(&service(&o), "s", 3).await;
    o.reconfigure_plugin("context", "budget_tokens = 50")
        .unwrap();
    o.execute(task("a", "s", "x"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    assert_eq!(seen.lock()[0].as_ref().unwrap().budget, 50);
    for (toml, said) in [
        (
            "encoding = \"cl100k_base\"",
            "encoding cannot change at run time",
        ),
        ("pending_max = 5", "pending_max cannot change at run time"),
        ("budget_tokens = 0", "budget_tokens = 0 does not fit"),
    ] {
        let error = o.reconfigure_plugin("context", toml).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    o.execute(task("a", "s", "y"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    assert_eq!(seen.lock()[1].as_ref().unwrap().budget, 50);
    o.shutdown().await;
}
