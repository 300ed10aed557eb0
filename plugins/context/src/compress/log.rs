//! Groups log lines by template, in the way of Drain: He, Zhu, Zheng, Lyu, "Drain: An Online Log Parsing Approach with
//! Fixed Depth Tree", ICWS 2017. Words with digits are variables; lines of as many words that begin alike are compared word by word.

use std::collections::HashMap;

use crate::compress::lines::push;
use crate::compress::{Level, Losses, note};

/// Equal words of all constant words that make two lines of one template, in percent.
/// More than Drain's `st` of 0.5: here the head of each line takes part, which says nothing about its event.
const SIMILARITY_PERCENT: usize = 75;
/// Templates compared for one length and beginning; with more of them a line stands for itself.
const TEMPLATES_MAX: usize = 64;
/// A group is folded when so many of its lines go.
const FOLD_MIN: usize = 2;

struct Template<'a> {
    /// `None` is a variable.
    words: Vec<Option<&'a str>>,
    id: usize,
}

/// The template of each line, as a number; blank lines and lines beyond the limits have one of their own.
fn templates<'a>(lines: &[&'a str]) -> Vec<usize> {
    let mut groups: HashMap<(usize, Option<&'a str>), Vec<Template<'a>>> = HashMap::new();
    let mut ids = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let words: Vec<Option<&str>> = line.split_whitespace().map(constant).collect();
        // Fixed depth: the number of words, and the first constant one.
        let key = (words.len(), words.iter().copied().flatten().next());
        let group = groups.entry(key).or_default();
        let found = group
            .iter_mut()
            .find_map(|template| template.takes(&words).then_some(template.id));
        let id = match found {
            Some(id) => id,
            None => {
                if group.len() < TEMPLATES_MAX && !words.is_empty() {
                    group.push(Template { words, id: at });
                }
                at
            }
        };
        ids.push(id);
    }
    ids
}

fn constant(word: &str) -> Option<&str> {
    (!word.bytes().any(|byte| byte.is_ascii_digit())).then_some(word)
}

impl<'a> Template<'a> {
    /// Whether a line is of this template; words that differ become variables.
    fn takes(&mut self, words: &[Option<&'a str>]) -> bool {
        let pairs = || self.words.iter().zip(words);
        // Of both, so that a template that has lost words takes no more lines for it.
        let constants = self.words.iter().flatten().count();
        let constants = constants.max(words.iter().flatten().count());
        let equal = pairs().filter(|(a, b)| a.is_some() && a == b).count();
        if constants == 0 || equal * 100 < constants * SIMILARITY_PERCENT {
            return false;
        }
        for (mine, other) in self.words.iter_mut().zip(words) {
            if mine != other {
                *mine = None;
            }
        }
        true
    }
}

/// Keeps the first line of each template, at the level medium the last one too, and tells the number of the others.
pub(super) fn fold(text: &str, level: Level) -> (String, Losses) {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let ids = templates(&lines);
    // First and last line of a template, and how many there are.
    let mut groups: HashMap<usize, (usize, usize, usize)> = HashMap::new();
    for (at, id) in ids.iter().enumerate() {
        let group = groups.entry(*id).or_insert((at, at, 0));
        (group.1, group.2) = (at, group.2 + 1);
    }
    let mut out = String::with_capacity(text.len() / 4);
    let mut losses = Losses::default();
    let mut blank = false;
    for (at, (line, id)) in lines.iter().zip(&ids).enumerate() {
        if line.is_empty() {
            blank = true;
            continue;
        }
        let (first, last, count) = groups[id];
        let keeps_last = level < Level::Heavy;
        let dropped = count.saturating_sub(1 + usize::from(keeps_last));
        let folded = dropped >= FOLD_MIN;
        if folded && at != first && !(keeps_last && at == last) {
            continue;
        }
        if std::mem::take(&mut blank) && level < Level::Heavy && !out.is_empty() {
            out.push('\n');
        }
        push(&mut out, line);
        if folded && at == first {
            out.push_str(&note(dropped, "lines like this"));
            losses.lines += dropped;
        }
    }
    (out, losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_template_are_folded_and_a_rare_one_stays() {
        let mut log = String::new();
        for n in 0..20 {
            log.push_str(&format!(
                "12:00:{n:02} INFO block {n} served to client c{n}\n"
            ));
            if n == 7 {
                log.push_str("12:00:07 ERROR lost the disk\n");
            }
        }
        let (heavy, losses) = fold(&log, Level::Heavy);
        assert_eq!(
            heavy,
            "12:00:00 INFO block 0 served to client c0\n[...] 19 lines like this dropped\n12:00:07 ERROR lost the disk\n"
        );
        assert_eq!(losses.lines, 19);
        let (medium, losses) = fold(&log, Level::Medium);
        assert!(
            medium.ends_with("12:00:19 INFO block 19 served to client c19\n"),
            "{medium}"
        );
        assert_eq!(losses.lines, 18);
    }

    #[test]
    fn every_line_is_kept_or_counted() {
        let log = "a b c\na b d\n1 2 3\nx y\n\na b e\n4 5 6\na b f\n";
        for level in [Level::Medium, Level::Heavy] {
            let (text, losses) = fold(log, level);
            let kept = text
                .lines()
                .filter(|l| !l.is_empty() && !l.starts_with("[...]"))
                .count();
            assert_eq!(kept + losses.lines, 7, "{text}");
        }
    }
}
