//! The types of what is read, against those that are declared.

use std::collections::HashMap;

use crate::workflow::check::links::{Links, of_expression};
use crate::workflow::check::{At, places};
use crate::workflow::compiled::{Condition, InputPlan, Place, Source};
use crate::workflow::expression::Scope;
use crate::workflow::problem::{Problem, ProblemKind, Problems, meant, nearest};
use crate::workflow::spec::{Join, StepOnFailure, StepSpec, WorkflowSpec};
use crate::workflow::value_type::ValueType;

/// What a step gives.
#[derive(Debug, Clone, Default)]
pub(super) struct StepTypes {
    /// In one run.
    pub(super) gives: ValueType,
    /// To those who read from it.
    pub(super) seen: ValueType,
}

/// Checks every reference and expression; the types of the steps.
pub(super) fn check(
    spec: &WorkflowSpec,
    links: &Links,
    order: &[usize],
    collects: &[bool],
    problems: &mut Problems,
) -> Vec<StepTypes> {
    let mut types: Vec<StepTypes> = spec.steps.iter().map(declared).collect();
    let all: Vec<_> = places(spec).collect();
    // What lies in a cycle comes last: its declared types are known all the same.
    let mut ordered = vec![false; spec.steps.len()];
    order.iter().for_each(|step| ordered[*step] = true);
    let rest = (0..spec.steps.len()).filter(|step| !ordered[*step]);
    let order: Vec<usize> = order.iter().copied().chain(rest).collect();
    for step in order.iter().copied() {
        let mut checker = Checker {
            spec,
            types: &types,
            names: &links.names,
            reader: Some(all[step]),
            problems: &mut *problems,
        };
        if let Some(input) = checker.step(all[step], links)
            && collects[step]
        {
            types[step] = StepTypes {
                gives: input.clone(),
                seen: seen(all[step].spec, input),
            };
        }
    }
    let mut checker = Checker {
        spec,
        types: &types,
        names: &links.names,
        reader: None,
        problems,
    };
    for (name, source) in &links.outputs {
        let place = format!("outputs.{name}");
        checker.source(source, |kind, message, remedy| {
            Problem::new(place.as_str(), kind, message, remedy)
        });
    }
    types
}

fn declared(step: &StepSpec) -> StepTypes {
    let gives = match &step.gate {
        Some(_) => ValueType::record([
            ("decision", ValueType::Text),
            ("by", ValueType::Text),
            ("comment", ValueType::Text),
            ("defaulted", ValueType::Boolean),
        ]),
        None => step.gives.clone(),
    };
    StepTypes {
        seen: seen(step, gives.clone()),
        gives,
    }
}

/// What others see of a step that gives this.
fn seen(step: &StepSpec, gives: ValueType) -> ValueType {
    match (&step.for_each, step.items_required) {
        (None, _) => gives,
        (Some(_), None) => ValueType::list(gives),
        (Some(_), Some(_)) => ValueType::list(gives.optional()),
    }
}

