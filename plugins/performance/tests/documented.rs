//! The page of the plugin names everything that there is, and its configuration loads.

use universal_orchestrator::OrchestratorConfig;
use universal_orchestrator::plugin::PluginSection;
use universal_orchestrator_performance::{
    MetricName, NAME, PERFORMANCE, PerformanceConfig, Rule, Signal,
};

const PAGE: &str = include_str!("../../../docs/plugins/performance.md");

fn rows() -> Vec<&'static str> {
    PAGE.lines().filter(|line| line.starts_with('|')).collect()
}

#[test]
fn every_key_has_a_row_with_its_default() {
    let defaults = PerformanceConfig::default();
    for key in PerformanceConfig::KEYS.iter().chain(Rule::KEYS) {
        let begins = format!("| `{key}` |");
        assert!(rows().iter().any(|row| row.starts_with(&begins)), "{key}");
    }
    for (key, default) in [
        ("interval_ms", defaults.interval_ms as f64),
        ("window_ms", defaults.window_ms as f64),
        ("tracked_max", defaults.tracked_max as f64),
        ("top", defaults.top as f64),
        ("history_max", defaults.history_max as f64),
        ("trend_points", defaults.trend_points as f64),
        ("resolved_max", defaults.resolved_max as f64),
        ("agents_examined_max", defaults.agents_examined_max as f64),
        ("busy_percent", defaults.busy_percent),
        ("wait_ms", defaults.wait_ms as f64),
        ("target_busy_percent", defaults.target_busy_percent),
        ("slow_agent_factor", defaults.slow_agent_factor),
        ("judged_from", defaults.judged_from as f64),
        ("regression_percent", defaults.regression_percent),
        ("regression_error_points", defaults.regression_error_points),
        (
            "prometheus_connections_max",
            defaults.prometheus_connections_max as f64,
        ),
    ] {
        assert!(
            PAGE.contains(&format!("| `{key}` | {default} |")),
            "{key}: {default}"
        );
    }
}

#[test]
fn every_metric_has_a_row_with_its_labels() {
    for metric in MetricName::ALL {
        let begins = format!("| `{}` |", metric.as_str());
        let all = rows();
        let row = all.iter().find(|row| row.starts_with(&begins));
        let row = row.unwrap_or_else(|| panic!("{metric:?}"));
        for label in metric.labels() {
            assert!(row.contains(&format!("`{label}`")), "{row}");
        }
    }
}

#[test]
fn every_signal_and_every_default_rule_is_there() {
    for signal in Signal::ALL {
        assert!(
            PAGE.contains(&format!("`{}`", signal.as_str())),
            "{signal:?}"
        );
    }
    for rule in PerformanceConfig::default().effective_rules() {
        let condition = format!(
            "| `{}` | `{}` {} {} |",
            rule.name,
            rule.signal.as_str(),
            rule.operator.as_str(),
            rule.threshold
        );
        let all = rows();
        let row = all.iter().find(|row| row.starts_with(&condition));
        let row = row.unwrap_or_else(|| panic!("{condition}"));
        let resolves = rule.resolve_at.unwrap_or(rule.threshold);
        let ends = format!("| {resolves} | {} |", rule.severity.as_str());
        assert!(row.ends_with(&ends), "{row}: {ends}");
        let lasts = format!("| {} s |", rule.for_ms / 1_000);
        assert_eq!(row.contains(&lasts), rule.for_ms > 0, "{row}");
    }
}

#[test]
fn every_block_of_configuration_loads() {
    let blocks: Vec<&str> = PAGE.split("```toml\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let (text, _) = block.split_once("```").unwrap();
        let config = OrchestratorConfig::from_toml_str(text).unwrap();
        let section = toml::to_string(&config.plugins.sections[NAME]).unwrap();
        let section = PluginSection::from_toml(NAME, &section).unwrap();
        assert!(PERFORMANCE.build(&section).is_ok(), "{text}");
    }
}
