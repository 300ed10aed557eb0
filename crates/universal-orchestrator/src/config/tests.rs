//! What loading accepts and refuses, and with which words.

mod environment;
mod hostile;
mod reference;

use super::{example::defaults_of, *};

fn load(text: &str) -> Result<OrchestratorConfig, ConfigError> {
    OrchestratorConfig::from_toml_str(text)
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn from_env(pairs: &[(&str, &str)]) -> Result<OrchestratorConfig, ConfigError> {
    OrchestratorConfig::default().with_env_from(variables(pairs))
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    assert_eq!(refused(load(text)), expected, "for {text:?}");
}

#[test]
fn an_unknown_key_names_its_path_and_the_nearest_key() {
    for (text, path, suggestion) in [
        ("max_agent = 5", "max_agent", "max_agents"),
        ("queue.max_task = 5", "queue.max_task", "queue.max_tasks"),
        (
            "health_check_interval = 30",
            "health_check_interval",
            "health_check_interval_ms",
        ),
        (
            "cleanup_interval_seconds = 300",
            "cleanup_interval_seconds",
            "cleanup_interval_ms",
        ),
        ("max_tasks = 5", "max_tasks", "queue.max_tasks"),
        (
            "[breaker]\ncapacity = 1",
            "breaker.capacity",
            "events.capacity",
        ),
        ("[budgets]\ntokens = 1", "budgets", "budget"),
        (
            "[budget.tenants.acme]\ntoken = 1",
            "budget.tenants.acme.token",
            "budget.tenants.acme.tokens",
        ),
        (
            "[concurrency_keys.keys.\"a.b\"]\nrate_per_secnd = 1",
            "concurrency_keys.keys.\"a.b\".rate_per_secnd",
            "concurrency_keys.keys.\"a.b\".rate_per_second",
        ),
    ] {
        check_refused(
            text,
            &format!("unknown key `{path}`; did you mean `{suggestion}`?"),
        );
    }
    check_refused(
        "[hooks]\nauto_scaling_enabled = true",
        "unknown key `hooks.auto_scaling_enabled`; this table takes control_depth_max, faults_max, start_timeout_ms, timeout_ms",
    );
}

#[test]
fn an_unknown_table_is_probably_that_of_a_plugin() {
    for (text, path, suggestion) in [
        ("[security]", "security", "[plugins.security]"),
        ("[\"a b\"]", "\"a b\"", "[plugins.\"a b\"]"),
        ("deny_list.types = 1", "deny_list", "[plugins.deny_list]"),
        ("[queues]", "queues", "queue"),
    ] {
        check_refused(
            text,
            &format!("unknown key `{path}`; did you mean `{suggestion}`?"),
        );
    }
    let long = format!("[{}]", "x".repeat(65));
    for text in ["security = 1", &long, "[queue.security]"] {
        let message = refused(load(text));
        assert!(message.contains("this table takes "), "{message}");
    }
}

#[test]
fn a_wrong_value_names_path_value_and_remedy() {
    for (text, expected) in [
        (
            "max_agents = 0",
            "`max_agents` must be an integer from 1 to 1_000_000, but is 0",
        ),
        (
            "max_agents = -1",
            "`max_agents` must be an integer from 1 to 1_000_000, but is -1",
        ),
        (
            "max_agents = 1.5",
            "`max_agents` must be an integer from 1 to 1_000_000, but is 1.5",
        ),
        (
            "max_agents = \"5\"",
            "`max_agents` must be an integer from 1 to 1_000_000, but is \"5\"",
        ),
        (
            "seed = -1",
            "`seed` must be an integer of 0 or more, but is -1",
        ),
        (
            "seed = nan",
            "`seed` must be an integer of 0 or more, but is \"NaN\"",
        ),
        (
            "tick_interval_ms = 1979-05-27",
            "`tick_interval_ms` must be an integer from 0 to 31_536_000_000, but is \"1979-05-27\"",
        ),
        (
            "retry.jitter = 1.01",
            "`retry.jitter` must be a number from 0 to 1, but is 1.01",
        ),
        (
            "retry.jitter = inf",
            "`retry.jitter` must be a number from 0 to 1, but is \"inf\"",
        ),
        (
            "enable_security_plugin = \"yes\"",
            "`enable_security_plugin` must be true or false, but is \"yes\"",
        ),
        ("queue = 5", "`queue` must be a table, but is 5"),
        (
            "mode = \"prod\"",
            "`mode` is \"prod\": write one of production, development, testing, sandbox",
        ),
        (
            "routing.policy = 3",
            "`routing.policy` must be one of least_loaded, round_robin, fastest, cheapest, but is 3",
        ),
        (
            "budget.global.money = 12.5",
            "`budget.global.money` must be a string in quotes, but is 12.5",
        ),
        (
            "plugins.required = [1]",
            "`plugins.required[0]` must be a string in quotes, but is 1",
        ),
        (
            "plugins.security = 1",
            "`plugins.security` must be a table, but is 1",
        ),
        (
            "plugins.security.enabled = 1",
            "`plugins.security.enabled` must be true or false, but is 1",
        ),
        (
            "queue.tenant_weights.acme = 0",
            "`queue.tenant_weights.acme` must be an integer from 1 to 1_000_000, but is 0",
        ),
        (
            "queue.tenant_weights.acme = 5_000_000_000",
            "`queue.tenant_weights.acme` must be an integer from 1 to 1_000_000, but is 5000000000",
        ),
        (
            "concurrency_keys.keys.k.rate_per_second = 0",
            "`concurrency_keys.keys.k.rate_per_second` must be a number from 0.001 to 1_000_000, but is 0",
        ),
    ] {
        check_refused(text, expected);
    }
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    for (text, expected) in [
        (
            "retry.max_delay_ms = 50",
            "`retry.max_delay_ms` is 50: it is less than retry.base_delay_ms, which is 100; raise the one or lower the other",
        ),
        (
            "concurrency_keys.keys.k.burst = 2",
            "`concurrency_keys.keys.k.burst` is 2: a burst needs a rate; set rate_per_second beside it, or remove it",
        ),
        (
            "enable_security_plugin = false\nplugins.required = [\"security\"]",
            "`plugins.required` and `enable_security_plugin` contradict each other: one requires the plugin `security`, the other keeps it out; remove one",
        ),
        (
            "plugins.mine.enabled = false\nplugins.required = [\"mine\"]",
            "`plugins.required` and `plugins.mine.enabled` contradict each other: one requires the plugin `mine`, the other keeps it out; remove one",
        ),
    ] {
        check_refused(text, expected);
    }
    load("retry = { base_delay_ms = 50, max_delay_ms = 50 }").unwrap();
    load("enable_security_plugin = true\nplugins.required = [\"security\"]").unwrap();
}

#[test]
fn money_is_a_decimal_that_is_not_negative() {
    let digits = "9".repeat(28);
    let too_many = "9".repeat(29);
    let good = ["0", "12", "12.50", "0.000001", "007", &digits];
    let bad = [
        "", ".", "-1", "+1", "1.", ".5", "1e3", "1,5", "1_000", "1.2.3", " 1", "€5", "NaN",
        &too_many,
    ];
    for account in [
        "budget.global",
        "budget.tenant_per_day",
        "budget.tenants.acme",
    ] {
        for money in good {
            load(&format!("{account}.money = {money:?}")).unwrap();
        }
        for money in bad {
            check_refused(
                &format!("{account}.money = {money:?}"),
                &format!(
                    "`{account}.money` is {money:?}: write a decimal that is not negative, with at \
                     most 28 digits, such as \"12.50\""
                ),
            );
        }
    }
}

#[test]
fn a_key_that_is_written_wins_over_its_mode() {
    let written = configuration_example();
    for mode in Mode::ALL {
        let text = written.replace("mode = \"production\"", &format!("mode = \"{mode}\""));
        let expected = OrchestratorConfig {
            mode,
            seed: OrchestratorConfig::for_mode(mode).seed,
            ..OrchestratorConfig::default()
        };
        assert_eq!(load(&text).unwrap(), expected, "all keys written, {mode}");

        let bare = format!("mode = \"{mode}\"");
        assert_eq!(load(&bare).unwrap(), OrchestratorConfig::for_mode(mode));
        let name = bare.trim_matches(|c| c != '"');
        let env = variables(&[("UO_MODE", name.trim_matches('"'))]);
        let from_env = OrchestratorConfig::load_from(None, env).unwrap();
        assert_eq!(from_env, OrchestratorConfig::for_mode(mode));
    }
    let mixed = load("max_agents = 7\nmode = \"sandbox\"").unwrap();
    assert_eq!((mixed.max_agents, mixed.max_concurrent_tasks), (7, 100));
    assert_eq!(load("mode = \"testing\"\nseed = 7").unwrap().seed, Some(7));
}

#[test]
fn each_mode_changes_these_defaults() {
    let production = defaults_of(Mode::Production);
    for (mode, changes) in [
        (Mode::Production, ""),
        (
            Mode::Development,
            "mode = 'development'\nhooks.timeout_ms = 200\ntasks.retained_results_max = 10_000",
        ),
        (
            Mode::Testing,
            "mode = 'testing'\nhealth_check_interval_ms = 1_000\ncleanup_interval_ms = 1_000\n\
             shutdown.drain_ms = 1_000\nseed = 42",
        ),
        (
            Mode::Sandbox,
            "mode = 'sandbox'\nmax_agents = 10\nmax_concurrent_tasks = 100\n\
             tasks.payload_bytes_max = 65_536\ntasks.child_depth_max = 2",
        ),
    ] {
        OrchestratorConfig::for_mode(mode).validate().unwrap();
        let changed = load::difference(&production, &defaults_of(mode));
        assert_eq!(changed, changes.parse().unwrap(), "{mode}");
    }
}
