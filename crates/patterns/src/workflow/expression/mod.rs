//! Conditions: parsed and checked when a workflow is built, evaluated within bounds when it runs.
//!
//! The language is the Common Expression Language; see `docs/workflow.md` for what of it may be written.

#[cfg(not(feature = "expressions"))]
mod absent;
#[cfg(feature = "expressions")]
mod convert;
#[cfg(feature = "expressions")]
mod cost;
#[cfg(feature = "expressions")]
mod evaluate;
#[cfg(feature = "expressions")]
mod kinds;
#[cfg(feature = "expressions")]
mod operators;
#[cfg(feature = "expressions")]
mod parse;

use std::collections::BTreeSet;

use serde_json::Value;

#[cfg(not(feature = "expressions"))]
pub(super) use absent::{Evaluator, Parsed, parse_all};
#[cfg(feature = "expressions")]
pub(super) use evaluate::Evaluator;
#[cfg(feature = "expressions")]
pub(super) use parse::{Parsed, parse_all};

use crate::workflow::problem::ProblemKind;
use crate::workflow::value_type::ValueType;

/// The longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 512;

/// What is wrong with an expression.
#[derive(Debug, Clone)]
pub(super) struct ExpressionError {
    pub(super) kind: ProblemKind,
    pub(super) message: String,
    pub(super) remedy: String,
    /// The character within the expression, from 0.
    pub(super) at: Option<usize>,
}

/// What an expression reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Uses {
    pub(super) input: bool,
    /// What a step gave.
    pub(super) steps: BTreeSet<String>,
    /// What became of a step.
    pub(super) status: BTreeSet<String>,
    /// `last` and `iteration`.
    pub(super) loop_state: bool,
}

impl Uses {
    /// Whether it is the same in every run.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The steps that it has to wait for.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().chain(&self.status).map(String::as_str)
    }
}

/// What an expression may read, with its types.
#[cfg_attr(
    not(feature = "expressions"),
    expect(dead_code, reason = "only expressions read it")
)]
pub(super) trait Scope {
    /// The type of the workflow's input.
    fn input(&self) -> &ValueType;
    /// What a step gives; `None` when there is no such step.
    fn step(&self, name: &str) -> Option<&ValueType>;
    /// The step that was probably meant.
    fn nearest_step(&self, name: &str) -> Option<&str>;
    /// What the iteration before gave; `None` outside of a loop.
    fn last(&self) -> Option<&ValueType>;
}

/// What an expression reads, as it is now. Values are missing that no step has given.
#[cfg_attr(
    not(feature = "expressions"),
    expect(dead_code, reason = "only expressions read it")
)]
pub(super) struct Readings<'v> {
    pub(super) input: (&'v ValueType, &'v Value),
    pub(super) steps: Vec<(&'v str, &'v ValueType, &'v Value)>,
    pub(super) status: Vec<(&'v str, &'static str)>,
    pub(super) iteration: Option<Iteration<'v>>,
}

/// Where a loop is.
#[cfg_attr(
    not(feature = "expressions"),
    expect(dead_code, reason = "only expressions read it")
)]
pub(super) struct Iteration<'v> {
    pub(super) number: u32,
    pub(super) last: (&'v ValueType, &'v Value),
}
