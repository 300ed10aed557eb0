//! A workflow as it is written down: the same from Rust, TOML and JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use universal_orchestrator::Decimal;

use crate::workflow::value_type::ValueType;

/// How many steps of a workflow run at once, unless it says otherwise.
pub(super) const AT_MOST: usize = 32;

/// A workflow as it is written down. It becomes a [`Workflow`](crate::Workflow) when it is built, which checks it.
///
/// It is what `serde` reads and writes; in Rust, [`Workflow::builder`](crate::Workflow::builder) is shorter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowSpec {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(default)]
    pub(super) takes: ValueType,
    #[serde(default = "at_most")]
    pub(super) at_most: usize,
    #[serde(default)]
    pub(super) fail_fast: bool,
    #[serde(default)]
    pub(super) steps: Vec<StepSpec>,
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, String>,
}

const fn at_most() -> usize {
    AT_MOST
}

impl WorkflowSpec {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            description: String::new(),
            takes: ValueType::Any,
            at_most: AT_MOST,
            fail_fast: false,
            steps: Vec::new(),
            outputs: BTreeMap::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// One step as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepSpec {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) agent: Option<AgentSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gate: Option<GateSpec>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) needs: Vec<String>,
    #[serde(default)]
    pub(super) join: Join,
    #[serde(default)]
    pub(super) takes: ValueType,
    #[serde(default)]
    pub(super) gives: ValueType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) inputs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) constants: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) when: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    pub(super) while_: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iterations_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) for_each: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at_most: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items_required: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<RetrySpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout_ms: Option<u64>,
    #[serde(default)]
    pub(super) on_failure: StepOnFailure,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fallback: Option<Value>,
    #[serde(default, skip_serializing_if = "EstimateSpec::is_none")]
    pub(super) estimate: EstimateSpec,
}

/// Which agent does a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentSpec {
    pub(super) requires: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<String>,
}

/// A decision that is awaited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GateSpec {
    pub(super) question: String,
    #[serde(default = "choices")]
    pub(super) choices: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline_ms: Option<u64>,
}

pub(super) fn choices() -> Vec<String> {
    vec!["approve".to_owned(), "reject".to_owned()]
}

/// How often a step is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetrySpec {
    pub(super) attempts: u32,
    #[serde(default)]
    pub(super) delay_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delay_ms_max: Option<u64>,
}

/// What a step is expected to take and to cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EstimateSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) money: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) calls: Option<u64>,
}

impl EstimateSpec {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What must have become of the steps that a step depends on before it runs.
///
/// A failure that its step tolerates ([`StepOnFailure::Continue`], or a fallback) counts as a success here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// All of them succeeded.
    #[default]
    All,
    /// All of them have ended, and at least one succeeded.
    Any,
    /// All of them have ended, whatever came of them.
    Done,
}

/// What the failure of a step means for the rest of its workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOnFailure {
    /// What depends on it is skipped; everything else goes on. The workflow does not succeed.
    #[default]
    SkipDependents,
    /// What depends on it runs, and reads nothing from it. The workflow may succeed all the same.
    Continue,
    /// Nothing new begins, and what runs is dropped. The workflow does not succeed.
    Stop,
}
