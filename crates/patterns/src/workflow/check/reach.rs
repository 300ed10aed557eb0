//! Steps that can never run.

use crate::workflow::check::links::Links;
use crate::workflow::check::places;
use crate::workflow::compiled::Condition;
use crate::workflow::expression::{Evaluator, Readings};
use crate::workflow::problem::{ProblemKind, Problems};
use crate::workflow::spec::{Join, WorkflowSpec};
use crate::workflow::value_type::ValueType;

/// Reports a condition that reads nothing and is false, and the steps that need one behind it.
pub(super) fn check(
    spec: &WorkflowSpec,
    links: &Links,
    order: &[usize],
    evaluator: &Evaluator,
    problems: &mut Problems,
) {
    let is_false = |condition: &Option<Condition>| {
        let condition = condition.as_ref()?;
        let input = &serde_json::Value::Null;
        let nothing = Readings {
            input: (&ValueType::Any, input),
            steps: Vec::new(),
            status: Vec::new(),
            iteration: None,
        };
        let constant = condition.parsed.uses().is_nothing();
        let value = constant.then(|| evaluator.is_true(&condition.parsed, &nothing));
        value.and_then(Result::ok).map(|value| !value)
    };
    let mut never = vec![false; spec.steps.len()];
    let places: Vec<_> = places(spec).collect();
    for step in order.iter().copied() {
        let link = &links.steps[step];
        let at = places[step];
        let key = match (is_false(&link.when), is_false(&link.while_)) {
            (Some(true), _) => "when",
            (_, Some(true)) => "while",
            _ => {
                let dead = |need: &&usize| never[**need];
                let needs = &links.needs[step];
                let first = match at.spec.join {
                    Join::All => needs.iter().find(dead),
                    Join::Any if needs.iter().all(|need| never[*need]) => needs.first(),
                    Join::Any | Join::Done => None,
                };
                if let Some(first) = first {
                    never[step] = true;
                    let cause = &spec.steps[*first].name;
                    let message =
                        format!("the step can never run: it needs {cause:?}, which never runs");
                    let remedy =
                        format!("take out {cause:?} and what needs it, or write join = \"done\"");
                    problems.add(at.problem("", ProblemKind::Unreachable, message, remedy));
                }
                continue;
            }
        };
        never[step] = true;
        let message = "the step can never run: its condition is always false";
        let remedy = "compare something that is known when it runs, or take the step out";
        problems.add(at.problem(key, ProblemKind::Unreachable, message, remedy));
    }
}
