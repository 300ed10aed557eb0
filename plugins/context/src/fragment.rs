//! Fragments: what a session consists of.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use universal_orchestrator::{AgentId, Priority, TaskId};

use crate::compress::{Level, Losses, TextIndex, fingerprint, squeeze};
use crate::session::FragmentId;
use crate::text::TextKind;
use crate::tokens::Encoding;

/// What a fragment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FragmentRole {
    /// Something that agents should know.
    #[default]
    Note,
    /// An instruction.
    Instruction,
    /// What a task produced.
    Result,
    /// Why a task failed.
    Failure,
}

impl FragmentRole {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Instruction => "instruction",
            Self::Result => "result",
            Self::Failure => "failure",
        }
    }
}

/// A fragment on its way into a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use = "add it to a session"]
pub struct NewFragment {
    pub(crate) content: String,
    pub(crate) role: FragmentRole,
    pub(crate) kind: Option<TextKind>,
    pub(crate) priority: Priority,
    pub(crate) relevance: Option<f32>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) task: Option<TaskId>,
}

impl NewFragment {
    /// A note of medium priority; its sort is guessed, and its relevance estimated.
    pub fn new(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            role: FragmentRole::default(),
            kind: None,
            priority: Priority::Medium,
            relevance: None,
            agent: None,
            task: None,
        }
    }

    /// What it is about.
    pub const fn role(mut self, role: FragmentRole) -> Self {
        self.role = role;
        self
    }

    /// The sort of its text.
    pub const fn kind(mut self, kind: TextKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Its priority. A critical fragment is never changed, dropped or left out; a low one goes first.
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// How relevant it is to its session, 0 to 1; values beyond are the nearest of these, and what is no number is 0.
    pub const fn relevance(mut self, relevance: f32) -> Self {
        self.relevance = Some(if relevance.is_nan() {
            0.0
        } else {
            relevance.clamp(0.0, 1.0)
        });
        self
    }

    /// Who wrote it.
    pub fn agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// The task that it comes from.
    pub fn task(mut self, task: TaskId) -> Self {
        self.task = Some(task);
        self
    }

    /// Its content.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }
}

/// The original plugin's estimate: longer texts and those with certain words matter more.
fn estimate(content: &str) -> f32 {
    const WORDS: &[&str] = &["error", "result", "success", "complete", "output"];
    const LOOKED_AT: usize = 4_096;
    let mut end = content.len().min(LOOKED_AT);
    while !content.is_char_boundary(end) {
        end -= 1;
    }
    let head = content[..end].to_ascii_lowercase();
    let words = WORDS.iter().filter(|word| head.contains(**word)).count();
    let length: f32 = match content.len() {
        0..100 => -0.1,
        100..=1_000 => 0.0,
        _ => 0.2,
    };
    (0.5 + length + 0.05 * words as f32).clamp(0.0, 1.0)
}

/// A fragment's text at a level.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) text: Box<str>,
    /// As [`Fragment::tokens`].
    pub(crate) tokens: usize,
    pub(crate) losses: Losses,
}

/// A fragment with all that was worked out about it. Never changes.
#[derive(Debug)]
pub(crate) struct Fragment {
    pub(crate) new: Arc<NewFragment>,
    pub(crate) kind: TextKind,
    pub(crate) relevance: f32,
    /// Tokens of the text as a block: behind a line feed, and with one at the end.
    pub(crate) tokens: usize,
    pub(crate) hash: u64,
    pub(crate) print: Option<u64>,
    pub(crate) index: TextIndex,
    /// Light, medium, heavy, where they are shorter than what comes before.
    pub(crate) forms: [Option<Form>; 3],
    /// What the text has lost since it came.
    pub(crate) losses: Losses,
    /// The level to which it was compressed in the store.
    pub(crate) level: Option<Level>,
    pub(crate) bytes: usize,
}

/// Tokens of a text as a block.
pub(crate) fn block_tokens(text: &str, encoding: Encoding) -> usize {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    encoding.count(&format!("\n{text}{end}"))
}

