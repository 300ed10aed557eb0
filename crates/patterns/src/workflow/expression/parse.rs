//! Text to a tree, and what the tree reads.

use std::collections::HashMap;
use std::thread;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::parser::Parser;

use crate::workflow::expression::{EXPRESSION_BYTES_MAX, ExpressionError, Uses};
use crate::workflow::problem::{ProblemKind, nearest};

/// How deep brackets may nest.
const NESTING_MAX: u16 = 24;

/// How deep the tree may be: evaluation takes up to 50 KiB of stack a level in a build without optimisation.
const DEPTH_MAX: usize = 16;

/// What parsing may take: the parser recurses, up to 200 KiB a level in a build without optimisation.
const STACK_BYTES: usize = 64 << 20;

/// An expression that was read, and whose form is one that we evaluate.
#[derive(Debug)]
pub(in crate::workflow) struct Parsed {
    pub(super) tree: IdedExpr,
    pub(super) places: HashMap<u64, usize>,
    uses: Uses,
}

impl Parsed {
    pub(in crate::workflow) const fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Where a part of it begins.
    pub(super) fn place(&self, id: u64) -> Option<usize> {
        self.places.get(&id).copied()
    }
}

/// Parses expressions, each text once, in a thread that has the stack for it.
pub(in crate::workflow) fn parse_all(
    texts: &[&str],
) -> HashMap<String, Result<Parsed, ExpressionError>> {
    if texts.is_empty() {
        return HashMap::new();
    }
    let all = || {
        let mut read = HashMap::new();
        for text in texts {
            if !read.contains_key(*text) {
                read.insert((*text).to_owned(), parse(text));
            }
        }
        read
    };
    let builder = thread::Builder::new()
        .name("workflow expressions".to_owned())
        .stack_size(STACK_BYTES);
    let failed = |why: &str| {
        let refused = |text: &&str| {
            let message = format!("the expression could not be read: {why}");
            (
                (*text).to_owned(),
                Err(wrong(None, message, "write it otherwise")),
            )
        };
        texts.iter().map(refused).collect()
    };
    thread::scope(|scope| match builder.spawn_scoped(scope, all) {
        Ok(reader) => reader
            .join()
            .unwrap_or_else(|_| failed("the parser panicked")),
        Err(error) => failed(&format!("no thread for the parser: {error}")),
    })
}

pub(super) fn wrong(
    at: Option<usize>,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> ExpressionError {
    ExpressionError {
        kind: ProblemKind::Expression,
        message: message.into(),
        remedy: remedy.into(),
        at,
    }
}

fn parse(text: &str) -> Result<Parsed, ExpressionError> {
    if text.trim().is_empty() {
        let remedy = "write a condition, or leave the key out";
        return Err(wrong(None, "an empty expression", remedy));
    }
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(ExpressionError {
            kind: ProblemKind::Limit,
            message: format!("an expression of {} bytes", text.len()),
            remedy: format!(
                "write at most {EXPRESSION_BYTES_MAX} bytes, and compute the rest in a step"
            ),
            at: None,
        });
    }
    let parser = Parser::new().max_recursion_depth(NESTING_MAX);
    let (tree, source) = parser.parse_with_source_info(text).map_err(|errors| {
        let first = errors.errors.first();
        let at = first.map(|error| offset(text, error.pos));
        let said = first.map_or("it is no expression", |error| &error.msg);
        syntax(text, at, said)
    })?;
    let mut reader = Reader {
        source: &source,
        bound: Vec::new(),
        uses: Uses::default(),
        places: HashMap::new(),
    };
    reader.read(&tree, 1)?;
    let (uses, places) = (reader.uses, reader.places);
    Ok(Parsed { tree, places, uses })
}

/// What the parser said, in fewer words.
fn syntax(text: &str, at: Option<usize>, said: &str) -> ExpressionError {
    let said = said.strip_prefix("Syntax error: ").unwrap_or(said);
    let said = said.split(" expecting ").next().unwrap_or(said);
    let rest: String = at
        .map(|at| text.chars().skip(at).collect())
        .unwrap_or_default();
    let begins = |word: &str| rest.starts_with(word);
    let remedy = if said.starts_with("OtherError") {
        let message = format!("an expression nested deeper than {NESTING_MAX} levels");
        return wrong(at, message, "compute a part of it in a step");
    } else if begins("and ") {
        "write && for and"
    } else if begins("or ") {
        "write || for or"
    } else if begins("not ") {
        "write ! for not"
    } else if begins("=") {
        "write == to compare"
    } else if rest.is_empty() || said.contains("<EOF>") {
        "complete the expression"
    } else if said.contains("token recognition") && (begins("'") || begins("\"")) {
        "close the text with the quote that opens it"
    } else {
        "write a comparison such as steps.NAME.FIELD == \"text\""
    };
    let message = if said.starts_with("token recognition error at: ") {
        let token: String = rest.chars().take(12).collect();
        format!("the expression cannot be read at {token:?}")
    } else {
        let said: String = said.chars().take(120).collect();
        format!("the expression cannot be read: {said}")
    };
    wrong(at, message, remedy)
}

