//! The form of a file: its keys, and what kind of value each has.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::strategy::STEPS_MAX;
use crate::workflow::file::FILE_BYTES_MAX;
use crate::workflow::file::places::entry;
use crate::workflow::file::problem::Found;
use crate::workflow::problem::{PROBLEMS_MAX, Problem, ProblemKind, meant};
use crate::workflow::spec::{StepSpec, WorkflowSpec};

/// A key, and what is written there.
type Keys = [(&'static str, &'static str)];

const WORKFLOW: &Keys = &[
    ("name", "a text"),
    ("description", "a text"),
    ("takes", "a type"),
    ("at_most", "a whole number of steps"),
    ("fail_fast", "true or false"),
    ("steps", "tables that begin with [[steps]]"),
    (
        "outputs",
        "a table of names and references, as { level = \"steps.classify.level\" }",
    ),
];

const STEP: &Keys = &[
    ("name", "a text"),
    ("title", "a text"),
    ("run", "the name of a function, in quotes"),
    ("agent", "a table, as { requires = [\"read_logs\"] }"),
    ("gate", "a table, as { question = \"Go on?\" }"),
    ("needs", "a list of names, as [\"fetch\"]"),
    ("join", "\"all\", \"any\" or \"done\""),
    ("takes", "a type"),
    ("gives", "a type"),
    ("input", "a reference, as \"steps.fetch.body\""),
    (
        "inputs",
        "a table of fields and references, as { text = \"steps.fetch.body\" }",
    ),
    (
        "constants",
        "a table of fields and values, as { limit = 3 }",
    ),
    (
        "when",
        "an expression in quotes, as \"steps.classify.level == 'high'\"",
    ),
    ("until", "an expression in quotes, as \"last.done\""),
    (
        "while",
        "an expression in quotes, as \"iteration == 1 || last.more\"",
    ),
    ("iterations_max", "a whole number"),
    (
        "for_each",
        "a reference to a list, as \"steps.fetch.items\"",
    ),
    ("at_most", "a whole number of items"),
    ("items_required", "a whole number of items"),
    ("retry", "a table, as { attempts = 3, delay_ms = 100 }"),
    ("timeout_ms", "a whole number of milliseconds"),
    (
        "on_failure",
        "\"skip_dependents\", \"continue\" or \"stop\"",
    ),
    ("fallback", "a value of the type under gives"),
    (
        "estimate",
        "a table, as { duration_ms = 200, tokens = 1000 }",
    ),
];

const AGENT: &Keys = &[
    ("requires", "a list of capabilities, as [\"read_logs\"]"),
    ("task", "a text"),
];

const GATE: &Keys = &[
    ("question", "a text"),
    ("choices", "a list of texts, as [\"approve\", \"reject\"]"),
    ("default", "one of the choices"),
    ("deadline_ms", "a whole number of milliseconds"),
];

const RETRY: &Keys = &[
    ("attempts", "a whole number, the first attempt included"),
    ("delay_ms", "a whole number of milliseconds"),
    ("delay_ms_max", "a whole number of milliseconds"),
];

const ESTIMATE: &Keys = &[
    ("duration_ms", "a whole number of milliseconds"),
    ("money", "an amount in quotes, as \"0.05\""),
    ("tokens", "a whole number"),
    ("calls", "a whole number"),
];

/// The tables of a step that have keys of their own.
const TABLES: [(&str, &Keys); 4] = [
    ("agent", AGENT),
    ("gate", GATE),
    ("retry", RETRY),
    ("estimate", ESTIMATE),
];

