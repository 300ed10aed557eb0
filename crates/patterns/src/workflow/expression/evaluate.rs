//! Evaluates a condition within bounds.

use std::fmt;
use std::sync::Arc;

use cel::{Context, Env, Value as CelValue};

use crate::contain;
use crate::workflow::expression::Readings;
use crate::workflow::expression::convert::{Converted, record};
use crate::workflow::expression::cost::{Variables, WORK_MAX, work};
use crate::workflow::expression::parse::Parsed;

/// The functions that expressions call; made once for a workflow.
pub(in crate::workflow) struct Evaluator(Arc<Env>);

impl Default for Evaluator {
    fn default() -> Self {
        Self(Arc::new(Env::stdlib()))
    }
}

impl fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evaluator")
    }
}

impl Evaluator {
    /// Whether a condition is true; why that cannot be said otherwise.
    pub(in crate::workflow) fn is_true(
        &self,
        expression: &Parsed,
        readings: &Readings<'_>,
    ) -> Result<bool, String> {
        let variables = variables(expression, readings)?;
        let work = work(&expression.tree, &variables);
        if work > WORK_MAX {
            return Err(format!(
                "the expression may have to look at {work} values, and {WORK_MAX} is the most; compute what it needs in a step"
            ));
        }
        let evaluated = contain::call("the expression", || {
            let mut context = Context::with_env(Arc::clone(&self.0));
            for (name, value) in variables {
                context.add_variable_from_value(name, value);
            }
            CelValue::resolve(&expression.tree, &context)
        });
        match evaluated {
            Ok(Ok(CelValue::Bool(yes))) => Ok(yes),
            Ok(Ok(other)) => Err(format!(
                "the expression is a {}, and a condition is true or false",
                other.type_of()
            )),
            Ok(Err(error)) => Err(said(&error.to_string())),
            Err(panicked) => Err(said(panicked.message())),
        }
    }
}

/// An error may hold the values that it is about.
fn said(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let mut cut: String = text.chars().take(CHARS_MAX).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("the expression cannot be evaluated: {cut}")
}

fn variables(expression: &Parsed, readings: &Readings<'_>) -> Result<Variables, String> {
    let uses = expression.uses();
    let mut converted = Converted::default();
    let mut variables = Variables::new();
    if uses.input {
        let (of, value) = readings.input;
        variables.insert("input", converted.value(of, value)?);
    }
    if !uses.steps.is_empty() {
        let mut steps = Vec::with_capacity(readings.steps.len());
        for (name, of, value) in &readings.steps {
            steps.push(((*name).to_owned(), converted.value(of, value)?));
        }
        variables.insert("steps", record(steps));
    }
    if !uses.status.is_empty() {
        let status = readings.status.iter();
        let status = status.map(|(name, of)| ((*name).to_owned(), CelValue::from(*of)));
        variables.insert("status", record(status));
    }
    if uses.loop_state
        && let Some(iteration) = &readings.iteration
    {
        let (of, last) = iteration.last;
        variables.insert("last", converted.value(of, last)?);
        let number = CelValue::Int(i64::from(iteration.number));
        variables.insert("iteration", number);
    }
    Ok(variables)
}
