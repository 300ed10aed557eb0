//! The reference names every key, its TOML is taken, and its default rules are the default rules.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test where it went wrong"
)]

use universal_orchestrator::plugin::PluginSection;
use universal_orchestrator::{OrchestratorConfig, Table};
use universal_orchestrator_security::{SecurityConfig, SecurityPlugin};

const REFERENCE: &str = include_str!("../../../docs/plugins/security.md");

fn section(toml: &str) -> Result<SecurityConfig, String> {
    let section = PluginSection::from_toml("security", toml).unwrap();
    section.parse().map_err(|error| error.to_string())
}

/// The keys of a section, as the error for an unknown one lists them.
fn keys(before: &str) -> Vec<String> {
    let error = section(&format!("{before}\nno_such_key = 1")).unwrap_err();
    let (_, expected) = error.split_once("expected").expect("it lists the keys");
    let keys = expected.split('`').skip(1).step_by(2).map(str::to_owned);
    keys.collect()
}

#[test]
fn every_key_is_in_the_reference() {
    for (before, prefix) in [
        ("", ""),
        ("[rate_limits]", "rate_limits."),
        ("[audit]", "audit."),
        ("[[identities]]", ""),
        ("[[identities]]\n[[identities.tokens]]", ""),
        ("[roles.r]", ""),
        ("[[rules]]", ""),
        ("[[rate_limits.task_types]]", ""),
    ] {
        let keys = keys(before);
        assert!(keys.len() > 1, "{before}");
        for key in keys {
            // These two are sections, whose keys are listed one by one.
            if ["rate_limits", "audit"].contains(&key.as_str()) {
                continue;
            }
            let listed = format!("`{prefix}{key}`");
            assert!(REFERENCE.contains(&listed), "{before} {listed}");
        }
    }
}

/// The TOML blocks of the reference.
fn blocks() -> Vec<&'static str> {
    let blocks = REFERENCE.split("```toml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks.collect()
}

#[test]
fn every_configuration_of_the_reference_is_taken() {
    let blocks = blocks();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let config = OrchestratorConfig::from_toml_str(block).unwrap();
        let table: &Table = &config.plugins.sections["security"];
        let config: SecurityConfig = section(&table.to_string()).unwrap();
        SecurityPlugin::new(config).unwrap();
    }
}

#[test]
fn the_default_rules_of_the_reference_are_the_default_rules() {
    let block = blocks()[2].replace("plugins.security.", "");
    let written = section(&block).unwrap().rules;
    assert_eq!(written, SecurityConfig::default().rules);
    assert_eq!(written.len(), 3);
}