/// A line and column, each from 1, as a number of characters.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let lines = text.split_inclusive('\n');
    let before = usize::try_from(line - 1).unwrap_or(0);
    let chars: usize = lines.take(before).map(|line| line.chars().count()).sum();
    let column = usize::try_from(column - 1).unwrap_or(0);
    (chars + column).min(text.chars().count())
}

/// Walks a tree: refuses forms that are not evaluated, and notes what is read.
struct Reader<'s> {
    source: &'s SourceInfo,
    /// Names that a macro binds.
    bound: Vec<String>,
    uses: Uses,
    places: HashMap<u64, usize>,
}

const ROOTS: [&str; 5] = ["input", "steps", "status", "last", "iteration"];

impl Reader<'_> {
    fn read(&mut self, node: &IdedExpr, depth: usize) -> Result<(), ExpressionError> {
        if let Some((start, _)) = self.source.offset_for(node.id) {
            self.places.insert(node.id, start as usize);
        }
        let at = self.places.get(&node.id).copied();
        if depth > DEPTH_MAX {
            let message =
                format!("an expression with more than {DEPTH_MAX} operations within each other");
            return Err(ExpressionError {
                kind: ProblemKind::Limit,
                ..wrong(at, message, "compute a part of it in a step")
            });
        }
        let refuse = |what: &str, remedy: &str| Err(wrong(at, what, remedy));
        match &node.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => {
                refuse("bytes in an expression", "write a text")
            }
            Expr::Literal(LiteralValue::UInt(_)) => refuse(
                "an unsigned number in an expression",
                "write it without the u",
            ),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.root(name, None, at),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(root) => self.root(root, Some(&select.field), at),
                _ => self.read(&select.operand, depth + 1),
            },
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    self.read(target, depth + 1)?;
                }
                if call.func_name == super::operators::INDEX
                    && let [of, index] = &call.args[..]
                    && let (Expr::Ident(root), Expr::Literal(LiteralValue::String(name))) =
                        (&of.expr, &index.expr)
                {
                    return self.root(root, Some(name.inner()), at);
                }
                call.args
                    .iter()
                    .try_for_each(|arg| self.read(arg, depth + 1))
            }
            Expr::List(list) => list
                .elements
                .iter()
                .try_for_each(|e| self.read(e, depth + 1)),
            Expr::Comprehension(each) => {
                self.read(&each.iter_range, depth + 1)?;
                self.read(&each.accu_init, depth + 1)?;
                let before = self.bound.len();
                self.bound.push(each.iter_var.clone());
                self.bound.extend(each.iter_var2.clone());
                self.bound.push(each.accu_var.clone());
                let parts = [&each.loop_cond, &each.loop_step, &each.result];
                let read = parts
                    .into_iter()
                    .try_for_each(|part| self.read(part, depth + 1));
                self.bound.truncate(before);
                read
            }
            Expr::Map(map) => {
                let entry = map.entries.first().map(|entry| &entry.expr);
                let at = match entry {
                    Some(EntryExpr::MapEntry(entry)) => {
                        self.places.get(&entry.key.id).copied().or(at)
                    }
                    _ => at,
                };
                Err(wrong(
                    at,
                    "a record in an expression",
                    "compare its fields one by one",
                ))
            }
            Expr::Struct(_) => refuse(
                "a structure in an expression",
                "compare its fields one by one",
            ),
            Expr::Unspecified => refuse("nothing in an expression", "complete the expression"),
        }
    }

    /// A name, perhaps with a field.
    fn root(
        &mut self,
        name: &str,
        field: Option<&str>,
        at: Option<usize>,
    ) -> Result<(), ExpressionError> {
        if self.bound.iter().any(|bound| bound == name) {
            return Ok(());
        }
        match (name, field) {
            ("input", _) => self.uses.input = true,
            ("last" | "iteration", _) => self.uses.loop_state = true,
            ("steps", Some(step)) => {
                self.uses.steps.insert(step.to_owned());
            }
            ("status", Some(step)) => {
                self.uses.status.insert(step.to_owned());
            }
            ("steps" | "status", None) => {
                let message = format!("{name} without the name of a step");
                return Err(wrong(at, message, format!("write {name}.NAME")));
            }
            _ => {
                let remedy = match nearest(name, ROOTS) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!("known are {}; a text stands in quotes", ROOTS.join(", ")),
                };
                return Err(ExpressionError {
                    kind: ProblemKind::Unknown,
                    ..wrong(at, format!("unknown variable {name:?}"), remedy)
                });
            }
        }
        Ok(())
    }
}
