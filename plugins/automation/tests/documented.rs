//! The page of the plugin names every key and every metric, and its configuration loads.

use universal_orchestrator::plugin::PluginSection;
use universal_orchestrator_automation::config::{ConditionConfig, Field, RuleAction, Tier};
use universal_orchestrator_automation::{AUTOMATION, AutomationConfig, AutomationMetric};

const PAGE: &str = include_str!("../../../docs/plugins/automation.md");

/// The keys of a table, from what serde says of an unknown one.
fn keys<T: serde::de::DeserializeOwned>(toml: &str) -> Vec<String> {
    let Err(error) = toml::from_str::<T>(toml) else {
        unreachable!("{toml} has a key that nobody knows");
    };
    let text = error.message().to_owned();
    let (_, known) = text
        .split_once("expected")
        .expect("serde lists the known keys");
    let known = known.split('`').skip(1).step_by(2);
    known.map(str::to_owned).collect()
}

/// A part of the page, from its heading to the next.
fn part(name: &str) -> &'static str {
    let heading = match name {
        "" => "## Settings\n".to_owned(),
        name => format!("### `{name}`\n"),
    };
    let (_, rest) = PAGE.split_once(&heading).expect("the part has a heading");
    rest.split("\n##").next().unwrap_or(rest)
}

#[test]
fn every_key_stands_in_its_part() {
    let mut count = 0;
    let mut check = |part_name: &str, keys: Vec<String>| {
        assert!(!keys.is_empty(), "{part_name}");
        for key in keys {
            let text = part(part_name);
            assert!(text.contains(&format!("`{key}`")), "[{part_name}] {key}");
            count += 1;
        }
    };
    let top = keys::<AutomationConfig>("no_such_key = 1");
    let (parts, plain): (Vec<String>, Vec<String>) = top
        .into_iter()
        .partition(|key| PAGE.contains(&format!("### `{key}`\n")));
    check("", plain);
    for name in parts {
        let table = match name.as_str() {
            "rules" => "[[rules]]\nno_such_key = 1".to_owned(),
            _ => format!("[{name}]\nno_such_key = 1"),
        };
        check(&name, keys::<AutomationConfig>(&table));
    }
    let schedule = "[[sleep.schedules]]\nno_such_key = 1";
    check("sleep", keys::<AutomationConfig>(schedule));
    check("rules", keys::<ConditionConfig>("no_such_key = 1"));
    check(
        "rules",
        Field::ALL.iter().map(|f| f.as_str().to_owned()).collect(),
    );
    check(
        "recovery",
        Tier::ALL.iter().map(|t| t.as_str().to_owned()).collect(),
    );
    for action in keys::<RuleAction>("action = \"no_such_action\"") {
        let fields = keys::<RuleAction>(&format!("action = \"{action}\"\nno_such_key = 1"));
        check("rules", vec![action]);
        check("rules", fields);
    }
    assert!(count > 90, "{count}");
}

#[test]
fn every_metric_stands_on_the_page() {
    for metric in AutomationMetric::ALL {
        assert!(
            PAGE.contains(&format!("| `{}` |", metric.as_str())),
            "{metric:?}"
        );
    }
}

#[test]
fn its_configuration_is_one() {
    let blocks = PAGE.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let mut count = 0;
    for block in blocks {
        let section = block.replace("plugins.automation.", "");
        let section = PluginSection::from_toml("automation", &section).expect("it is TOML");
        AUTOMATION.build(&section).expect("the plugin takes it");
        count += 1;
    }
    assert_eq!(count, 1);
}

#[test]
fn every_default_stands_in_its_row() {
    let defaults = format!("{:?}", AutomationConfig::default());
    for row in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (key, default) = (cells[1].trim_matches('`'), cells[2]);
        let number = !default.is_empty() && default.chars().all(|c| c.is_ascii_digit() || c == '.');
        if number && cells.len() == 6 {
            let plain = format!("{key}: {default}");
            assert!(defaults.contains(&plain), "{row}\n{defaults}");
        }
    }
}
