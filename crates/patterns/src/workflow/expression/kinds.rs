//! The types of an expression's parts, checked before anything runs.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

use crate::workflow::expression::operators::{
    ADD, CONDITIONAL, DIVIDE, EQUALS, FUNCTIONS, GREATER, GREATER_EQUALS, IN, INDEX, LESS,
    LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS,
    NOT_STRICTLY_FALSE, SUBTRACT, sign,
};
use crate::workflow::expression::parse::{Parsed, wrong};
use crate::workflow::expression::{ExpressionError, Scope};
use crate::workflow::problem::{ProblemKind, meant};
use crate::workflow::value_type::ValueType;

impl Parsed {
    /// Everything about the types that is wrong with it as a condition.
    pub(in crate::workflow) fn check(&self, scope: &dyn Scope) -> Vec<ExpressionError> {
        let mut kinds = Kinds {
            parsed: self,
            scope,
            bound: Vec::new(),
            errors: Vec::new(),
        };
        let kind = kinds.of(&self.tree);
        if !fits(&ValueType::Boolean, &kind) {
            let message = format!("the expression is {kind}, and a condition is true or false");
            kinds.error(&self.tree, message, "compare it with something");
        }
        kinds.errors
    }
}

struct Kinds<'a> {
    parsed: &'a Parsed,
    scope: &'a dyn Scope,
    bound: Vec<(&'a str, ValueType)>,
    errors: Vec<ExpressionError>,
}

/// Whether a value of the kind may stand where one of the wanted type is used.
fn fits(wanted: &ValueType, kind: &ValueType) -> bool {
    let kind = kind.present();
    *kind == ValueType::Any
        || match wanted {
            ValueType::List(_) => matches!(kind, ValueType::List(_)),
            ValueType::Record(_) => matches!(kind, ValueType::Record(_)),
            wanted => wanted == kind,
        }
}

fn is_null(kind: &ValueType) -> bool {
    matches!(kind, ValueType::Optional(of) if **of == ValueType::Any)
}

fn is_number(kind: &ValueType) -> bool {
    matches!(kind.present(), ValueType::Number | ValueType::Integer)
}

/// Whether two values can ever be equal.
fn comparable(a: &ValueType, b: &ValueType) -> bool {
    let (a, b) = (a.present(), b.present());
    *a == ValueType::Any
        || *b == ValueType::Any
        || (is_number(a) && is_number(b))
        || match (a, b) {
            (ValueType::List(a), ValueType::List(b)) => comparable(a, b),
            (ValueType::Record(_), ValueType::Record(_)) => true,
            (a, b) => a == b,
        }
}

impl<'a> Kinds<'a> {
    fn error(&mut self, node: &IdedExpr, message: impl Into<String>, remedy: impl Into<String>) {
        self.errors.push(ExpressionError {
            kind: ProblemKind::Type,
            ..wrong(self.parsed.place(node.id), message, remedy)
        });
    }

