//! How much a unit says of its text when nobody asks for anything.

use std::collections::HashMap;

use crate::compress::index::{TextIndex, units_with};
use crate::text::{Term, TextKind};

/// Longer texts are ranked by rarity: TextRank compares every unit with every other.
const TEXT_RANK_UNITS_MAX: usize = 256;

/// A rank of each unit, 0 to 1.
pub(super) fn of(text: &str, kind: TextKind, index: &TextIndex) -> Vec<f32> {
    if kind == TextKind::Prose && index.units.len() <= TEXT_RANK_UNITS_MAX {
        text_rank(index)
    } else {
        rarity(text, index)
    }
}

/// Mihalcea, Tarau, "TextRank: Bringing Order into Texts", EMNLP 2004: sentences vote for those with which they share words.
fn text_rank(index: &TextIndex) -> Vec<f32> {
    const DAMPING: f32 = 0.85;
    const ROUNDS: usize = 20;
    let count = index.units.len();
    let mut weights = vec![0.0_f32; count * count];
    for a in 0..count {
        for b in 0..a {
            let weight = likeness(index.terms(a), index.terms(b));
            weights[a * count + b] = weight;
            weights[b * count + a] = weight;
        }
    }
    let sums: Vec<f32> = weights
        .chunks(count.max(1))
        .map(|row| row.iter().sum())
        .collect();
    let mut rank = vec![1.0_f32; count];
    for _ in 0..ROUNDS {
        let vote = |to: usize| -> f32 {
            let votes = (0..count).filter(|from| sums[*from] > 0.0);
            votes
                .map(|from| weights[from * count + to] / sums[from] * rank[from])
                .sum()
        };
        rank = (0..count)
            .map(|to| 1.0 - DAMPING + DAMPING * vote(to))
            .collect();
    }
    let most = rank.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    rank.iter().map(|r| r / most).collect()
}

/// Shared terms over the logarithms of the lengths.
fn likeness(a: &[Term], b: &[Term]) -> f32 {
    if a.len() < 2 || b.len() < 2 {
        return 0.0;
    }
    let (mut i, mut j, mut shared) = (0, 0, 0_u32);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, shared) = (i + 1, j + 1, shared + 1),
        }
    }
    shared as f32 / ((a.len() as f32).ln() + (b.len() as f32).ln())
}

/// Words that mark a line which people look for; the original plugin's list, with those of its kin.
const LOUD: &[&str] = &[
    "error",
    "fail",
    "exception",
    "panic",
    "fatal",
    "warn",
    "denied",
    "timeout",
    "refused",
];

/// The rarer the shape of a line, and the rarer its terms, the more it says.
fn rarity(text: &str, index: &TextIndex) -> Vec<f32> {
    const LOUDNESS: f32 = 0.4;
    let mut shapes: HashMap<u64, u32> = HashMap::new();
    let of_units: Vec<u64> = index
        .units
        .iter()
        .map(|unit| shape(unit.text(text)))
        .collect();
    for shape in &of_units {
        *shapes.entry(*shape).or_insert(0) += 1;
    }
    let with = units_with(index);
    let rank = of_units.iter().enumerate().map(|(n, shape)| {
        let terms = index.terms(n);
        let rare = terms
            .iter()
            .filter(|term| with.get(term).is_some_and(|n| *n <= 2))
            .count();
        let rare = rare as f32 / terms.len().max(4) as f32;
        let line = index.units[n].text(text).to_ascii_lowercase();
        let loud = if LOUD.iter().any(|word| line.contains(word)) {
            LOUDNESS
        } else {
            0.0
        };
        let seldom = 1.0 / shapes.get(shape).copied().unwrap_or(1) as f32;
        (0.4 * seldom + 0.2 * rare.min(1.0) + loud).min(1.0)
    });
    rank.collect()
}

/// A line without what varies: a hash of its words that have no digit.
fn shape(line: &str) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let words = line
        .split_whitespace()
        .filter(|word| !word.bytes().any(|b| b.is_ascii_digit()));
    words
        .flat_map(|word| word.bytes().chain([b' ']))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Encoding;

    #[test]
    fn the_rare_line_of_a_log_ranks_first() {
        let mut log = "12:00:00 INFO tick\n".repeat(30);
        log.push_str("12:00:01 ERROR disk lost\n");
        let index = TextIndex::of(&log, TextKind::Log, Encoding::default());
        let rank = of(&log, TextKind::Log, &index);
        assert!(rank[30] > 2.0 * rank[0], "{rank:?}");
    }

    #[test]
    fn the_sentence_that_shares_most_ranks_first() {
        let text = "The orchestrator routes tasks to agents.\nAgents report tasks to the orchestrator when done.\nBananas grow elsewhere in warm places.\nRouting of tasks by the orchestrator picks agents quickly.\n";
        let index = TextIndex::of(text, TextKind::Prose, Encoding::default());
        let rank = of(text, TextKind::Prose, &index);
        let least = (0..4).min_by(|a, b| rank[*a].total_cmp(&rank[*b]));
        assert_eq!(least, Some(2), "{rank:?}");
    }
}
