//! The page docs/plugins/context.md knows every setting, and its TOML is a configuration.

use universal_orchestrator::OrchestratorConfig;
use universal_orchestrator_context::{ContextConfig, ContextPlugin};

const PAGE: &str = include_str!("../../../docs/plugins/context.md");

#[test]
fn every_setting_has_a_row_and_every_row_a_setting() {
    let defaults = serde_json::to_value(ContextConfig::default()).unwrap();
    let keys: Vec<String> = defaults.as_object().unwrap().keys().cloned().collect();
    let (_, table) = PAGE
        .split_once("| key | effect, default, limits |")
        .unwrap();
    let table = table.split("\n\n").next().unwrap();
    let rows = table
        .lines()
        .filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    let mut rows: Vec<&str> = rows.collect();
    rows.sort_unstable();
    assert_eq!(rows, keys);
    for (key, value) in defaults.as_object().unwrap() {
        let Some(value) = value.as_u64() else {
            continue;
        };
        let row = table
            .lines()
            .find(|row| row.starts_with(&format!("| `{key}` |")))
            .unwrap();
        let said = row.replace('_', "");
        assert!(said.contains(&format!("Default {value}")), "{row}");
    }
}

#[test]
fn its_toml_is_a_configuration() {
    let blocks = PAGE
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let mut seen = 0;
    for block in blocks {
        let config = OrchestratorConfig::from_toml_str(block).unwrap();
        let section = config.plugins.sections.get("context").unwrap().clone();
        ContextPlugin::new(section.try_into().unwrap()).unwrap();
        seen += 1;
    }
    assert_eq!(seen, 1);
}
