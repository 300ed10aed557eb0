//! Makes a text shorter, and says in place and in figures what was dropped.

mod code;
mod dedupe;
mod extract;
mod index;
mod json;
mod lines;
mod log;
mod losses;
mod rank;
mod summarizer;

use serde::{Deserialize, Serialize};

pub(crate) use dedupe::{distance, fingerprint};
pub(crate) use extract::extract;
pub(crate) use index::{QueryTerms, TextIndex};
pub use losses::Losses;
pub use summarizer::{Summarizer, SummaryError, SummaryRequest};

use crate::text::TextKind;
use crate::tokens::Encoding;

/// How much may be lost, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// White space at line ends, repeated blank lines and repetitions of a line (their number is told); JSON loses its white space.
    Light,
    /// Also the middle of long JSON arrays, log lines between the first and the last of a template, comments and blank lines of code, repeated lines of prose.
    Medium,
    /// Also null and empty JSON fields, all log lines but the first of a template, bodies of functions, and the sentences of prose that say least.
    Heavy,
}

impl Level {
    /// All of them, mildest first.
    pub const ALL: [Self; 3] = [Self::Light, Self::Medium, Self::Heavy];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Medium => "medium",
            Self::Heavy => "heavy",
        }
    }
}

/// A text that was made shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compressed {
    /// The shorter text, with a line that begins with `[...]` wherever something was dropped.
    pub text: String,
    /// Its tokens.
    pub tokens: usize,
    /// What was dropped.
    pub losses: Losses,
}

/// Compresses a text to a level, or returns it as it is when that does not make it shorter.
///
/// ```
/// use universal_orchestrator_context::{Encoding, Level, TextKind, compress};
///
/// let log = "12:00:01 INFO tick 1\n".to_owned()
///     + &"12:00:02 INFO tick 2\n".repeat(50)
///     + "12:09:09 ERROR disk full\n";
/// let shorter = compress(&log, TextKind::Log, Level::Heavy, Encoding::default());
/// assert!(shorter.text.contains("ERROR disk full"));
/// assert!(shorter.text.contains("[...] 50 lines like this dropped"));
/// assert_eq!(shorter.losses.lines, 50);
/// ```
#[must_use]
pub fn compress(text: &str, kind: TextKind, level: Level, encoding: Encoding) -> Compressed {
    let before = encoding.count(text);
    let squeezed = squeeze(text, kind, level, encoding);
    let squeezed = squeezed.map(|(text, losses)| (encoding.count(&text), text, losses));
    match squeezed {
        Some((tokens, text, losses)) if tokens < before => Compressed {
            text,
            tokens,
            losses,
        },
        _ => Compressed {
            text: text.to_owned(),
            tokens: before,
            losses: Losses::default(),
        },
    }
}

/// Compresses a text to a budget of tokens: as it is if it fits, else the mildest level that fits, else the lines that say most, about the query if there is one.
///
/// Returns `None` when the budget is too small for any line of the text and the note on the others.
#[must_use]
pub fn compress_to(
    text: &str,
    kind: TextKind,
    budget: usize,
    query: Option<&str>,
    encoding: Encoding,
) -> Option<Compressed> {
    let tokens = encoding.count(text);
    if tokens <= budget {
        let text = text.to_owned();
        return Some(Compressed {
            text,
            tokens,
            losses: Losses::default(),
        });
    }
    let query = query.map(QueryTerms::of).filter(|query| !query.is_empty());
    // With a query the lines that answer it are worth more than an even squeeze of all of them.
    let levels = if query.is_some() {
        &Level::ALL[..1]
    } else {
        &Level::ALL
    };
    for level in levels {
        let shorter = compress(text, kind, *level, encoding);
        if shorter.tokens <= budget {
            return Some(shorter);
        }
    }
    let index = TextIndex::of(text, kind, encoding);
    let scores = index.scores(query.as_ref());
    let extract = extract(text, kind, &index, &scores, budget, encoding)?;
    let (text, tokens, losses) = (extract.text, extract.tokens, extract.losses);
    Some(Compressed {
        text,
        tokens,
        losses,
    })
}

/// The text at a level; `None` when nothing was there to drop.
pub(crate) fn squeeze(
    text: &str,
    kind: TextKind,
    level: Level,
    encoding: Encoding,
) -> Option<(String, Losses)> {
    let squeezed = match (kind, level) {
        (TextKind::Json, _) => json::squeeze(text, level)?,
        (_, Level::Light) => lines::squeeze(text),
        (TextKind::Log, _) => log::fold(text, level),
        (TextKind::Code, Level::Medium) => code::strip(text),
        (TextKind::Code, Level::Heavy) => code::signatures(text),
        (TextKind::Prose, Level::Medium) => lines::distinct(text),
        (TextKind::Prose, Level::Heavy) => extract::gist(text, encoding)?,
    };
    (squeezed.0 != text).then_some(squeezed)
}

/// The note on what was dropped at a place. It ends with a letter, so that counts add up around it.
pub(crate) fn note(count: usize, what: &str) -> String {
    format!("[...] {count} {what} dropped\n")
}
