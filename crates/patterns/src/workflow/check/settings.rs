//! Names, limits, and settings that exclude each other.

use std::collections::HashMap;

use crate::strategy::STEPS_MAX;
use crate::workflow::check::{At, ITERATIONS_MAX, places};
use crate::workflow::problem::{Problem, ProblemKind, Problems};
use crate::workflow::spec::WorkflowSpec;
use crate::workflow::value_type::{TYPE_DEPTH_MAX, ValueType};

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest text for people, in characters.
const TEXT_CHARS_MAX: usize = 1_024;
/// The most choices at a gate.
const CHOICES_MAX: usize = 32;
/// The most attempts that may be written.
const ATTEMPTS_MAX: u32 = 100;
/// The most outputs.
const OUTPUTS_MAX: usize = 1_000;

/// Words of the expression language, which cannot be names in it.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

pub(super) fn check(spec: &WorkflowSpec, problems: &mut Problems) {
    if spec.name.trim().is_empty() || spec.name.chars().count() > 256 {
        problems.add(Problem::new(
            "name",
            ProblemKind::Name,
            format!(
                "a workflow with a name of {} characters",
                spec.name.chars().count()
            ),
            "write a name of 1 to 256 characters",
        ));
    }
    if spec.steps.is_empty() {
        let remedy = "add a step";
        problems.add(Problem::new(
            "steps",
            ProblemKind::Limit,
            "a workflow without steps",
            remedy,
        ));
    }
    if spec.at_most == 0 || spec.at_most > STEPS_MAX {
        let message = format!("{} steps at once", spec.at_most);
        problems.add(Problem::new(
            "at_most",
            ProblemKind::Limit,
            message,
            format!("write 1 to {STEPS_MAX}"),
        ));
    }
    if spec.outputs.len() > OUTPUTS_MAX {
        let message = format!("{} outputs", spec.outputs.len());
        problems.add(Problem::new(
            "outputs",
            ProblemKind::Limit,
            message,
            format!("write at most {OUTPUTS_MAX}"),
        ));
    }
    if spec.takes.depth() > TYPE_DEPTH_MAX {
        problems.add(too_deep("takes"));
    }
    let mut first: HashMap<&str, usize> = HashMap::new();
    for at in places(spec) {
        if let Some(before) = first.get(at.spec.name.as_str()) {
            let message = format!("the name {:?} is that of steps[{before}] too", at.spec.name);
            let remedy = "give each step a name of its own";
            problems.add(at.problem("name", ProblemKind::Duplicate, message, remedy));
        } else {
            first.insert(&at.spec.name, at.index);
        }
        if let Some((message, remedy)) = name_problem(&at.spec.name) {
            problems.add(at.problem("name", ProblemKind::Name, message, remedy));
        }
        work(at, problems);
        limits(at, problems);
        repeated(at, problems);
        gate(at, problems);
    }
}

fn too_deep(place: &str) -> Problem {
    let message = format!("a type nested deeper than {TYPE_DEPTH_MAX} levels");
    Problem::new(
        place,
        ProblemKind::Limit,
        message,
        "write any for what lies deeper",
    )
}

/// What is wrong with a name, and what to write instead.
fn name_problem(name: &str) -> Option<(String, String)> {
    let letters = "write letters, digits and _, and begin with a letter";
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let message = format!("a name of {} bytes", name.len());
        return Some((message, format!("write 1 to {NAME_BYTES_MAX} bytes")));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(valid) {
        let changed: String = name
            .chars()
            .map(|c| if valid(c) { c } else { '_' })
            .collect();
        let remedy = match changed.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => format!("{letters}, for example {changed}"),
            false => letters.to_owned(),
        };
        return Some((format!("{name:?} cannot be a name"), remedy));
    }
    RESERVED.contains(&name).then(|| {
        let message = format!("{name:?} is a word of the expression language");
        (message, "write another name".to_owned())
    })
}

/// What it does, and the settings that only some steps have.
fn work(at: At<'_>, problems: &mut Problems) {
    let step = at.spec;
    let mut conflict = |key: &str, message: &str, remedy: &str| {
        problems.add(at.problem(key, ProblemKind::Conflict, message, remedy));
    };
    let kinds = [
        ("run", step.run.is_some()),
        ("agent", step.agent.is_some()),
        ("gate", step.gate.is_some()),
    ];
    let written: Vec<&str> = kinds
        .iter()
        .filter(|(_, is)| *is)
        .map(|(key, _)| *key)
        .collect();
    if let [_, second, ..] = written[..] {
        let message = format!("{} in one step", written.join(" and "));
        conflict(
            second,
            &message,
            "keep one, and make a step of its own of the other",
        );
    }
    if step
        .agent
        .as_ref()
        .is_some_and(|agent| agent.requires.is_empty())
    {
        conflict(
            "agent.requires",
            "an agent of which nothing is required",
            "name a capability, so that the right agent is found",
        );
    }
    if step.input.is_some() && !(step.inputs.is_empty() && step.constants.is_empty()) {
        conflict(
            "input",
            "input besides inputs or constants",
            "read the whole input with input, or its fields with inputs and constants",
        );
    }
    for field in step
        .inputs
        .keys()
        .filter(|field| step.constants.contains_key(*field))
    {
        let message = format!("the field {field:?} is read and constant");
        conflict(
            &format!("constants.{field}"),
            &message,
            "keep one of the two",
        );
    }
}

