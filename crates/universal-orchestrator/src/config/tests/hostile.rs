//! Nothing that can be written or built makes the configuration panic.

use super::{from_env, load, refused};
use crate::config::{ConfigError, OrchestratorConfig};

#[test]
fn hostile_text_is_refused_without_panic() {
    let deep = "[".repeat(100_000);
    let nested = format!("plugins.p.x = {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let long_key = format!("{} = 1", "k".repeat(1_000_000));
    let long_text = format!("mode = \"{}\"", "ü".repeat(100_000));
    let dotted = format!("{}z = 1", "a.".repeat(10_000));
    for text in [
        &deep,
        &nested,
        &long_key,
        &long_text,
        &dotted,
        "\0",
        "=",
        "[[queue]]",
        "[queue]\n[queue]",
        "max_agents = 99999999999999999999",
        "seed = 1e400",
        "\"\" = 1",
        "mode = {}",
        "plugins = []",
        "queue.order = ['fifo']",
        "\u{feff}\u{feff}max_agents = 1",
        "'\u{202e}' = 1",
    ] {
        let message = refused(load(text));
        assert!(
            message.len() < 2_000,
            "{} bytes: {}",
            message.len(),
            &message[..500]
        );
    }
    for value in [&deep, &nested, &long_text] {
        refused(from_env(&[("UO_PLUGINS", value)]));
        refused(from_env(&[("UO_MAX_AGENTS", value)]));
        refused(from_env(&[(&format!("UO_{value}"), "1")]));
    }
}

#[test]
fn a_configuration_built_in_code_is_checked_too() {
    type Change = fn(&mut OrchestratorConfig);
    let cases: [(&str, Change); 9] = [
        ("`max_agents` ", |c| c.max_agents = usize::MAX),
        ("`tick_interval_ms` ", |c| c.tick_interval_ms = u64::MAX),
        ("`max_cpu_percent` ", |c| c.max_cpu_percent = f64::NAN),
        ("`retry.multiplier` ", |c| {
            c.retry.multiplier = f64::INFINITY
        }),
        ("`retry.jitter` ", |c| c.retry.jitter = -0.1),
        ("`budget.global.tokens` ", |c| {
            c.budget.global.tokens = Some(u64::MAX)
        }),
        ("`queue.tenant_weights.a` ", |c| {
            c.queue.tenant_weights.extend([("a".into(), 0)]);
        }),
        ("`concurrency_keys.keys.k.rate_per_second` ", |c| {
            let limit = c.concurrency_keys.keys.entry("k".into()).or_default();
            limit.rate_per_second = Some(f64::NAN);
        }),
        ("`plugins.required` ", |c| {
            c.plugins
                .sections
                .extend([("required".into(), toml::Table::new())])
        }),
    ];
    for (start, change) in cases {
        let mut config = OrchestratorConfig::default();
        change(&mut config);
        let text = refused(config.validate());
        assert!(text.starts_with(start), "{text}");
        assert!(refused(config.with_env_from([])).starts_with(start));
    }
}

#[test]
fn a_syntax_error_says_where() {
    // Columns are counted in characters, not bytes.
    let position = match load("mode = \"testing\"\nübel = = 1") {
        Err(ConfigError::Syntax { line, column, .. }) => Some((line, column)),
        _ => None,
    };
    assert_eq!(position, Some((2, 8)));
    assert!(refused(load("max_agents = 1\nmax_agents = 2")).starts_with("line 2, column 1 "));
}
