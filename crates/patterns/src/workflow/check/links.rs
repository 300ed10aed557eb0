//! What each step reads, and so what it depends on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::workflow::check::{At, LINKS_MAX, places};
use crate::workflow::compiled::{Condition, InputPlan, Place, Source};
use crate::workflow::expression::{ExpressionError, Parsed};
use crate::workflow::problem::{Problem, ProblemKind, Problems, meant};
use crate::workflow::reference::{Reference, Root};
use crate::workflow::spec::WorkflowSpec;

pub(super) type Expressions = HashMap<String, Result<Arc<Parsed>, ExpressionError>>;

/// What a step reads.
pub(super) struct StepLinks {
    pub(super) input: InputPlan,
    pub(super) each: Option<Source>,
    pub(super) when: Option<Condition>,
    pub(super) until: Option<Condition>,
    pub(super) while_: Option<Condition>,
}

pub(super) struct Links {
    /// Of each step, the steps that it depends on, sorted.
    pub(super) needs: Vec<Vec<usize>>,
    pub(super) steps: Vec<StepLinks>,
    pub(super) outputs: Vec<(String, Source)>,
    /// The first step of each name.
    pub(super) names: HashMap<String, usize>,
}

impl Links {
    pub(super) fn of(spec: &WorkflowSpec, parsed: &Expressions, problems: &mut Problems) -> Self {
        let mut names = HashMap::with_capacity(spec.steps.len());
        for at in places(spec) {
            names.entry(at.spec.name.clone()).or_insert(at.index);
        }
        let mut finder = Finder {
            names: &names,
            parsed,
            problems,
            needs: BTreeSet::new(),
        };
        let (mut steps, mut needs) = (Vec::new(), Vec::new());
        let mut links = 0_usize;
        for at in places(spec) {
            steps.push(finder.step(at));
            let found: Vec<usize> = std::mem::take(&mut finder.needs).into_iter().collect();
            links += found.len();
            needs.push(found);
        }
        if links > LINKS_MAX {
            let message = format!("{links} links between the steps");
            let remedy =
                format!("write at most {LINKS_MAX}; a step that collects joins many to many");
            let problem = Problem::new("steps", ProblemKind::Limit, message, remedy);
            finder.problems.add(problem);
        }
        let mut outputs = Vec::new();
        for (name, text) in &spec.outputs {
            let place = format!("outputs.{name}");
            let problem = |kind, message: String, remedy: String| {
                Problem::new(place.as_str(), kind, message, remedy)
            };
            if let Some(source) = finder.source(text, Inside::Nothing, problem) {
                outputs.push((name.clone(), source));
            }
        }
        Self {
            needs,
            steps,
            outputs,
            names,
        }
    }
}

/// What a reference may begin with besides the input and steps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Each,
    Loop,
}

struct Finder<'a> {
    names: &'a HashMap<String, usize>,
    parsed: &'a Expressions,
    problems: &'a mut Problems,
    needs: BTreeSet<usize>,
}

