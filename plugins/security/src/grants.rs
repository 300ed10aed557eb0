//! What an identity may do: names and beginnings of names, looked up in constant time for names.

use std::collections::HashSet;

use universal_orchestrator::{AgentSpec, TaskRecord};

use crate::config::RoleConfig;

/// A name, a beginning followed by `*`, or `*` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    Exact(Box<str>),
    Beginning(Box<str>),
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stem, is_beginning) = match text.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (text, false),
        };
        let fits = !stem.contains('*') && (is_beginning || !stem.is_empty());
        fits.then(|| match is_beginning {
            true => Self::Beginning(stem.into()),
            false => Self::Exact(stem.into()),
        })
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => **text == *name,
            Self::Beginning(text) => name.starts_with(&**text),
        }
    }
}

/// A list of patterns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patterns {
    all: bool,
    exact: HashSet<Box<str>>,
    beginnings: Vec<Box<str>>,
}

impl Patterns {
    fn add(&mut self, texts: &[String]) {
        for text in texts {
            match Pattern::parse(text) {
                Some(Pattern::Beginning(stem)) if stem.is_empty() => self.all = true,
                Some(Pattern::Beginning(stem)) => self.beginnings.push(stem),
                Some(Pattern::Exact(name)) => drop(self.exact.insert(name)),
                // The configuration was checked; what is no pattern grants nothing.
                None => {}
            }
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.all
            || self.exact.contains(name)
            || self.beginnings.iter().any(|stem| name.starts_with(&**stem))
    }
}

/// What several roles grant together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants {
    register_agents: Patterns,
    register_capabilities: Patterns,
    register_roles: Patterns,
    submit_types: Patterns,
    require_capabilities: Patterns,
    act_as: Patterns,
}

/// What is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    Agent(String),
    Role(String),
    AgentCapability(String),
    TaskType(String),
    RequiredCapability(String),
}

impl Missing {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Agent(name)
            | Self::Role(name)
            | Self::AgentCapability(name)
            | Self::TaskType(name)
            | Self::RequiredCapability(name) => name,
        }
    }
}

impl Grants {
    pub(crate) fn of<'a>(roles: impl IntoIterator<Item = &'a RoleConfig>) -> Self {
        let mut grants = Self::default();
        for role in roles {
            grants.register_agents.add(&role.register_agents);
            grants
                .register_capabilities
                .add(&role.register_capabilities);
            grants.register_roles.add(&role.register_roles);
            grants.submit_types.add(&role.submit_types);
            grants.require_capabilities.add(&role.require_capabilities);
            grants.act_as.add(&role.act_as);
        }
        grants
    }

    pub(crate) fn may_act_as(&self, name: &str) -> bool {
        self.act_as.matches(name)
    }

    /// Whether an agent may be registered.
    pub(crate) fn check_agent(&self, agent: &AgentSpec) -> Result<(), Missing> {
        let id = agent.id().map_or("", |id| id.as_str());
        let capabilities = agent.capability_list().iter().map(|name| name.as_str());
        self.check_register(id, agent.role().as_str(), capabilities)
    }

    /// Whether a task may be submitted.
    pub(crate) fn check_task(&self, task: &TaskRecord) -> Result<(), Missing> {
        let task = task.task();
        let kind = task.task_type().map_or("", |name| name.as_str());
        let required = task.required().iter().map(|name| name.as_str());
        self.check_submit(kind, required)
    }

    pub(crate) fn check_register<'a>(
        &self,
        id: &str,
        role: &str,
        mut capabilities: impl Iterator<Item = &'a str>,
    ) -> Result<(), Missing> {
        if !self.register_agents.matches(id) {
            return Err(Missing::Agent(id.to_owned()));
        }
        if !self.register_roles.matches(role) {
            return Err(Missing::Role(role.to_owned()));
        }
        match capabilities.find(|name| !self.register_capabilities.matches(name)) {
            Some(name) => Err(Missing::AgentCapability(name.to_owned())),
            None => Ok(()),
        }
    }

    pub(crate) fn check_submit<'a>(
        &self,
        task_type: &str,
        mut required: impl Iterator<Item = &'a str>,
    ) -> Result<(), Missing> {
        if !self.submit_types.matches(task_type) {
            return Err(Missing::TaskType(task_type.to_owned()));
        }
        match required.find(|name| !self.require_capabilities.matches(name)) {
            Some(name) => Err(Missing::RequiredCapability(name.to_owned())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_a_beginning_or_everything() {
        for (pattern, name, matches) in [
            ("build", "build", true),
            ("build", "build_all", false),
            ("build_*", "build_all", true),
            ("build_*", "build_", true),
            ("build_*", "build", false),
            ("*", "", true),
            ("*", "anything", true),
            ("Build", "build", false),
        ] {
            let mut patterns = Patterns::default();
            patterns.add(&[pattern.to_owned()]);
            assert_eq!(patterns.matches(name), matches, "{pattern} {name}");
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(name), matches, "{pattern} {name}");
        }
        for refused in ["", "a*b", "**", "*a"] {
            assert_eq!(Pattern::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn without_roles_nothing_is_granted() {
        let none = Grants::of([]);
        assert!(none.check_submit("a", [].into_iter()).is_err());
        assert!(none.check_register("a", "worker", [].into_iter()).is_err());
        assert!(!none.may_act_as("a"));
    }
}
