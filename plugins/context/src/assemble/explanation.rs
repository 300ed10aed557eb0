//! What became of each fragment, and why.

use serde::Serialize;

use crate::compress::{Level, Losses};
use crate::session::FragmentId;

/// How much of a fragment is in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shown {
    /// All of it.
    Whole,
    /// All of it, compressed to a level.
    Compressed(Level),
    /// The lines that say most, about the query if there is one.
    Excerpt,
    /// A summary that the summarizer wrote.
    Summary,
    /// Nothing: it is much like another one.
    NearDuplicateOf(FragmentId),
    /// Nothing: there was no room.
    Dropped,
}

/// What became of one fragment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FragmentChoice {
    /// The fragment.
    pub id: FragmentId,
    /// How much of it is there.
    pub shown: Shown,
    /// Its worth for this context, 0 to 1; critical fragments have 1.
    pub score: f32,
    /// Tokens of it as a whole, its heading included.
    pub tokens_before: usize,
    /// Tokens that it takes in the context, its heading included.
    pub tokens_after: usize,
    /// What was dropped of it, in the store and here.
    pub losses: Losses,
}

/// What became of all fragments of a session.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Each fragment, by number.
    pub fragments: Vec<FragmentChoice>,
    /// Tokens of all fragments as a whole.
    pub tokens_before: usize,
    /// What was dropped, all together.
    pub losses: Losses,
}

impl Explanation {
    /// How many fragments are there in some form.
    #[must_use]
    pub fn shown(&self) -> usize {
        let gone = |shown| matches!(shown, Shown::Dropped | Shown::NearDuplicateOf(_));
        self.fragments
            .iter()
            .filter(|choice| !gone(choice.shown))
            .count()
    }
}
