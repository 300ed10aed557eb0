//! Templates of messages by a tree of fixed depth: He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing Approach
//! with Fixed Depth Tree", ICWS 2017.
//!
//! A message goes down by its number of words and by its first word to a short list of templates, and joins the one
//! that it is most similar to. What differs becomes a varying part.
//! Two things are other than in the paper: the first word that does not vary leads down, because a message may begin
//! with an address; and words that vary in both are not compared, because they say nothing. Memory is bounded: there is a
//! largest number of templates, and what fits none of them afterwards is counted as belonging to none.

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

/// Mines templates from messages, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    templates: Vec<Vec<Box<str>>>,
    /// Number of words, then first constant word, to the templates below them.
    tree: HashMap<usize, HashMap<Box<str>, Vec<usize>>>,
}

impl Drain {
    /// The number of the message's template, which is new when it is the number of templates before; `None` when the
    /// message fits none and there are `templates_max`.
    pub(super) fn learn(&mut self, message: &str, templates_max: usize) -> Option<usize> {
        let mut words: Vec<_> = message
            .split_ascii_whitespace()
            .take(WORDS_MAX + 1)
            .map(mask)
            .collect();
        if words.len() > WORDS_MAX {
            words[WORDS_MAX] = ANY.into();
        }
        let lists = self.tree.entry(words.len()).or_default();
        let first = words.iter().find(|word| !varies(word));
        let first = first.map_or(ANY, |word| word);
        let masked = first.contains(ANY);
        let full = lists.len() >= FIRST_WORDS_MAX && !lists.contains_key(first);
        let key = if masked || full { ANY } else { first };
        let list = match lists.get_mut(key) {
            Some(list) => list,
            None => lists.entry(key.into()).or_default(),
        };
        if let Some(number) = most_similar(&self.templates, list, &words) {
            for (known, word) in self.templates[number].iter_mut().zip(&words) {
                if **known != **word && **known != *ANY {
                    *known = ANY.into();
                }
            }
            return Some(number);
        }
        if self.templates.len() >= templates_max {
            return None;
        }
        let number = self.templates.len();
        list.push(number);
        let words = words.into_iter().map(|word| word.into_owned().into());
        self.templates.push(words.collect());
        Some(number)
    }

    /// How many templates there are.
    pub(super) fn len(&self) -> usize {
        self.templates.len()
    }

    /// A template as text.
    pub(super) fn text(&self, number: usize) -> String {
        self.templates[number].join(" ")
    }
}

/// The template with the largest share of equal words, of equal ones that with the fewest varying parts, if it is
/// similar enough. Words that vary in both say nothing.
fn most_similar<W: std::ops::Deref<Target = str>>(
    templates: &[Vec<Box<str>>],
    list: &[usize],
    words: &[W],
) -> Option<usize> {
    let mut best: Option<(f64, usize, usize)> = None;
    for number in list {
        let (mut equal, mut compared, mut varying) = (0_u32, 0_u32, 0);
        for (known, word) in templates[*number].iter().zip(words) {
            if varies(known) && (**known == *ANY || varies(word)) {
                varying += 1;
            } else {
                compared += 1;
                equal += u32::from(**known == **word);
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

/// Whether nothing of the word stays when its varying parts are taken away.
fn varies(word: &str) -> bool {
    word.contains(ANY) && !word.contains(char::is_alphanumeric)
}
