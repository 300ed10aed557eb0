//! Puts the input of a step together.

use serde_json::Value;

use crate::result::{ErrorCategory, StepFailure};
use crate::workflow::compiled::{CompiledStep, InputPlan, Place, Source};
use crate::workflow::reference::at_path;

/// An input with what is the same for every item and iteration; the rest is still to be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prepared {
    fixed: Value,
    /// With the field that it goes to; `None` is the whole input.
    open: Vec<(Option<String>, Source)>,
}

/// What an item or an iteration has to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'v> {
    /// The item, or what the iteration before gave.
    pub(super) value: &'v Value,
    /// The place of the item from 0, or the number of the iteration from 1.
    pub(super) number: u64,
}

const fn is_open(source: &Source) -> bool {
    matches!(
        source.place,
        Place::Item | Place::Index | Place::Last | Place::Iteration
    )
}

impl Prepared {
    /// Reads what is there; what is missing is null.
    pub(super) fn of<'v>(plan: &InputPlan, root: impl Fn(Place) -> Option<&'v Value>) -> Self {
        let read = |source: &Source| {
            let found = root(source.place).and_then(|value| at_path(value, &source.fields));
            found.cloned().unwrap_or(Value::Null)
        };
        let mut open = Vec::new();
        let fixed = match plan {
            InputPlan::Nothing => Value::Null,
            InputPlan::Whole(source) if is_open(source) => {
                open.push((None, source.clone()));
                Value::Null
            }
            InputPlan::Whole(source) => read(source),
            InputPlan::Fields {
                constants,
                read: sources,
            } => {
                let mut fields = constants.clone();
                for (field, source) in sources {
                    if is_open(source) {
                        open.push((Some(field.clone()), source.clone()));
                    } else {
                        fields.insert(field.clone(), read(source));
                    }
                }
                Value::Object(fields)
            }
        };
        Self { fixed, open }
    }

    /// The input for one item or iteration.
    pub(super) fn here(&self, here: Here<'_>) -> Value {
        let mut input = self.fixed.clone();
        for (field, source) in &self.open {
            let value = match source.place {
                Place::Index | Place::Iteration if source.fields.is_empty() => here.number.into(),
                Place::Index | Place::Iteration => Value::Null,
                _ => at_path(here.value, &source.fields)
                    .cloned()
                    .unwrap_or(Value::Null),
            };
            match (field, &mut input) {
                (Some(field), Value::Object(fields)) => {
                    fields.insert(field.clone(), value);
                }
                _ => input = value,
            }
        }
        input
    }

    /// The input of a step without items and iterations.
    pub(super) fn whole(self) -> Value {
        self.fixed
    }
}

/// Whether an input is what the step takes.
pub(super) fn taken(step: &CompiledStep, input: &Value) -> Result<(), StepFailure> {
    step.takes.check(input).map_err(|misfit| {
        let text = format!("the input of {} does not fit: {misfit}", step.name);
        StepFailure::new(ErrorCategory::Invalid, text)
    })
}