fn found(
    span: Range<usize>,
    kind: ProblemKind,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Found {
    let problem = Problem::new("file", kind, message, remedy);
    Found { span, problem }
}

pub(super) fn too_long(bytes: usize) -> Found {
    let message = format!("a file of {bytes} bytes");
    let remedy = format!("write at most {FILE_BYTES_MAX} bytes");
    found(0..0, ProblemKind::Limit, message, remedy)
}

/// What the parser of TOML says.
pub(super) fn of_toml(error: &toml::de::Error) -> Found {
    let message = error.message().lines().next().unwrap_or("it is no TOML");
    let remedy = match message {
        m if m.contains("duplicate key") => "keep one of the two",
        m if m.contains("recursion limit") => "nest tables and lists less deep",
        m if m.contains("unclosed") || m.contains("string") || m.contains("quot") => {
            "put a text into quotes, and close it on the same line"
        }
        _ => "write key = value, with a text in quotes, a list in brackets and a table in braces",
    };
    let span = error.span().unwrap_or(0..0);
    found(span, ProblemKind::Form, message, remedy)
}

/// Reads a workflow; everything that is wrong with its form otherwise.
pub(super) fn read(table: &DeTable<'_>) -> Result<WorkflowSpec, Vec<Found>> {
    let mut problems = Problems(Vec::new());
    problems.keys(table, WORKFLOW, "a workflow");
    let mut rest = DeTable::new();
    let mut steps: &[Spanned<DeValue<'_>>] = &[];
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("steps", DeValue::Array(values)) => steps = values,
            (name, _) if WORKFLOW.iter().any(|(known, _)| *known == name) => {
                problems.plain(value);
                rest.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    if steps.len() > STEPS_MAX {
        let message = format!("{} steps", steps.len());
        let remedy =
            format!("write at most {STEPS_MAX}, and put a part into a workflow of its own");
        problems.0.push(found(
            steps[STEPS_MAX].span(),
            ProblemKind::Limit,
            message,
            remedy,
        ));
        return Err(problems.0);
    }
    let spec: Option<WorkflowSpec> =
        problems.typed(Spanned::new(0..0, DeValue::Table(rest)), WORKFLOW);
    let mut read = Vec::with_capacity(steps.len());
    for step in steps {
        let DeValue::Table(fields) = step.get_ref() else {
            let remedy = "begin each step with [[steps]]";
            problems.0.push(found(
                step.span(),
                ProblemKind::Form,
                "a step that is no table",
                remedy,
            ));
            continue;
        };
        let before = problems.0.len();
        problems.keys(fields, STEP, "a step");
        for (name, keys) in TABLES {
            if let Some((_, value)) = entry(fields, name)
                && let DeValue::Table(table) = value.get_ref()
            {
                problems.keys(table, keys, name);
            }
        }
        problems.plain(step);
        if problems.0.len() == before {
            read.extend(problems.typed::<StepSpec>(step.clone(), STEP));
        }
        if problems.0.len() > PROBLEMS_MAX {
            break;
        }
    }
    match spec {
        Some(mut spec) if problems.0.is_empty() => {
            spec.steps = read;
            Ok(spec)
        }
        _ => Err(problems.0),
    }
}

struct Problems(Vec<Found>);

impl Problems {
    /// Keys that nobody knows.
    fn keys(&mut self, table: &DeTable<'_>, keys: &Keys, what: &str) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if keys.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
            let otherwise = match other_word(name) {
                Some(word) => word.to_owned(),
                None => format!("known are {}", names.join(", ")),
            };
            let remedy = meant(name, names.iter().copied(), &otherwise);
            let shown: String = name.chars().take(64).collect();
            let message = format!("unknown key {shown:?} of {what}");
            self.0
                .push(found(key.span(), ProblemKind::Form, message, remedy));
        }
    }

    /// Values that JSON has not.
    fn plain(&mut self, value: &Spanned<DeValue<'_>>) {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value.get_ref() {
                DeValue::Datetime(_) => {
                    let remedy = "put it into quotes";
                    self.0.push(found(
                        value.span(),
                        ProblemKind::Form,
                        "a date or time",
                        remedy,
                    ));
                }
                DeValue::Float(float) if is_no_number(float.as_str()) => {
                    let remedy = "write a number that is finite";
                    self.0.push(found(
                        value.span(),
                        ProblemKind::Form,
                        "no finite number",
                        remedy,
                    ));
                }
                DeValue::Array(values) => open.extend(values),
                DeValue::Table(table) => open.extend(table.values()),
                _ => {}
            }
        }
    }

    /// A value of a type.
    fn typed<'de, T: Deserialize<'de>>(
        &mut self,
        value: Spanned<DeValue<'de>>,
        keys: &Keys,
    ) -> Option<T> {
        let whole = value.span();
        let table = value.get_ref().as_table().cloned();
        T::deserialize(ValueDeserializer::from(value))
            .map_err(|error| {
                let span = error.span().unwrap_or(whole);
                let inside = |table: &DeTable<'_>| {
                    let key = table.iter().find(|(_, value)| {
                        value.span().start <= span.start && span.end <= value.span().end
                    });
                    key.map(|(key, _)| key.get_ref().to_string())
                };
                let key = table.as_ref().and_then(inside);
                self.0
                    .push(misfit(span, error.message(), key.as_deref(), keys));
            })
            .ok()
    }
}

