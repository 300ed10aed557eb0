//! The reference, the example and the schema say what the code does.

use toml::Value;

use crate::config::{
    Mode, OrchestratorConfig, configuration_example, configuration_markdown, env,
    example::{defaults_of, literal},
    json_schema,
    shape::{self, Kind, Shape},
};

/// All keys that hold a value, with their default.
fn keys() -> Vec<(String, &'static Shape, Option<Value>)> {
    let defaults = Value::Table(defaults_of(Mode::Production));
    let mut found = Vec::new();
    shape::root().visit("", &mut |path, shape| {
        let default = path
            .split('.')
            .try_fold(&defaults, |value, key| value.get(key));
        if !shape.is_table() {
            found.push((path.to_owned(), shape, default.cloned()));
        }
    });
    assert!(found.len() > 80, "{} keys", found.len());
    found
}

#[test]
fn the_example_is_the_default_and_all_of_it_is_valid() {
    let example = configuration_example();
    let loaded = OrchestratorConfig::from_toml_str(&example).unwrap();
    assert_eq!(loaded, OrchestratorConfig::default());

    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(code) if !code.starts_with(' ') => code.to_owned(),
        _ => line.to_owned(),
    };
    let full: Vec<String> = example.lines().map(uncommented).collect();
    let full = OrchestratorConfig::from_toml_str(&full.join("\n")).unwrap();
    assert_eq!(full.seed, Some(42));
    assert_eq!(
        full.budget.tenants["example"].money.as_deref(),
        Some("100.00")
    );
    assert_eq!(full.plugins.enabled("example"), Some(true));
}

#[test]
fn what_is_written_out_reads_back() {
    for mode in Mode::ALL {
        let config = OrchestratorConfig::for_mode(mode);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(OrchestratorConfig::from_toml_str(&text).unwrap(), config);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<OrchestratorConfig>(&json).unwrap(),
            config
        );
    }
}

#[test]
fn the_reference_says_who_reads_the_environment() {
    let text = configuration_markdown();
    assert!(text.contains(
        "`OrchestratorConfig::load` reads file and environment; `from_toml_file`, `from_toml_str` and `start` do not read the environment."
    ));
}

#[test]
fn every_text_states_default_limits_and_zero() {
    for (path, shape, default) in keys() {
        let text = &shape.text;
        let default = match default {
            None => "unset: ".to_owned(),
            Some(Value::String(name)) => format!("`{name}`."),
            Some(Value::Table(_) | Value::Array(_)) => "empty.".to_owned(),
            Some(value) => literal(&value),
        };
        assert!(
            text.contains(&format!("Default {default}")),
            "{path}: {text}"
        );
        assert!(
            text.ends_with('.') && !text.contains('\n'),
            "{path}: {text}"
        );
        let (Kind::Integer(limits) | Kind::Number(limits)) = &shape.kind else {
            continue;
        };
        let number = |limit: f64| shape::grouped(&limit.to_string());
        let range = match (limits.min, limits.max) {
            (Some(min), Some(max)) => format!("; {} to {}", number(min), number(max)),
            (Some(min), None) => format!("; {} or more", number(min)),
            _ => "; limits".to_owned(),
        };
        assert!(
            text.contains(&range),
            "{path} does not state {range:?}: {text}"
        );
        if limits.min == Some(0.0) && limits.max.is_some() {
            let says_zero = text
                .split("; 0 ")
                .skip(1)
                .any(|rest| !rest.starts_with("to "));
            assert!(says_zero, "{path} does not say what 0 means: {text}");
        }
    }
}

#[test]
fn every_key_has_a_variable_that_takes_its_default() {
    for (path, shape, default) in keys() {
        assert!(
            !matches!(shape.kind, Kind::Anything),
            "{path} takes anything"
        );
        let Some(default) = default else { continue };
        let raw = default
            .as_str()
            .map_or_else(|| literal(&default), str::to_owned);
        let pair = (env::variable(&path), raw);
        let config = OrchestratorConfig::default().with_env_from([pair]).unwrap();
        assert_eq!(config, OrchestratorConfig::default(), "{path}");
    }
}

#[test]
fn limits_are_inclusive_and_enforced() {
    let try_number = |path: &str, number: f64| {
        env::table([(env::variable(path), number.to_string())]).map_err(|error| error.to_string())
    };
    for (path, shape, _) in keys() {
        let (Kind::Integer(limits) | Kind::Number(limits)) = &shape.kind else {
            continue;
        };
        for (limit, beyond) in [(limits.min, -1.0), (limits.max, 1.0)] {
            let Some(limit) = limit else { continue };
            try_number(&path, limit).unwrap();
            let refusal = try_number(&path, limit + beyond).unwrap_err();
            assert!(
                refusal.contains(&format!("`{}` must be", path)),
                "{refusal}"
            );
        }
    }
}

#[test]
fn the_reference_names_every_key_and_is_the_same_each_time() {
    let markdown = configuration_markdown();
    for (path, _, _) in keys() {
        let key = path.rsplit('.').next().unwrap_or(&path);
        assert!(markdown.contains(&format!("| `{key}` |")), "{path}");
        assert!(
            markdown.contains(&format!("`{}`", env::variable(&path))),
            "{path}"
        );
    }
    for section in [
        "queue",
        "budget.tenants.<name>",
        "concurrency_keys.keys.<name>",
        "plugins.<name>",
    ] {
        assert!(markdown.contains(&format!("## `[{section}]`")), "{section}");
    }
    assert!(markdown.contains("| `seed` | unset | unset | `42` | unset |"));
    assert_eq!(markdown, configuration_markdown());
    assert_eq!(json_schema().to_string(), json_schema().to_string());
}
