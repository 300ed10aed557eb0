//! The configuration, ready for use.

use crate::config::{AutomationConfig, ConfigFault, When};
use crate::rules::Rule;
use crate::sleep::Schedule;

/// A configuration that was checked, with its rules and schedules parsed.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: AutomationConfig,
    pub(crate) schedules: Vec<Schedule>,
    rules: [Vec<Rule>; When::COUNT],
}

impl Settings {
    pub(crate) fn new(config: AutomationConfig) -> Result<Self, ConfigFault> {
        config.validate()?;
        let schedules = config.sleep.schedules.iter();
        let schedules = schedules.filter_map(Schedule::new).collect();
        let mut rules: [Vec<Rule>; When::COUNT] = Default::default();
        for rule in &config.rules {
            rules[rule.when as usize].push(Rule::new(rule.clone()));
        }
        Ok(Self {
            config,
            schedules,
            rules,
        })
    }

    /// The rules of an event, in the order of the configuration.
    pub(crate) fn rules(&self, when: When) -> &[Rule] {
        &self.rules[when as usize]
    }

    pub(crate) fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().flatten()
    }
}