impl Fragment {
    /// Counts, indexes and compresses; takes time in proportion to the text, so not in an async task when it is long.
    pub(crate) fn of(new: impl Into<Arc<NewFragment>>, encoding: Encoding) -> Self {
        let new = new.into();
        let text = &*new.content;
        let kind = new.kind.unwrap_or_else(|| TextKind::guess(text));
        let relevance = new.relevance.unwrap_or_else(|| estimate(text));
        let tokens = block_tokens(text, encoding);
        let hash = hash(text);
        let critical = new.priority == Priority::Critical;
        // Nothing of a critical fragment is ever chosen or squeezed.
        let index = match critical {
            true => TextIndex::of("", kind, encoding),
            false => TextIndex::of(text, kind, encoding),
        };
        let forms = match critical {
            true => [None, None, None],
            false => forms(text, kind, tokens, encoding),
        };
        let print = fingerprint(index.all_terms());
        let of_forms: usize = forms.iter().flatten().map(|form| form.text.len()).sum();
        let bytes = text.len() + of_forms + index.bytes() + size_of::<Self>();
        Self {
            kind,
            relevance,
            tokens,
            hash,
            print,
            index,
            forms,
            losses: Losses::default(),
            level: None,
            bytes,
            new,
        }
    }

    /// The fragment in its shortest form up to a level; `None` when none is shorter.
    pub(crate) fn compressed(&self, level: Level, encoding: Encoding) -> Option<Self> {
        let at = Level::ALL.iter().position(|l| *l == level)?;
        let upto = self.forms.iter().take(at + 1).rposition(Option::is_some)?;
        let form = self.forms.get(upto)?.as_ref()?;
        let mut new = NewFragment::clone(&self.new);
        new.content = form.text.to_string();
        new.kind = Some(self.kind);
        new.relevance = Some(self.relevance);
        let mut fragment = Self::of(new, encoding);
        fragment.losses = self.losses;
        fragment.losses += form.losses;
        fragment.level = Some(Level::ALL[upto]);
        // By this one the session finds it.
        fragment.hash = self.hash;
        (fragment.bytes < self.bytes).then_some(fragment)
    }

    pub(crate) fn text(&self) -> &str {
        &self.new.content
    }
}

fn forms(text: &str, kind: TextKind, whole: usize, encoding: Encoding) -> [Option<Form>; 3] {
    let mut least = whole;
    Level::ALL.map(|level| {
        let (text, losses) = squeeze(text, kind, level, encoding)?;
        let tokens = block_tokens(&text, encoding);
        let shorter = tokens < least;
        least = least.min(tokens);
        let text = text.into_boxed_str();
        shorter.then_some(Form {
            text,
            tokens,
            losses,
        })
    })
}

/// FNV-1a in 64 bits: what it finds equal is compared byte by byte.
fn hash(text: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(BASIS, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

/// How a fragment stands: a snapshot.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FragmentView {
    /// Its number.
    pub id: FragmentId,
    /// What it is about.
    pub role: FragmentRole,
    /// The sort of its text.
    pub kind: TextKind,
    /// Its priority.
    pub priority: Priority,
    /// How relevant it is to its session, 0 to 1.
    pub relevance: f32,
    /// Who wrote it.
    pub agent: Option<AgentId>,
    /// The task that it comes from.
    pub task: Option<TaskId>,
    /// Tokens of it as a block of a context.
    pub tokens: usize,
    /// Bytes of its content.
    pub content_bytes: usize,
    /// How often it was shown.
    pub shown: u64,
    /// How often the same content came again.
    pub repeats: u64,
    /// The level to which it was compressed to save room.
    pub level: Option<Level>,
    /// What it lost by that.
    pub losses: Losses,
    /// Time since it came.
    pub age: Duration,
    /// Time since it was added, shown, or came again.
    pub unused: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relevance_is_estimated_as_the_original_did() {
        for (content, relevance) in [
            ("short", 0.4),
            (&"a".repeat(500), 0.5),
            (&"a".repeat(2_000), 0.7),
            (&format!("error: no output {}", "a".repeat(2_000)), 0.8),
        ] {
            assert!((estimate(content) - relevance).abs() < 1e-6, "{relevance}");
        }
    }

    #[test]
    fn each_form_is_shorter_than_the_one_before_and_critical_ones_have_none() {
        let log: String = (0..100)
            .map(|n| format!("12:00:{:02} INFO got {n}\n", n % 60))
            .collect();
        let fragment = Fragment::of(NewFragment::new(&*log), Encoding::default());
        let mut before = fragment.tokens;
        for form in fragment.forms.iter().flatten() {
            assert!(form.tokens < before);
            before = form.tokens;
        }
        assert!(before < fragment.tokens / 10);
        let critical = NewFragment::new(log).priority(Priority::Critical);
        let critical = Fragment::of(critical, Encoding::default());
        assert!(critical.forms.iter().all(Option::is_none));
        assert!(
            critical
                .compressed(Level::Heavy, Encoding::default())
                .is_none()
        );
    }
}
