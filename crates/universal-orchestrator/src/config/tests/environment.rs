//! The environment as the last layer.

use super::{from_env, refused, variables};
use crate::config::{Mode, OrchestratorConfig, RoutingPolicyName, env};

#[test]
fn an_unknown_variable_names_the_nearest_one() {
    for (name, suggestion) in [
        ("UO_MAX_AGENT", "UO_MAX_AGENTS"),
        ("UO_QUEUE__MAX_TASK", "UO_QUEUE__MAX_TASKS"),
        ("UO_QUEUE_MAX_TASKS", "UO_QUEUE__MAX_TASKS"),
        ("UO_MAX_TASKS", "UO_QUEUE__MAX_TASKS"),
        ("UO_HEALTH_CHECK_INTERVAL", "UO_HEALTH_CHECK_INTERVAL_MS"),
        ("UO_max_agents", "UO_MAX_AGENTS"),
        ("UO_MAX_AGENTS__", "UO_MAX_AGENTS"),
    ] {
        let expected =
            format!("unknown environment variable `{name}`; did you mean `{suggestion}`?");
        assert_eq!(refused(from_env(&[(name, "5")])), expected);
    }
    let unlike = refused(from_env(&[("UO_SOMETHING_ELSE_ENTIRELY", "5")]));
    assert!(unlike.contains("`UO_` is reserved"), "{unlike}");
    assert!(refused(from_env(&[("UO_", "5")])).contains("`UO_`"));
    assert_eq!(
        from_env(&[("UOX", "5"), ("PATH", "/bin")]).unwrap(),
        OrchestratorConfig::default()
    );
}

#[test]
fn variables_are_read_as_the_type_of_their_key() {
    let config = from_env(&[
        ("UO_MAX_AGENTS", " 5 "),
        ("UO_MAX_CPU_PERCENT", "90"),
        ("UO_RETRY__JITTER", "0.25"),
        ("UO_ENABLE_SECURITY_PLUGIN", "false"),
        ("UO_SEED", "7"),
        ("UO_QUEUE__MAX_TASKS", "1_000"),
        ("UO_ROUTING__POLICY", "fastest"),
        ("UO_BUDGET__GLOBAL__MONEY", "12.50"),
        ("UO_BUDGET__TENANTS__ACME__CALLS", "3"),
        ("UO_QUEUE__TENANT_WEIGHTS", "{ Acme = 3 }"),
        ("UO_QUEUE__TENANT_WEIGHTS__OTHER", "2"),
        ("UO_PLUGINS__REQUIRED", "[\"context\"]"),
        ("UO_PLUGINS__CONTEXT__ENABLED", "true"),
        ("UO_PLUGINS__CONTEXT__PATH", "/var/lib"),
        ("UO_PLUGINS__CONTEXT__BYTES_MAX", "10"),
        ("UO_HOOKS", "{ timeout_ms = 50 }"),
    ])
    .unwrap();
    let mut expected = OrchestratorConfig {
        max_agents: 5,
        max_cpu_percent: 90.0,
        enable_security_plugin: Some(false),
        seed: Some(7),
        ..OrchestratorConfig::default()
    };
    expected.retry.jitter = 0.25;
    expected.queue.max_tasks = 1_000;
    expected.routing.policy = RoutingPolicyName::Fastest;
    expected.budget.global.money = Some("12.50".to_owned());
    expected
        .budget
        .tenants
        .entry("acme".to_owned())
        .or_default()
        .calls = Some(3);
    expected
        .queue
        .tenant_weights
        .extend([("Acme".to_owned(), 3), ("other".to_owned(), 2)]);
    expected.plugins.required.push("context".to_owned());
    let section = "enabled = true\npath = \"/var/lib\"\nbytes_max = 10"
        .parse()
        .unwrap();
    expected
        .plugins
        .sections
        .insert("context".to_owned(), section);
    expected.hooks.timeout_ms = 50;
    assert_eq!(config, expected);
    assert_eq!(config.plugin_switch("context"), Some(true));
    assert_eq!(config.plugin_switch("security"), Some(false));
    assert_eq!(config.plugin_switch("performance"), None);
    assert!(!config.plugins.settings("context").contains_key("enabled"));
}

#[test]
fn a_wrong_variable_names_itself_and_its_key() {
    for (name, value, expected) in [
        (
            "UO_MAX_AGENTS",
            "many",
            "`max_agents` must be an integer from 1 to 1_000_000, but is \"many\"",
        ),
        (
            "UO_MAX_AGENTS",
            "",
            "`max_agents` must be an integer from 1 to 1_000_000, but is \"\"",
        ),
        (
            "UO_MAX_AGENTS",
            "5\nseed = 1",
            "`max_agents` must be an integer from 1 to 1_000_000, but is \"5\\nseed = 1\"",
        ),
        (
            "UO_MAX_AGENTS",
            "0",
            "`max_agents` must be an integer from 1 to 1_000_000, but is 0",
        ),
        (
            "UO_QUEUE__QUEUE_UNROUTABLE",
            "1",
            "`queue.queue_unroutable` must be true or false, but is 1",
        ),
        (
            "UO_MODE",
            "Sandbox",
            "`mode` is \"Sandbox\": write one of production, development, testing, sandbox",
        ),
        (
            "UO_PLUGINS__REQUIRED",
            "security",
            "`plugins.required` must be an array, each entry a string in quotes, but is \"security\"",
        ),
        (
            "UO_QUEUE",
            "{ max_task = 1 }",
            "unknown key `queue.max_task`; did you mean `queue.max_tasks`?",
        ),
    ] {
        let expected = format!("in the environment variable `{name}`: {expected}");
        assert_eq!(refused(from_env(&[(name, value)])), expected);
    }
}

