//! How much work an evaluation is at most, computed before it is done.
//!
//! The language has no loops but over lists that are there, so that a bound can be computed from the sizes of the values.
//! Work is counted in values that are looked at; a text counts one for each 64 bytes.

use std::collections::HashMap;

use cel::Value as CelValue;
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use cel::objects::Key;

use crate::workflow::expression::operators::{CONDITIONAL, INDEX};

/// The most work of one evaluation: a few seconds in a build without optimisation, well below one with it.
pub(super) const WORK_MAX: u64 = 2_000_000;

/// At most so large is a value.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// All values within it, itself included.
    total: u64,
    /// The elements of a list, or the fields of a record.
    elements: u64,
    /// The total of its largest element.
    largest: u64,
}

impl Size {
    const ONE: Self = Self {
        total: 1,
        elements: 0,
        largest: 0,
    };

    /// A part of this, of which nothing else is known.
    const fn part(self) -> Self {
        let total = if self.largest > 0 {
            self.largest
        } else {
            self.total
        };
        Self {
            total,
            elements: total,
            largest: total,
        }
    }

    fn of(value: &CelValue) -> Self {
        let mut size = Self::ONE;
        let mut add = |part: &CelValue| {
            let part = Self::of(part).total;
            size.total = size.total.saturating_add(part);
            size.elements += 1;
            size.largest = size.largest.max(part);
        };
        match value {
            CelValue::List(values) => values.iter().for_each(&mut add),
            CelValue::Map(map) => map.map.values().for_each(&mut add),
            CelValue::String(text) => size.total = text_size(text.len()),
            _ => {}
        }
        size
    }
}

const fn text_size(bytes: usize) -> u64 {
    1 + (bytes / 64) as u64
}

/// What an expression reads, by root.
pub(super) type Variables = HashMap<&'static str, CelValue>;

/// At most so much work is the evaluation of an expression.
pub(super) fn work(tree: &IdedExpr, variables: &Variables) -> u64 {
    let mut bound = Bound {
        variables,
        bound: Vec::new(),
    };
    bound.of(tree).0
}

struct Bound<'a> {
    variables: &'a Variables,
    bound: Vec<(&'a str, Size)>,
}

impl<'a> Bound<'a> {
    /// The work of a part, and the size of what it gives.
    fn of(&mut self, node: &'a IdedExpr) -> (u64, Size) {
        if let Some(value) = self.read(node) {
            return (1, Size::of(value));
        }
        match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                let total = text_size(text.inner().len());
                (1, Size { total, ..Size::ONE })
            }
            Expr::Ident(name) => {
                let bound = self.bound.iter().rev().find(|(bound, _)| bound == name);
                (1, bound.map_or(Size::ONE, |(_, size)| *size))
            }
            Expr::Select(select) => {
                let (work, size) = self.of(&select.operand);
                (work.saturating_add(1), size.part())
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let (mut work, mut size) = (1_u64, Size::ONE);
                for element in &list.elements {
                    let (more, part) = self.of(element);
                    work = work.saturating_add(more).saturating_add(part.total);
                    size.total = size.total.saturating_add(part.total);
                    size.elements += 1;
                    size.largest = size.largest.max(part.total);
                }
                (work, size)
            }
            Expr::Comprehension(each) => {
                let (range_work, range) = self.of(&each.iter_range);
                let (start_work, start) = self.of(&each.accu_init);
                let before = self.bound.len();
                self.bound.push((&each.iter_var, range.part()));
                if let Some(second) = &each.iter_var2 {
                    self.bound.push((second, range.part()));
                }
                self.bound.push((&each.accu_var, start));
                let (step_work, step) = self.of(&each.loop_step);
                let (condition_work, _) = self.of(&each.loop_cond);
                // What one step adds is added for each element.
                let grown = Size {
                    total: step.total.saturating_mul(range.elements.max(1)),
                    elements: range.elements.saturating_mul(step.elements.max(1)),
                    largest: step.largest.max(step.total),
                };
                if let Some(collected) = self.bound.last_mut() {
                    collected.1 = grown;
                }
                let (result_work, result) = self.of(&each.result);
                self.bound.truncate(before);
                let once = step_work.saturating_add(condition_work).saturating_add(2);
                let all = once.saturating_mul(range.elements.max(1));
                let work = [range_work, start_work, all, result_work];
                (work.into_iter().fold(0, u64::saturating_add), result)
            }
            _ => (1, Size::ONE),
        }
    }

    fn call(&mut self, call: &'a CallExpr) -> (u64, Size) {
        let mut work = 1_u64;
        let mut size = Size {
            total: 1,
            elements: 0,
            largest: 0,
        };
        for part in call.target.as_deref().into_iter().chain(&call.args) {
            let (more, part) = self.of(part);
            work = work.saturating_add(more);
            // An element of a list is found at once; everything else looks at its operands.
            if call.func_name != INDEX && call.func_name != CONDITIONAL {
                work = work.saturating_add(part.total);
            }
            size.total = size.total.saturating_add(part.total);
            size.elements = size.elements.saturating_add(part.elements);
            size.largest = size.largest.max(part.largest);
        }
        match call.func_name.as_str() {
            INDEX => (work, size.part()),
            _ => (work, size),
        }
    }

    /// The value that a path from a root leads to.
    fn read(&self, node: &IdedExpr) -> Option<&'a CelValue> {
        match &node.expr {
            Expr::Ident(name) if !self.bound.iter().any(|(bound, _)| bound == name) => {
                self.variables.get(name.as_str())
            }
            Expr::Select(select) if !select.test => match self.read(&select.operand)? {
                CelValue::Map(map) => map.map.get(&Key::from(select.field.clone())),
                _ => None,
            },
            _ => None,
        }
    }
}
