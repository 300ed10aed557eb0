//! Templates of messages by a tree of fixed depth: He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing Approach
//! with Fixed Depth Tree", ICWS 2017.
//!
//! A message goes down by its number of words and by its first word to a short list of templates, and joins the one
//! that it is most similar to. What differs becomes a varying part.
//! Two things are other than in the paper: the first word that does not vary leads down, because a message may begin
//! with an address; and words that vary in both are not compared, because they say nothing. Memory is bounded: there is a
//! largest number of templates, and what fits none of them afterwards is counted as belonging to none.

use std::borrow::Cow;
use std::collections::HashMap;

use super::mask::{ANY, mask};

/// Templates of one node's log at most.
pub const LOG_TEMPLATES_MAX: usize = 2_000;
/// Words of a message that are compared; what comes after them counts as varying.
const WORDS_MAX: usize = 100;
/// First constant words that have a list of their own for each number of words; further ones share one list.
const FIRST_WORDS_MAX: usize = 100;
/// Share of the words that must be equal, not counting those that vary in both. The paper's range is 0.3 to 0.7.
const SIMILARITY_MIN: f64 = 0.7;

/// Templates that one list holds; what fits none of a full list is of no template.
const LIST_MAX: usize = 256;

/// A word of a template or a message.
#[derive(Clone, Debug)]
struct Word<T> {
    text: T,
    /// Whether nothing of it stays when its varying parts are taken away.
    varies: bool,
}

impl<T: AsRef<str>> Word<T> {
    fn new(text: T) -> Self {
        let word = text.as_ref();
        let varies = word.contains(ANY) && !word.contains(char::is_alphanumeric);
        Self { text, varies }
    }
}

type Template = Vec<Word<Box<str>>>;

/// Mines templates from messages, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    templates: Vec<Template>,
    /// Number of words, then first constant word, to the templates below them.
    tree: HashMap<usize, HashMap<Box<str>, Vec<usize>>>,
}

impl Drain {
    /// The number of the message's template, which is new when it is the number of templates before; `None` when the
    /// message fits none and there is no room for one more, in its list or among all `templates_max`.
    pub(super) fn learn(&mut self, message: &str, templates_max: usize) -> Option<usize> {
        let mut words: Vec<Word<Cow<'_, str>>> = message
            .split_ascii_whitespace()
            .take(WORDS_MAX + 1)
            .map(|word| Word::new(mask(word)))
            .collect();
        if words.len() > WORDS_MAX {
            words[WORDS_MAX] = Word::new(ANY.into());
        }
        let lists = self.tree.entry(words.len()).or_default();
        let first = words.iter().find(|word| !word.varies);
        let first = first.map_or(ANY, |word| &*word.text);
        let full = lists.len() >= FIRST_WORDS_MAX && !lists.contains_key(first);
        let key = if full || first.contains(ANY) {
            ANY
        } else {
            first
        };
        let list = match lists.get_mut(key) {
            Some(list) => list,
            None => lists.entry(key.into()).or_default(),
        };
        if let Some(number) = most_similar(&self.templates, list, &words) {
            for (known, word) in self.templates[number].iter_mut().zip(&words) {
                if *known.text != *word.text && *known.text != *ANY {
                    *known = Word::new(ANY.into());
                }
            }
            return Some(number);
        }
        if self.templates.len() >= templates_max || list.len() >= LIST_MAX {
            return None;
        }
        let number = self.templates.len();
        list.push(number);
        let owned = |word: Word<Cow<'_, str>>| Word {
            text: word.text.into_owned().into(),
            varies: word.varies,
        };
        self.templates.push(words.into_iter().map(owned).collect());
        Some(number)
    }

    /// How many templates there are.
    pub(super) fn len(&self) -> usize {
        self.templates.len()
    }

    /// A template as text.
    pub(super) fn text(&self, number: usize) -> String {
        let words: Vec<&str> = self.templates[number]
            .iter()
            .map(|word| &*word.text)
            .collect();
        words.join(" ")
    }
}

/// The template with the largest share of equal words, of equal ones that with the fewest varying parts, if it is
/// similar enough. Words that vary in both say nothing.
fn most_similar(
    templates: &[Template],
    list: &[usize],
    words: &[Word<Cow<'_, str>>],
) -> Option<usize> {
    let mut best: Option<(f64, usize, usize)> = None;
    for number in list {
        let (mut equal, mut compared, mut varying) = (0_u32, 0_u32, 0);
        for (known, word) in templates[*number].iter().zip(words) {
            if known.varies && (word.varies || *known.text == *ANY) {
                varying += 1;
            } else {
                compared += 1;
                equal += u32::from(*known.text == *word.text);
            }
        }
        let share = if compared == 0 {
            1.0
        } else {
            f64::from(equal) / f64::from(compared)
        };
        let better =
            best.is_none_or(|(most, least, _)| share > most || (share == most && varying < least));
        if better {
            best = Some((share, varying, *number));
        }
    }
    let (share, _, number) = best?;
    (share >= SIMILARITY_MIN).then_some(number)
}
