//! What was dropped, in figures.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What was dropped, by sort. All zero: nothing but white space and repetitions whose number is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Losses {
    /// Lines, or sentences of prose.
    pub lines: usize,
    /// Lines of comments in code.
    pub comment_lines: usize,
    /// Lines of bodies of functions.
    pub body_lines: usize,
    /// Items of JSON arrays.
    pub items: usize,
    /// Null or empty fields of JSON objects.
    pub fields: usize,
    /// Whole fragments that are much like another one that is shown.
    pub near_duplicates: usize,
    /// Whole fragments that found no room.
    pub fragments: usize,
}

impl Losses {
    /// Whether nothing was dropped.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.comment_lines += other.comment_lines;
        self.body_lines += other.body_lines;
        self.items += other.items;
        self.fields += other.fields;
        self.near_duplicates += other.near_duplicates;
        self.fragments += other.fragments;
    }
}
