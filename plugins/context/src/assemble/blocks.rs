//! The parts of a context, with counts that add up.

use std::fmt::Write as _;

use crate::assemble::{Candidate, Shown};
use crate::compress::Losses;
use crate::fragment::block_tokens;
use crate::tokens::Encoding;

/// A fragment as it is shown: heading, line feed, body, line feed.
///
/// Headings begin with `#` and end with a letter, so that their count and the body's add up.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) heading: String,
    pub(crate) body: String,
    pub(crate) tokens: usize,
    pub(crate) shown: Shown,
    pub(crate) losses: Losses,
}

/// The heading of a fragment, without a line feed.
pub(super) fn heading(candidate: &Candidate, how: &str) -> String {
    let fragment = &candidate.fragment;
    let mut heading = format!(
        "## fragment {}, {} as {}",
        candidate.id,
        fragment.new.role.as_str(),
        fragment.kind.as_str()
    );
    if let Some(agent) = &fragment.new.agent {
        // Writing to a String cannot fail.
        let _ = write!(heading, ", from {agent}");
    }
    if let Some(level) = fragment.level {
        let _ = write!(heading, ", stored {}", level.as_str());
    }
    let _ = write!(heading, ", {how}");
    heading
}

impl Block {
    /// A block of a body whose count behind a line feed is known.
    pub(super) fn new(
        heading: String,
        heading_tokens: usize,
        body: &str,
        body_tokens: usize,
        shown: Shown,
        losses: Losses,
    ) -> Self {
        Self {
            tokens: heading_tokens + body_tokens,
            heading,
            body: body.to_owned(),
            shown,
            losses,
        }
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.heading);
        out.push('\n');
        out.push_str(&self.body);
        if !self.body.ends_with('\n') {
            out.push('\n');
        }
    }
}

/// A context in parts, one for each fragment, in the order of their numbers.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) candidates: Vec<Candidate>,
    /// `None`: not shown.
    pub(crate) blocks: Vec<Option<Block>>,
    pub(crate) near_duplicates: Vec<Option<crate::session::FragmentId>>,
    pub(crate) scores: Vec<f32>,
    /// Of each fragment, as a whole with its heading.
    pub(crate) whole: Vec<usize>,
    pub(crate) trailer: String,
    pub(crate) trailer_tokens: usize,
}

/// The last line, about what is not shown at all; empty when all is.
pub(super) fn trailer(dropped: usize, near_duplicates: usize) -> String {
    match (dropped, near_duplicates) {
        (0, 0) => String::new(),
        (dropped, 0) => format!("[...] {dropped} fragments dropped\n"),
        (0, near) => format!("[...] {near} fragments much like others dropped\n"),
        (dropped, near) => {
            format!("[...] {dropped} fragments and {near} much like others dropped\n")
        }
    }
}

impl Blocks {
    pub(crate) fn tokens(&self) -> usize {
        let shown = self.blocks.iter().flatten();
        shown.map(|block| block.tokens).sum::<usize>() + self.trailer_tokens
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for block in self.blocks.iter().flatten() {
            block.write(&mut text);
        }
        text.push_str(&self.trailer);
        text
    }

    /// Tokens that a summary in the place of an excerpt may have.
    pub(crate) fn room_for_summary(&self, n: usize, encoding: Encoding) -> Option<usize> {
        let of_heading = encoding.count(&heading(&self.candidates[n], "summary"));
        self.blocks[n].as_ref()?.tokens.checked_sub(of_heading)
    }

    /// Puts a summary in the place of an excerpt. All lines of the fragment count as dropped.
    pub(crate) fn use_summary(&mut self, n: usize, summary: &str, encoding: Encoding) {
        let heading = heading(&self.candidates[n], "summary");
        let of_heading = encoding.count(&heading);
        let of_summary = block_tokens(summary, encoding);
        let losses = Losses {
            lines: self.candidates[n].fragment.text().lines().count(),
            ..Losses::default()
        };
        let block = Block::new(
            heading,
            of_heading,
            summary,
            of_summary,
            Shown::Summary,
            losses,
        );
        self.blocks[n] = Some(block);
    }

    /// Writes the last line, unless not even that fits: then only the explanation tells.
    pub(super) fn set_trailer(&mut self, encoding: Encoding, budget: usize) {
        let near = self.near_duplicates.iter().flatten().count();
        let hidden = self.blocks.iter().filter(|block| block.is_none()).count();
        let line = trailer(hidden - near, near);
        let tokens = encoding.count(&line);
        if self.tokens() + tokens <= budget {
            (self.trailer, self.trailer_tokens) = (line, tokens);
        }
    }
}