impl Finder<'_> {
    fn step(&mut self, at: At<'_>) -> StepLinks {
        let step = at.spec;
        let inside = match (step.for_each.is_some(), step.is_loop()) {
            (true, _) => Inside::Each,
            (_, true) => Inside::Loop,
            _ => Inside::Nothing,
        };
        for (number, name) in step.needs.iter().enumerate() {
            match self.names.get(name) {
                Some(need) => {
                    self.needs.insert(*need);
                }
                None => {
                    let key = format!("needs[{number}]");
                    let (message, remedy) = self.no_step(name);
                    self.problems
                        .add(at.problem(&key, ProblemKind::Unknown, message, remedy));
                }
            }
        }
        let mut read = |text: &str, key: &str, inside: Inside| {
            let problem =
                |kind, message: String, remedy: String| at.problem(key, kind, message, remedy);
            let source = self.source(text, inside, problem)?;
            if let Place::Step(need) = source.place {
                self.needs.insert(need);
            }
            Some(source)
        };
        let each = step.for_each.as_deref();
        let each = each.and_then(|text| read(text, "for_each", Inside::Nothing));
        let input = match &step.input {
            Some(text) => read(text, "input", inside).map_or(InputPlan::Nothing, InputPlan::Whole),
            None if step.inputs.is_empty() && step.constants.is_empty() => InputPlan::Nothing,
            None => {
                let fields = step.inputs.iter();
                let fields = fields.filter_map(|(field, text)| {
                    let source = read(text, &format!("inputs.{field}"), inside)?;
                    Some((field.clone(), source))
                });
                let read = fields.collect();
                let constants = step.constants.iter();
                let constants: Map<String, Value> =
                    constants.map(|(k, v)| (k.clone(), v.clone())).collect();
                InputPlan::Fields { constants, read }
            }
        };
        StepLinks {
            input,
            each,
            when: self.condition(at, "when", step.when.as_deref()),
            until: self.condition(at, "until", step.until.as_deref()),
            while_: self.condition(at, "while", step.while_.as_deref()),
        }
    }

    fn no_step(&self, name: &str) -> (String, String) {
        // Names are compared only for a problem that is listed.
        let names = self.names.keys().map(String::as_str);
        let names = names.filter(|_| !self.problems.is_full());
        let remedy = meant(name, names, "name a step of this workflow");
        (format!("unknown step {name:?}"), remedy)
    }

    fn source(
        &mut self,
        text: &str,
        inside: Inside,
        problem: impl Fn(ProblemKind, String, String) -> Problem,
    ) -> Option<Source> {
        let reference = match Reference::parse(text) {
            Ok(reference) => reference,
            Err((message, remedy)) => {
                self.problems
                    .add(problem(ProblemKind::Unknown, message, remedy));
                return None;
            }
        };
        let outside = |of: &str, where_: &str| {
            let message = format!("{reference} outside of {of}");
            Err((message, format!("use it in a step with {where_}")))
        };
        let place = match &reference.root {
            Root::Input => Ok(Place::Input),
            Root::Step(name) => match self.names.get(name) {
                Some(step) => Ok(Place::Step(*step)),
                None => Err(self.no_step(name)),
            },
            Root::Item | Root::Index if inside != Inside::Each => outside("a fan-out", "for_each"),
            Root::Last | Root::Iteration if inside != Inside::Loop => {
                outside("a loop", "until or while")
            }
            Root::Item => Ok(Place::Item),
            Root::Index => Ok(Place::Index),
            Root::Last => Ok(Place::Last),
            Root::Iteration => Ok(Place::Iteration),
        };
        match place {
            Ok(place) => Some(Source {
                place,
                fields: reference.fields,
            }),
            Err((message, remedy)) => {
                self.problems
                    .add(problem(ProblemKind::Unknown, message, remedy));
                None
            }
        }
    }

    /// The steps of an expression are dependencies. Unknown ones are found with the types.
    fn condition(&mut self, at: At<'_>, key: &str, text: Option<&str>) -> Option<Condition> {
        let text = text?;
        match self.parsed.get(text)? {
            Err(error) => {
                self.problems.add(of_expression(at, key, error));
                None
            }
            Ok(parsed) => {
                let find = |name: &String| self.names.get(name).copied();
                let steps: Vec<usize> = parsed.uses().steps.iter().filter_map(find).collect();
                let status: Vec<usize> = parsed.uses().status.iter().filter_map(find).collect();
                let waits_for = parsed.uses().waits_for();
                self.needs
                    .extend(waits_for.filter_map(|name| self.names.get(name)));
                Some(Condition {
                    text: text.to_owned(),
                    parsed: Arc::clone(parsed),
                    steps,
                    status,
                })
            }
        }
    }
}

pub(super) fn of_expression(at: At<'_>, key: &str, error: &ExpressionError) -> Problem {
    let (message, remedy) = (error.message.as_str(), error.remedy.as_str());
    let mut problem = at.problem(key, error.kind.clone(), message, remedy);
    problem.at = error.at;
    problem
}
