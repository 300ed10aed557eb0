//! Every key is checked, and every key does something.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails it"
)]

mod common;

use common::{Machine, agents, look, ms, pass, seconds, section, service, start};
use universal_orchestrator::plugin::{PluginError, PluginSection};
use universal_orchestrator::{Task, UniversalOrchestrator};
use universal_orchestrator_performance::{
    Limit, NAME, PERFORMANCE, PerformanceConfig, Rule, Signal,
};

fn refusal(toml: &str) -> String {
    let section = PluginSection::from_toml(NAME, toml).unwrap();
    match PERFORMANCE.build(&section) {
        Ok(_) => panic!("{toml} was taken"),
        Err(error @ PluginError::Section { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_does_not_fit_is_refused_with_key_and_value() {
    let rule = |line: &str| {
        format!(
            "[[rules]]\nname = \"r\"\nsignal = \"cpu_percent\"\noperator = \">\"\nthreshold = 50\n{line}"
        )
    };
    let cases = [
        (
            "interval_ms = 99".to_owned(),
            ["interval_ms is 99", "from 100 to"],
        ),
        (
            "interval_ms = 5000\nwindow_ms = 12000".to_owned(),
            ["window_ms is 12000", "interval_ms (5000)"],
        ),
        (
            "window_ms = 5000".to_owned(),
            ["window_ms is 5000", "2 to 600 times"],
        ),
        (
            "tracked_max = 0".to_owned(),
            ["tracked_max is 0", "from 1 to 1000"],
        ),
        ("top = 51".to_owned(), ["top is 51", "change it"]),
        (
            "history_max = 3".to_owned(),
            ["history_max is 3", "change it"],
        ),
        (
            "history_max = 10".to_owned(),
            ["trend_points is 12", "to 10"],
        ),
        (
            "resolved_max = 10001".to_owned(),
            ["resolved_max is 10001", "change it"],
        ),
        (
            "busy_percent = 0".to_owned(),
            ["busy_percent is 0", "change it"],
        ),
        (
            "busy_percent = nan".to_owned(),
            ["busy_percent is NaN", "change it"],
        ),
        (
            "target_busy_percent = 100".to_owned(),
            ["target_busy_percent is 100", "to 99"],
        ),
        (
            "slow_agent_factor = 1".to_owned(),
            ["slow_agent_factor is 1", "from 1.1"],
        ),
        (
            "judged_from = 0".to_owned(),
            ["judged_from is 0", "change it"],
        ),
        (
            "regression_percent = 0.5".to_owned(),
            ["regression_percent is 0.5", "change it"],
        ),
        (
            "regression_error_points = -1".to_owned(),
            ["regression_error_points is -1", "change it"],
        ),
        (
            "prometheus_connections_max = 0".to_owned(),
            ["prometheus_connections_max is 0", "change it"],
        ),
        (
            "prometheus_listen = \"9464\"".to_owned(),
            ["prometheus_listen is \"9464\"", "127.0.0.1:9464"],
        ),
        (
            "latency_buckets_ms = []".to_owned(),
            ["latency_buckets_ms", "no bound"],
        ),
        (
            "latency_buckets_ms = [5, 1]".to_owned(),
            ["latency_buckets_ms", "the bound 1"],
        ),
        (
            "latency_buckets_ms = [0]".to_owned(),
            ["latency_buckets_ms", "the bound 0"],
        ),
        (
            "latency_buckets_ms = [1, inf]".to_owned(),
            ["latency_buckets_ms", "the bound inf"],
        ),
        (rule("resolve_at = 60"), ["rule \"r\"", "resolve_at is 60"]),
        (
            rule("only = { agent = \"a\" }"),
            ["rule \"r\"", "not measured of one agent"],
        ),
        (
            rule("").replace("= 50", "= inf"),
            ["rule \"r\"", "threshold is inf"],
        ),
        (
            rule("").replace("\"r\"", "\"R 1\""),
            ["rule \"R 1\"", "rename it"],
        ),
        (
            format!("{}{}", rule(""), rule("")),
            ["rule \"r\"", "the name is taken"],
        ),
        (rule("severity = \"bad\""), ["unknown variant", "bad"]),
        (rule("colour = 1"), ["unknown field", "colour"]),
        ("colour = 1".to_owned(), ["unknown field", "colour"]),
    ];
    for (toml, parts) in cases {
        let text = refusal(&toml);
        for part in parts {
            assert!(text.contains(part), "{toml}: {text}");
        }
    }
}

#[test]
fn the_lists_of_keys_are_those_of_the_types() {
    let refused = refusal("no_such_key = 1");
    for key in PerformanceConfig::KEYS {
        assert!(refused.contains(&format!("`{key}`")), "{key}: {refused}");
    }
    assert_eq!(
        refused.matches('`').count() / 2,
        PerformanceConfig::KEYS.len() + 1
    );
    let refused = refusal("[[rules]]\nno_such_key = 1");
    for key in Rule::KEYS {
        assert!(refused.contains(&format!("`{key}`")), "{key}: {refused}");
    }
    assert_eq!(refused.matches('`').count() / 2, Rule::KEYS.len() + 1);
}

#[test]
fn a_rule_takes_the_place_of_its_namesake_or_switches_it_off() {
    let rules = "[[rules]]\nname = \"cpu_high\"\nsignal = \"cpu_percent\"\noperator = \">\"\nthreshold = 60\nenabled = ENABLED\n";
    let names = |toml: &str| -> Vec<(String, f64)> {
        let effective = section(toml).effective_rules();
        effective
            .into_iter()
            .map(|r| (r.name, r.threshold))
            .collect()
    };
    let all = names("").len();
    let changed = names(&rules.replace("ENABLED", "true"));
    assert_eq!(
        (changed.len(), &changed[0]),
        (all, &("cpu_high".to_owned(), 60.0))
    );
    let without = names(&rules.replace("ENABLED", "false"));
    assert!(
        without.len() == all - 1 && without[0].0 != "cpu_high",
        "{without:?}"
    );
    assert!(names("default_rules = false").is_empty());
}

/// One agent, and a task that waited for 400 ms behind another.
async fn a_little_load(o: &UniversalOrchestrator) {
    agents(o, "x", &["a"]).await;
    let agent = universal_orchestrator::AgentId::new("a").unwrap();
    for _ in 0..20 {
        o.submit_task(Task::new("t").requires(["x"])).await.unwrap();
    }
    for _ in 0..20 {
        let pulled = o.next_task(&agent, ms(10)).await.unwrap().unwrap();
        pass(ms(400)).await;
        o.complete_task(pulled.delegation(), 1).await.unwrap();
        // Four fifths busy.
        pass(ms(100)).await;
    }
    look(o).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_a_bottleneck_is_configured() {
    let is_found = async |toml: &str| {
        let o = start(section(toml), &Machine::calm()).await;
        a_little_load(&o).await;
        let found = service(&o).bottlenecks();
        o.shutdown().await;
        found
    };
    assert!(
        is_found("").await.is_empty(),
        "eighty per cent are not ninety"
    );
    let found = is_found("busy_percent = 70").await;
    assert_eq!(found[0].limit, Limit::Capability("x".into()), "{found:#?}");
    assert!(
        is_found("busy_percent = 70\nwait_ms = 20000")
            .await
            .is_empty()
    );
    let needed = found[0].slots_needed.unwrap();
    let more = is_found("busy_percent = 70\ntarget_busy_percent = 10").await[0].slots_needed;
    assert!(more.unwrap() > needed, "{more:?} and {needed}");
}

#[tokio::test(start_paused = true)]
async fn history_and_resolved_alerts_are_bounded() {
    let toml = "history_max = 4\nresolved_max = 1\ndefault_rules = false\n[[rules]]\nname = \"agents\"\nsignal = \"agents_active\"\noperator = \">\"\nthreshold = 0\n";
    let o = start(section(toml), &Machine::calm()).await;
    let id = universal_orchestrator::AgentId::new("a").unwrap();
    for _ in 0..3 {
        agents(&o, "x", &["a"]).await;
        look(&o).await;
        o.deregister_agent(&id).await.unwrap();
        look(&o).await;
    }
    assert_eq!(service(&o).resolved_alerts().len(), 1);
    assert_eq!(service(&o).trend(Signal::AgentsActive).unwrap().points, 4);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn rules_change_at_run_time_and_what_needs_a_restart_says_so() {
    let o = start(seconds(), &Machine::calm()).await;
    let base = "interval_ms = 1000\nwindow_ms = 10000\n";
    let low = "[[rules]]\nname = \"cpu_low\"\nsignal = \"cpu_percent\"\noperator = \"<\"\nthreshold = 50\n";
    o.reconfigure_plugin(NAME, &format!("{base}{low}")).unwrap();
    pass(ms(3_000)).await;
    let rules: Vec<String> = service(&o).alerts().into_iter().map(|a| a.rule).collect();
    assert_eq!(rules, ["cpu_low"]);
    for (toml, key) in [
        (
            "interval_ms = 500\nwindow_ms = 10000".to_owned(),
            "interval_ms",
        ),
        (
            "interval_ms = 1000\nwindow_ms = 20000".to_owned(),
            "window_ms",
        ),
        (format!("{base}tracked_max = 5"), "tracked_max"),
        (format!("{base}baseline_path = \"b\""), "baseline_path"),
        (
            format!("{base}prometheus_listen = \"127.0.0.1:0\""),
            "prometheus_listen",
        ),
        (
            format!("{base}prometheus_connections_max = 5"),
            "prometheus_connections_max",
        ),
        (
            format!("{base}latency_buckets_ms = [5]"),
            "latency_buckets_ms",
        ),
    ] {
        let text = o.reconfigure_plugin(NAME, &toml).unwrap_err().to_string();
        assert!(
            text.contains(&format!("{key} cannot change while the plugin runs")),
            "{text}"
        );
    }
    assert_eq!(
        service(&o).alerts().len(),
        1,
        "refused changes change nothing"
    );
    o.reconfigure_plugin(NAME, base).unwrap();
    look(&o).await;
    assert!(service(&o).alerts().is_empty());
    o.shutdown().await;
}