    fn of(&mut self, node: &'a IdedExpr) -> ValueType {
        match &node.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => ValueType::Boolean,
                LiteralValue::Double(_) => ValueType::Number,
                LiteralValue::Int(_) => ValueType::Integer,
                LiteralValue::String(_) => ValueType::Text,
                LiteralValue::Null => ValueType::Optional(Box::new(ValueType::Any)),
                LiteralValue::Bytes(_) | LiteralValue::UInt(_) => ValueType::Any,
            },
            Expr::Ident(name) => self.variable(node, name),
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(node, call),
            Expr::List(list) => {
                let mut kinds = list.elements.iter().map(|e| self.of(e));
                let first = kinds.next().unwrap_or_default();
                ValueType::list(kinds.fold(first, ValueType::unified))
            }
            Expr::Comprehension(each) => self.each(each),
            // Refused when it was read.
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => ValueType::Any,
        }
    }

    fn variable(&mut self, node: &IdedExpr, name: &str) -> ValueType {
        if let Some((_, kind)) = self.bound.iter().rev().find(|(bound, _)| *bound == name) {
            return kind.clone();
        }
        match name {
            "input" => self.scope.input().clone(),
            "iteration" | "last" => match self.scope.last() {
                Some(_) if name == "iteration" => ValueType::Integer,
                Some(last) => last.clone(),
                None => {
                    let message = format!("{name} outside of a loop");
                    self.error(node, message, "use it in until or while");
                    ValueType::Any
                }
            },
            _ => ValueType::Any,
        }
    }

    /// What a field of a root that holds steps is; `None` of anything else.
    fn of_step(&mut self, node: &IdedExpr, root: &str, name: &str) -> Option<ValueType> {
        if !matches!(root, "steps" | "status") || self.bound.iter().any(|(b, _)| *b == root) {
            return None;
        }
        Some(match self.scope.step(name) {
            Some(_) if root == "status" => ValueType::Text,
            Some(kind) => kind.clone(),
            None => {
                let remedy = match self.scope.nearest_step(name) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "name a step of this workflow".to_owned(),
                };
                self.errors.push(ExpressionError {
                    kind: ProblemKind::Unknown,
                    ..wrong(
                        self.parsed.place(node.id),
                        format!("unknown step {name:?}"),
                        remedy,
                    )
                });
                ValueType::Any
            }
        })
    }

    fn select(&mut self, node: &'a IdedExpr, select: &'a SelectExpr) -> ValueType {
        let step = match &select.operand.expr {
            Expr::Ident(root) => self.of_step(node, root, &select.field),
            _ => None,
        };
        let kind = match step {
            Some(kind) => kind,
            None => {
                let of = self.of(&select.operand);
                self.field(node, &of, &select.field)
            }
        };
        if select.test {
            ValueType::Boolean
        } else {
            kind
        }
    }

    fn field(&mut self, node: &IdedExpr, of: &ValueType, field: &str) -> ValueType {
        match of.present() {
            ValueType::Any => ValueType::Any,
            ValueType::Record(fields) => match fields.get(field) {
                Some(kind) => kind.clone(),
                None => {
                    let known: Vec<&str> = fields.keys().map(String::as_str).take(8).collect();
                    let otherwise = match known.is_empty() {
                        true => "it has no fields".to_owned(),
                        false => format!("it has {}", known.join(", ")),
                    };
                    let remedy = meant(field, fields.keys().map(String::as_str), &otherwise);
                    self.errors.push(ExpressionError {
                        kind: ProblemKind::Unknown,
                        ..wrong(
                            self.parsed.place(node.id),
                            format!("unknown field {field:?}"),
                            remedy,
                        )
                    });
                    ValueType::Any
                }
            },
            other => {
                let message = format!("the field {field:?} of a value that is {other}");
                self.error(node, message, "only a record has fields");
                ValueType::Any
            }
        }
    }

    fn call(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> ValueType {
        if call.func_name == INDEX
            && let [of, index] = &call.args[..]
        {
            return self.index(node, of, index);
        }
        let kinds: Vec<ValueType> = call.args.iter().map(|arg| self.of(arg)).collect();
        let target = call.target.as_deref().map(|target| self.of(target));
        if let Some(target) = target {
            return self.method(node, &call.func_name, &target, &kinds);
        }
        match (call.func_name.as_str(), &kinds[..]) {
            (LOGICAL_AND | LOGICAL_OR, [..]) | (LOGICAL_NOT | NOT_STRICTLY_FALSE, [_]) => {
                for (arg, kind) in call.args.iter().zip(&kinds) {
                    if !fits(&ValueType::Boolean, kind) {
                        let message =
                            format!("{} of a value that is {kind}", sign(&call.func_name));
                        self.error(arg, message, "compare it with something");
                    }
                }
                ValueType::Boolean
            }
            (EQUALS | NOT_EQUALS, [a, b]) => {
                if !comparable(a, b) {
                    let message = format!("{a} is compared with {b}, and they are never equal");
                    self.error(node, message, "compare values of one type");
                }
                ValueType::Boolean
            }
            (LESS | LESS_EQUALS | GREATER | GREATER_EQUALS, [a, b]) => {
                let ordered = |kind: &ValueType| fits(&ValueType::Text, kind) || is_number(kind);
                if !comparable(a, b) || !ordered(a) || !ordered(b) || is_null(a) || is_null(b) {
                    let message = format!("{a} {} {b}, which have no order", sign(&call.func_name));
                    self.error(node, message, "compare two numbers or two texts");
                }
                ValueType::Boolean
            }
            (IN, [a, of]) => {
                let found = match of.present() {
                    ValueType::Any => true,
                    ValueType::List(of) => comparable(a, of),
                    ValueType::Record(_) => fits(&ValueType::Text, a),
                    _ => false,
                };
                if !found {
                    let message = format!("{a} in a value that is {of}");
                    self.error(node, message, "look for an element in a list of its type");
                }
                ValueType::Boolean
            }
            (ADD | SUBTRACT | MULTIPLY | DIVIDE | MODULO, [a, b]) => {
                self.arithmetic(node, &call.func_name, a, b)
            }
            (NEGATE, [a]) => {
                if !is_number(a) && !fits(&ValueType::Any, a) {
                    self.error(node, format!("- of a value that is {a}"), "negate a number");
                }
                a.present().clone()
            }
            (CONDITIONAL, [condition, yes, no]) => {
                if !fits(&ValueType::Boolean, condition) {
                    let message = format!("? after a value that is {condition}");
                    self.error(node, message, "compare it with something");
                }
                yes.clone().unified(no.clone())
            }
            ("size", [of]) => self.size(node, of),
            ("string", [_]) => ValueType::Text,
            ("int", [_]) => ValueType::Integer,
            ("double", [_]) => ValueType::Number,
            (name, _) => self.unknown_function(node, name),
        }
    }

    fn method(
        &mut self,
        node: &IdedExpr,
        name: &str,
        target: &ValueType,
        arguments: &[ValueType],
    ) -> ValueType {
        match (name, arguments) {
            ("size", []) => self.size(node, target),
            ("contains" | "startsWith" | "endsWith", [part]) => {
                if !fits(&ValueType::Text, target) || !fits(&ValueType::Text, part) {
                    let message = format!("{name} of {target} and {part}");
                    let remedy = "both are texts; an element is looked for in a list with in";
                    self.error(node, message, remedy);
                }
                ValueType::Boolean
            }
            _ => self.unknown_function(node, name),
        }
    }

    fn size(&mut self, node: &IdedExpr, of: &ValueType) -> ValueType {
        let sized = matches!(
            of.present(),
            ValueType::Any | ValueType::Text | ValueType::List(_) | ValueType::Record(_)
        );
        if !sized {
            let message = format!("the size of a value that is {of}");
            self.error(node, message, "a text, a list and a record have a size");
        }
        ValueType::Integer
    }

    fn unknown_function(&mut self, node: &IdedExpr, name: &str) -> ValueType {
        if FUNCTIONS.contains(&name) {
            let message = format!("{name} with arguments that it does not take");
            self.error(
                node,
                message,
                "see the table of functions in docs/workflow.md",
            );
        } else {
            let known = format!("known are {}", FUNCTIONS.join(", "));
            self.errors.push(ExpressionError {
                kind: ProblemKind::Unknown,
                ..wrong(
                    self.parsed.place(node.id),
                    format!("unknown function {name:?}"),
                    meant(name, FUNCTIONS, &known),
                )
            });
        }
        ValueType::Any
    }

    fn arithmetic(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        a: &ValueType,
        b: &ValueType,
    ) -> ValueType {
        let (a, b) = (a.present(), b.present());
        match (a, b) {
            (ValueType::Any, _) | (_, ValueType::Any) => ValueType::Any,
            (ValueType::Integer, ValueType::Integer) => ValueType::Integer,
            (ValueType::Number, ValueType::Number) if operator != MODULO => ValueType::Number,
            (ValueType::Text, ValueType::Text) if operator == ADD => ValueType::Text,
            (ValueType::List(a), ValueType::List(b)) if operator == ADD => {
                ValueType::list((**a).clone().unified((**b).clone()))
            }
            _ => {
                let message = format!("{a} {} {b}", sign(operator));
                let remedy = match is_number(a) && is_number(b) {
                    true => {
                        "write a number with a fraction, as 1.0, or double(…) around an integer"
                    }
                    false => "both must be numbers of one kind, or with + two texts or two lists",
                };
                self.error(node, message, remedy);
                ValueType::Any
            }
        }
    }

    fn index(&mut self, node: &'a IdedExpr, of: &'a IdedExpr, index: &'a IdedExpr) -> ValueType {
        if let Expr::Literal(LiteralValue::String(name)) = &index.expr {
            let name = name.inner();
            let step = match &of.expr {
                Expr::Ident(root) => self.of_step(node, root, name),
                _ => None,
            };
            if let Some(kind) = step {
                return kind;
            }
            let of = self.of(of);
            return self.field(node, &of, name);
        }
        let (of, at) = (self.of(of), self.of(index));
        match of.present() {
            ValueType::Any => ValueType::Any,
            ValueType::List(element) => {
                if !fits(&ValueType::Integer, &at) {
                    let message = format!("the element of a list at a place that is {at}");
                    self.error(node, message, "write an integer, from 0");
                }
                (**element).clone()
            }
            ValueType::Record(_) if fits(&ValueType::Text, &at) => ValueType::Any,
            other => {
                let message = format!("an element of a value that is {other}");
                self.error(
                    node,
                    message,
                    "only a list has elements, and a record fields",
                );
                ValueType::Any
            }
        }
    }

    /// What a macro over a list became.
    fn each(&mut self, each: &'a ComprehensionExpr) -> ValueType {
        let range = self.of(&each.iter_range);
        let element = match range.present() {
            ValueType::List(of) => (**of).clone(),
            ValueType::Record(_) => ValueType::Text,
            ValueType::Any => ValueType::Any,
            other => {
                let message = format!("each element of a value that is {other}");
                self.error(&each.iter_range, message, "name a list");
                ValueType::Any
            }
        };
        let before = self.bound.len();
        let start = self.of(&each.accu_init);
        self.bound.push((&each.iter_var, element));
        if let Some(second) = &each.iter_var2 {
            self.bound.push((second, ValueType::Any));
        }
        // A list that is collected begins empty: it is of what is added to it.
        let start = match (&each.accu_init.expr, added(&each.loop_step)) {
            (Expr::List(_), Some(list)) => {
                let known = self.errors.len();
                let kind = self.of(list);
                self.errors.truncate(known);
                kind
            }
            _ => start,
        };
        self.bound.push((&each.accu_var, start));
        self.of(&each.loop_cond);
        self.of(&each.loop_step);
        let result = self.of(&each.result);
        self.bound.truncate(before);
        result
    }
}

/// The list that each step of a macro adds to what it collects.
fn added(step: &IdedExpr) -> Option<&IdedExpr> {
    let Expr::Call(call) = &step.expr else {
        return None;
    };
    match (call.func_name.as_str(), &call.args[..]) {
        (ADD, [_, list]) => Some(list),
        (CONDITIONAL, [_, yes, _]) => added(yes),
        _ => None,
    }
}