struct Checker<'a> {
    spec: &'a WorkflowSpec,
    types: &'a [StepTypes],
    names: &'a HashMap<String, usize>,
    /// The step that reads; `None` for the outputs.
    reader: Option<At<'a>>,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    /// The type of the step's input.
    fn step(&mut self, at: At<'_>, links: &Links) -> Option<ValueType> {
        let link = &links.steps[at.index];
        let item = link.each.as_ref().map(|list| {
            let problem = |kind, message: String, remedy: String| {
                at.problem("for_each", kind, message, remedy)
            };
            match self.source(list, problem) {
                Some(ValueType::List(of)) => *of,
                None | Some(ValueType::Any) => ValueType::Any,
                Some(other) => {
                    let message = format!("for_each over a value that is {other}");
                    self.problems.add(at.problem(
                        "for_each",
                        ProblemKind::Type,
                        message,
                        "name a list",
                    ));
                    ValueType::Any
                }
            }
        });
        let item = item.unwrap_or_default();
        let input = self.input(at, &link.input, &item);
        if let Some(input) = &input {
            self.taken(at, &link.input, input);
        }
        for (key, condition) in [
            ("when", &link.when),
            ("until", &link.until),
            ("while", &link.while_),
        ] {
            self.expression(at, key, condition.as_ref());
        }
        input
    }

    /// Whether the input is what the step takes; each field that is not, where it is written.
    fn taken(&mut self, at: At<'_>, plan: &InputPlan, input: &ValueType) {
        let Err(misfit) = at.spec.takes.accepts(input) else {
            return;
        };
        let before = self.problems.count();
        if let (
            ValueType::Record(wanted),
            ValueType::Record(given),
            InputPlan::Fields { constants, .. },
        ) = (&at.spec.takes, input, plan)
        {
            for (field, of) in wanted {
                let Some(found) = given.get(field) else {
                    continue;
                };
                let Err(misfit) = of.accepts(found) else {
                    continue;
                };
                let (table, remedy) = match constants.contains_key(field) {
                    true => (
                        "constants",
                        "write a value of that type, or declare another type",
                    ),
                    false => ("inputs", "read another value, or declare another type"),
                };
                let message = match misfit.is_itself() {
                    true => format!("{field:?} is {found} where {of} is declared"),
                    false => format!("{field:?} does not fit: {misfit}"),
                };
                let key = format!("{table}.{field}");
                self.problems
                    .add(at.problem(&key, ProblemKind::Type, message, remedy));
            }
        }
        if self.problems.count() == before {
            let (key, remedy) = match plan {
                InputPlan::Nothing => (
                    "takes",
                    "read it with input or inputs, or set it under constants",
                ),
                InputPlan::Whole(_) => ("input", "read another value, or declare another type"),
                InputPlan::Fields { .. } => {
                    ("inputs", "read it with inputs, or set it under constants")
                }
            };
            let message = format!("the input does not fit what the step takes: {misfit}");
            self.problems
                .add(at.problem(key, ProblemKind::Type, message, remedy));
        }
    }

    fn input(&mut self, at: At<'_>, plan: &InputPlan, item: &ValueType) -> Option<ValueType> {
        match plan {
            InputPlan::Nothing if at.spec.input.is_some() => None,
            InputPlan::Nothing => Some(ValueType::Optional(Box::new(ValueType::Any))),
            InputPlan::Whole(source) => self.read(at, "input", source, item),
            InputPlan::Fields { constants, read } => {
                let mut fields: Vec<(String, ValueType)> = Vec::new();
                for (name, value) in constants {
                    fields.push((name.clone(), ValueType::of_constant(value)));
                }
                for (name, source) in read {
                    let of = self.read(at, &format!("inputs.{name}"), source, item);
                    fields.push((name.clone(), of.unwrap_or_default()));
                }
                // A reference that leads nowhere was reported: its field is not missing.
                for name in at.spec.inputs.keys() {
                    if !fields.iter().any(|(known, _)| known == name) {
                        fields.push((name.clone(), ValueType::Any));
                    }
                }
                Some(ValueType::record(fields))
            }
        }
    }

    fn read(
        &mut self,
        at: At<'_>,
        key: &str,
        source: &Source,
        item: &ValueType,
    ) -> Option<ValueType> {
        let problem =
            |kind, message: String, remedy: String| at.problem(key, kind, message, remedy);
        match source.place {
            Place::Item => self.field(item.clone(), &source.fields, problem),
            _ => self.source(source, problem),
        }
    }

    /// The type of a value that is not an item's; `None` when it leads nowhere, which is reported.
    fn source(
        &mut self,
        source: &Source,
        problem: impl Fn(ProblemKind, String, String) -> Problem,
    ) -> Option<ValueType> {
        let root = match source.place {
            Place::Input => self.spec.takes.clone(),
            Place::Step(step) => self.types[step].seen.clone(),
            Place::Index | Place::Iteration => ValueType::Integer,
            Place::Last => match self.reader {
                Some(at) => self.types[at.index].gives.clone().optional(),
                None => ValueType::Any,
            },
            Place::Item => ValueType::Any,
        };
        let may_miss = matches!(source.place, Place::Step(step) if self.may_miss(step));
        let found = self.field(root, &source.fields, problem)?;
        Some(if may_miss { found.optional() } else { found })
    }

    /// Whether the step may have given nothing when its reader runs.
    fn may_miss(&self, step: usize) -> bool {
        let of = &self.spec.steps[step];
        let join = self.reader.map_or(Join::Done, |at| at.spec.join);
        let continues = of.on_failure == StepOnFailure::Continue && of.fallback.is_none();
        join != Join::All || continues
    }

    fn field(
        &mut self,
        root: ValueType,
        fields: &[String],
        problem: impl Fn(ProblemKind, String, String) -> Problem,
    ) -> Option<ValueType> {
        let (mut found, mut missing) = (root, false);
        for field in fields {
            missing |= matches!(found, ValueType::Optional(_));
            found = match found.present() {
                ValueType::Any => return Some(ValueType::Any),
                ValueType::Record(known) => match known.get(field) {
                    Some(of) => of.clone(),
                    None => {
                        let names: Vec<&str> = known.keys().map(String::as_str).take(8).collect();
                        let otherwise = format!("it has {}", names.join(", "));
                        let remedy = meant(field, known.keys().map(String::as_str), &otherwise);
                        let message = format!("unknown field {field:?}");
                        self.problems
                            .add(problem(ProblemKind::Unknown, message, remedy));
                        return None;
                    }
                },
                other => {
                    let message = format!("the field {field:?} of a value that is {other}");
                    let remedy = "only a record has fields".to_owned();
                    self.problems
                        .add(problem(ProblemKind::Type, message, remedy));
                    return None;
                }
            };
        }
        Some(if missing { found.optional() } else { found })
    }

    fn expression(&mut self, at: At<'_>, key: &str, condition: Option<&Condition>) {
        let Some(condition) = condition else { return };
        let last = match key {
            "when" => None,
            _ => Some(&self.types[at.index].gives),
        };
        let scope = StepScope {
            input: &self.spec.takes,
            types: self.types,
            names: self.names,
            last,
            suggests: !self.problems.is_full(),
        };
        for error in condition.parsed.check(&scope) {
            self.problems.add(of_expression(at, key, &error));
        }
    }
}

struct StepScope<'a> {
    input: &'a ValueType,
    types: &'a [StepTypes],
    names: &'a HashMap<String, usize>,
    last: Option<&'a ValueType>,
    /// Whether there is room for another problem, and so use for a suggestion.
    suggests: bool,
}

impl Scope for StepScope<'_> {
    fn input(&self) -> &ValueType {
        self.input
    }

    fn step(&self, name: &str) -> Option<&ValueType> {
        self.names.get(name).map(|step| &self.types[*step].seen)
    }

    fn nearest_step(&self, name: &str) -> Option<&str> {
        let names = self.suggests.then(|| self.names.keys().map(String::as_str));
        nearest(name, names?)
    }

    fn last(&self) -> Option<&ValueType> {
        self.last
    }
}