/// A value that is not what the key asks for.
fn misfit(span: Range<usize>, said: &str, key: Option<&str>, keys: &Keys) -> Found {
    let said = said.lines().next().unwrap_or_default();
    // Our own errors say what to write.
    if let Some((message, remedy)) = said.split_once("; ") {
        return found(span, ProblemKind::Form, message, remedy);
    }
    if let Some(missing) = said.strip_prefix("missing field ") {
        let missing = missing.trim_matches('`');
        let all = [keys, AGENT, GATE, RETRY];
        let of = all
            .iter()
            .flat_map(|keys| keys.iter())
            .find(|(name, _)| *name == missing);
        let form = of.map_or("a value", |(_, form)| *form);
        let message = format!("the key {missing:?} is missing");
        let remedy = format!("write {missing} = …, which is {form}");
        return found(span, ProblemKind::Form, message, remedy);
    }
    let form = key.and_then(|key| keys.iter().find(|(name, _)| *name == key));
    match form {
        Some((name, form)) => {
            let said = said.split(", expected ").next().unwrap_or(said);
            found(
                span,
                ProblemKind::Form,
                format!("{name} is of another kind: {said}"),
                format!("write {form}"),
            )
        }
        None => found(
            span,
            ProblemKind::Form,
            said,
            "see the table of keys in docs/workflow.md",
        ),
    }
}

/// What other systems call it.
fn other_word(name: &str) -> Option<&'static str> {
    Some(match name {
        "depends_on" | "dependencies" | "depends" | "after" | "requires" => "write needs",
        "if" | "condition" => "write when",
        "timeout" | "timeout_s" | "timeout_secs" => "write timeout_ms",
        "retries" | "max_retries" => "write retry = { attempts = 3 }",
        "outputs" | "output" | "returns" => "write gives for a type; a workflow has outputs",
        "with" | "args" | "params" | "parameters" => {
            "write inputs for what is read, constants for what is fixed"
        }
        "step" | "tasks" | "task" | "jobs" | "nodes" => "begin each step with [[steps]]",
        "foreach" | "loop" | "matrix" | "map" => "write for_each",
        "id" => "write name",
        _ => return None,
    })
}

fn is_no_number(text: &str) -> bool {
    text.contains("nan") || text.contains("inf")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key that is known is a field, and every field is a known key.
    #[test]
    fn the_tables_of_keys_are_those_of_the_model() {
        fn written(keys: &Keys, example: &str) {
            let table: toml::Table = toml::from_str(example).expect("it is TOML");
            let mut known: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
            known.sort_unstable();
            let found: Vec<&str> = table.keys().map(String::as_str).collect();
            assert_eq!(known, found);
        }
        let step = r#"
name = "a"
title = "A"
run = "f"
agent = { requires = ["x"], task = "t" }
gate = { question = "q", choices = ["y"], default = "y", deadline_ms = 1 }
needs = []
join = "any"
takes = "any"
gives = "text"
input = "input"
inputs = {}
constants = {}
when = "true"
until = "true"
while = "true"
iterations_max = 1
for_each = "input"
at_most = 1
items_required = 1
retry = { attempts = 1, delay_ms = 1, delay_ms_max = 1 }
timeout_ms = 1
on_failure = "stop"
fallback = 1
estimate = { duration_ms = 1, money = "1", tokens = 1, calls = 1 }
"#;
        let workflow = "name = \"w\"\ndescription = \"d\"\ntakes = \"any\"\nat_most = 1\nfail_fast = true\nsteps = []\noutputs = {}\n";
        written(STEP, step);
        written(WORKFLOW, workflow);
        toml::from_str::<StepSpec>(step).expect("every key is a field");
        toml::from_str::<WorkflowSpec>(workflow).expect("every key is a field");
        let (table, _) = DeTable::parse_recoverable(step);
        for (name, keys) in TABLES {
            let (_, value) = entry(table.get_ref(), name).expect("it is written");
            let fields = value.get_ref().as_table().expect("it is a table");
            assert_eq!(fields.len(), keys.len(), "{name}");
            assert!(
                fields
                    .keys()
                    .all(|k| keys.iter().any(|(known, _)| known == k.get_ref()))
            );
        }
    }
}