#[test]
fn the_more_specific_variable_wins_in_any_order() {
    let whole = ("UO_HOOKS", "{ timeout_ms = 50, faults_max = 9 }");
    let single = ("UO_HOOKS__TIMEOUT_MS", "70");
    for pairs in [[whole, single], [single, whole]] {
        let hooks = from_env(&pairs).unwrap().hooks;
        assert_eq!((hooks.timeout_ms, hooks.faults_max), (70, 9));
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_mode() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("uo.toml");
    std::fs::write(&file, "max_agents = 7\ntasks.child_depth_max = 3").unwrap();
    let pairs = [("UO_MODE", "sandbox"), ("UO_TASKS__CHILD_DEPTH_MAX", "4")];
    let loaded = OrchestratorConfig::load_from(Some(&file), variables(&pairs)).unwrap();
    let mut expected = OrchestratorConfig::for_mode(Mode::Sandbox);
    expected.max_agents = 7;
    expected.tasks.child_depth_max = 4;
    assert_eq!(loaded, expected);

    let from_file = OrchestratorConfig::from_toml_file(&file).unwrap();
    assert_eq!(from_file.tasks.child_depth_max, 3);
    let overlaid = from_file.with_env_from(variables(&pairs)).unwrap();
    assert_eq!(overlaid, expected);
    assert_eq!(
        OrchestratorConfig::load_from(None, []).unwrap(),
        OrchestratorConfig::default()
    );
}

#[test]
fn a_problem_in_a_file_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("uo.toml");
    for (text, problem) in [
        ("max_agent = 7", "unknown key `max_agent`"),
        ("max_agents = 0", "`max_agents` must be"),
        ("retry.max_delay_ms = 1", "`retry.max_delay_ms` is 1"),
        ("max_agents", "line 1, column 11 is not valid TOML"),
    ] {
        std::fs::write(&file, text).unwrap();
        let message = refused(OrchestratorConfig::from_toml_file(&file));
        let expected = format!("in `{}`: {problem}", file.display());
        assert!(message.starts_with(&expected), "{message}");
    }
    let missing = folder.path().join("missing.toml");
    assert_eq!(
        refused(OrchestratorConfig::load_from(Some(&missing), [])),
        format!("cannot read the configuration file `{}`", missing.display())
    );
    std::fs::write(&file, b"mode = \"\xff\"").unwrap();
    let message = refused(OrchestratorConfig::from_toml_file(&file));
    assert!(message.starts_with("cannot read"), "{message}");
}

#[test]
fn another_mode_moves_only_what_nobody_wrote() {
    let mut config = OrchestratorConfig::for_mode(Mode::Testing);
    config.max_agents = 7;
    let production = variables(&[("UO_MODE", "production")]);
    let expected = OrchestratorConfig {
        max_agents: 7,
        ..OrchestratorConfig::default()
    };
    assert_eq!(config.clone().with_env_from(production).unwrap(), expected);

    let same = variables(&[("UO_MODE", "testing")]);
    config.seed = None;
    assert_eq!(config.clone().with_env_from(same).unwrap(), config);

    config.seed = Some(u64::MAX);
    let sandbox = variables(&[("UO_MODE", "sandbox")]);
    let kept = config.clone().with_env_from(sandbox).unwrap();
    assert_eq!((kept.seed, kept.max_agents), (Some(u64::MAX), 7));
    let replaced = config.with_env_from(variables(&[("UO_SEED", "1")]));
    assert_eq!(replaced.unwrap().seed, Some(1));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let broken = || std::ffi::OsString::from_vec(b"UO_MODE\xff".to_vec());
    for (name, value) in [("UO_MODE".into(), broken()), (broken(), "testing".into())] {
        let message = refused(env::only_ours([(name, value)]));
        assert!(message.contains("write it in UTF-8"), "{message}");
    }
    let foreign = [
        ("PATH".into(), broken()),
        ("UO_MODE".into(), "testing".into()),
    ];
    assert_eq!(
        env::only_ours(foreign).unwrap(),
        variables(&[("UO_MODE", "testing")])
    );
}

#[test]
fn variables_of_programs_are_no_keys() {
    for name in env::NOT_CONFIGURATION {
        let loaded = from_env(&[(name, "/somewhere"), ("UO_MAX_AGENTS", "5")]);
        assert_eq!(loaded.unwrap().max_agents, 5, "{name}");
        let unicode_or_not = env::only_ours([(name.into(), "/somewhere".into())]);
        assert_eq!(unicode_or_not.unwrap(), [], "{name}");
        let like_it = format!("{name}_OF_MINE");
        assert!(
            refused(from_env(&[(&like_it, "5")])).contains(&like_it),
            "{like_it}: only the exact name is exempt"
        );
    }
}