fn limits(at: At<'_>, problems: &mut Problems) {
    let step = at.spec;
    let mut limit = |key: &str, message: String, remedy: String| {
        problems.add(at.problem(key, ProblemKind::Limit, message, remedy));
    };
    if step.title.chars().count() > TEXT_CHARS_MAX {
        let message = format!("a title of {} characters", step.title.chars().count());
        limit("title", message, format!("write at most {TEXT_CHARS_MAX}"));
    }
    if let Some(retry) = &step.retry
        && !(1..=ATTEMPTS_MAX).contains(&retry.attempts)
    {
        let message = format!("{} attempts", retry.attempts);
        limit(
            "retry.attempts",
            message,
            format!("write 1 to {ATTEMPTS_MAX}"),
        );
    }
    if step.timeout_ms == Some(0) {
        let message = "a timeout of no time".to_owned();
        limit(
            "timeout_ms",
            message,
            "write at least 1, or leave it out".to_owned(),
        );
    }
    if let Some(items) = step.at_most
        && !(1..=STEPS_MAX).contains(&items)
    {
        let message = format!("{items} items at once");
        limit("at_most", message, format!("write 1 to {STEPS_MAX}"));
    }
    if let Some(iterations) = step.iterations_max
        && !(1..=ITERATIONS_MAX).contains(&iterations)
    {
        let message = format!("{iterations} iterations");
        limit(
            "iterations_max",
            message,
            format!("write 1 to {ITERATIONS_MAX}"),
        );
    }
    for (key, of) in [("takes", &step.takes), ("gives", &step.gives)] {
        if of.depth() > TYPE_DEPTH_MAX {
            let problem = too_deep(key);
            limit(
                key,
                problem.message().to_owned(),
                problem.remedy().to_owned(),
            );
        }
    }
    let within = |of: &ValueType| of.depth() <= TYPE_DEPTH_MAX;
    if let Some(fallback) = &step.fallback
        && within(&step.gives)
        && let Err(misfit) = step.gives.check(fallback)
    {
        let message = format!("the fallback does not fit what the step gives: {misfit}");
        let remedy = "write a value of the type under gives";
        problems.add(at.problem("fallback", ProblemKind::Type, message, remedy));
    }
}

/// Loops and fan-outs.
fn repeated(at: At<'_>, problems: &mut Problems) {
    let step = at.spec;
    let mut conflict = |key: &str, message: &str, remedy: &str| {
        problems.add(at.problem(key, ProblemKind::Conflict, message, remedy));
    };
    if step.until.is_some() && step.while_.is_some() {
        conflict(
            "while",
            "until and while in one step",
            "keep one of the two",
        );
    }
    if step.is_loop() && step.for_each.is_some() {
        conflict(
            "for_each",
            "a loop and for_each in one step",
            "put one of them into a workflow of its own, and run that as a step",
        );
    }
    if step.iterations_max.is_some() && !step.is_loop() {
        conflict(
            "iterations_max",
            "iterations_max without a loop",
            "write until or while, or leave it out",
        );
    }
    for (key, is) in [
        ("at_most", step.at_most.is_some()),
        ("items_required", step.items_required.is_some()),
    ] {
        if is && step.for_each.is_none() {
            let message = format!("{key} without for_each");
            conflict(key, &message, "write for_each, or leave it out");
        }
    }
}

fn gate(at: At<'_>, problems: &mut Problems) {
    let step = at.spec;
    let Some(gate) = &step.gate else { return };
    let settings = [
        ("for_each", step.for_each.is_some()),
        ("until", step.until.is_some()),
        ("while", step.while_.is_some()),
        ("retry", step.retry.is_some()),
        ("timeout_ms", step.timeout_ms.is_some()),
        ("gives", step.gives != ValueType::Any),
    ];
    for (key, _) in settings.into_iter().filter(|(_, is)| *is) {
        let remedy = match key {
            "timeout_ms" => "write deadline_ms in the gate",
            "gives" => "leave it out: a gate gives decision, by, comment and defaulted",
            _ => "put it into a step before or after the gate",
        };
        let message = format!("{key} in a gate");
        problems.add(at.problem(key, ProblemKind::Conflict, message, remedy));
    }
    let chars = gate.question.chars().count();
    if gate.question.trim().is_empty() || chars > TEXT_CHARS_MAX {
        let message = format!("a question of {chars} characters");
        let remedy = format!("write what is to be decided in 1 to {TEXT_CHARS_MAX} characters");
        problems.add(at.problem("gate.question", ProblemKind::Limit, message, remedy));
    }
    if gate.choices.is_empty() || gate.choices.len() > CHOICES_MAX {
        let message = format!("a gate with {} choices", gate.choices.len());
        let remedy = format!("write 1 to {CHOICES_MAX}");
        problems.add(at.problem("gate.choices", ProblemKind::Limit, message, remedy));
    }
    if let Some(default) = &gate.default
        && !gate.choices.contains(default)
    {
        let message = format!("the default {default:?} is none of the choices");
        let remedy = format!("write one of {}", gate.choices.join(", "));
        problems.add(at.problem("gate.default", ProblemKind::Unknown, message, remedy));
    }
    if gate.deadline_ms == Some(0) {
        let message = "a gate that waits for no time";
        let remedy = "write at least 1, or leave it out for 24 hours";
        problems.add(at.problem("gate.deadline_ms", ProblemKind::Limit, message, remedy));
    }
}
