//! The names that the parser gives to operators, and the functions that may be called.

pub(super) use cel::common::ast::operators::{
    ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS,
    LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, NOT_STRICTLY_FALSE,
    SUBSTRACT as SUBTRACT,
};

/// The functions that may be called, macros included.
pub(super) const FUNCTIONS: [&str; 13] = [
    "all",
    "contains",
    "double",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "has",
    "int",
    "map",
    "size",
    "startsWith",
    "string",
];

/// An operator as it is written.
pub(super) fn sign(name: &str) -> &str {
    match name {
        IN => "in",
        INDEX => "[ ]",
        CONDITIONAL => "? :",
        other => other.trim_matches('_'),
    }
}
