//! Which statements about one node say the same.

use std::collections::HashMap;

/// Two statements say the same from this share of common words on, or when all words of one are in the other.
const JACCARD_MIN: f64 = 0.7;
/// Words of a statement that count; further ones are left out.
const WORDS_MAX: usize = 24;

/// Groups statements that say the same about one component. Each group is the places of its statements, in ascending order.
///
/// `Pool exhausted` and `Connection pool exhausted` are the same of one component, and different of two.
/// Candidates are found through the rarest words of each statement (prefix filtering, Chaudhuri et al. 2006), so that
/// the time does not grow with the square of their number unless nearly all of them share their rarest words.
pub(crate) fn groups<'a>(
    statements: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<Vec<usize>> {
    grouped(statements).0
}

/// The groups, and how many pairs were compared.
fn grouped<'a>(
    statements: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (Vec<Vec<usize>>, usize) {
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut frequency: Vec<u32> = Vec::new();
    let mut all: Vec<(&str, Vec<u32>)> = Vec::new();
    for (component, text) in statements {
        let mut words: Vec<u32> = words(text)
            .map(|word| {
                let next = frequency.len() as u32;
                let number = *numbers.entry(word).or_insert(next);
                if number == next {
                    frequency.push(0);
                }
                number
            })
            .collect();
        words.sort_unstable();
        words.dedup();
        for word in &words {
            frequency[*word as usize] += 1;
        }
        all.push((component, words));
    }
    for (_, words) in &mut all {
        words.sort_unstable_by_key(|word| (frequency[*word as usize], *word));
    }
    // The shortest first, so that a longer statement joins the one that it contains.
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|place| (all[*place].1.len(), *place));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut index: HashMap<(&str, u32), Vec<usize>> = HashMap::new();
    let mut compared = 0;
    for place in order {
        let (component, words) = &all[place];
        let mut same = None;
        'words: for word in words {
            for group in index.get(&(*component, *word)).into_iter().flatten() {
                compared += 1;
                if says_the_same(&all[groups[*group][0]].1, words) {
                    same = Some(*group);
                    break 'words;
                }
            }
        }
        match same {
            Some(group) => groups[group].push(place),
            None => {
                for word in &words[..prefix(words.len())] {
                    let entry = index.entry((component, *word)).or_default();
                    entry.push(groups.len());
                }
                groups.push(vec![place]);
            }
        }
    }
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable_by_key(|group| group[0]);
    (groups, compared)
}

/// How many of its rarest words a statement must be found by.
fn prefix(words: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small number of words"
    )]
    let common = (words as f64 * JACCARD_MIN).ceil() as usize;
    (words + 1).saturating_sub(common).min(words)
}

/// `shorter` has at most as many words as `longer`; both are in the order of rarity, without repetition.
fn says_the_same(shorter: &[u32], longer: &[u32]) -> bool {
    let common = shorter.iter().filter(|word| longer.contains(word)).count();
    let all = shorter.len() + longer.len() - common;
    common == shorter.len() || common as f64 >= JACCARD_MIN * all as f64
}

/// Words in lower case, without numbers and without words that say nothing.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    const EMPTY: [&str; 14] = [
        "a", "an", "and", "at", "by", "for", "from", "has", "in", "is", "of", "on", "the", "to",
    ];
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !word.chars().any(|c| c.is_ascii_digit()))
        .map(str::to_lowercase)
        .filter(|word| !EMPTY.contains(&word.as_str()))
        .take(WORDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c6_one_component_is_merged_and_different_ones_are_kept() {
        let check = |statements: &[(&str, &str)], expected: &[&[usize]]| {
            assert_eq!(
                groups(statements.iter().copied()),
                expected,
                "{statements:?}"
            );
        };
        let (pool, connections) = ("Pool exhausted", "Connection pool exhausted");
        check(&[("db", connections), ("db", pool)], &[&[0, 1]]);
        check(&[("db", pool), ("api", connections)], &[&[0], &[1]]);
        check(&[("db", pool), ("db", "disk full")], &[&[0], &[1]]);
        check(
            &[
                ("db", "pool of 10 exhausted"),
                ("db", "The pool of 20 is exhausted"),
                ("db", "x"),
            ],
            &[&[0, 1], &[2]],
        );
    }

    #[test]
    fn c6_ten_thousand_are_not_compared_with_each_other() {
        const COUNT: usize = 10_000;
        let letters = |mut number: usize| {
            let mut word = String::new();
            while number > 0 {
                word.push(char::from(b'a' + (number % 26) as u8));
                number /= 26;
            }
            word + "x"
        };
        // A thousand different causes, each said in ten ways, all of one component and with common words.
        let texts: Vec<String> = (0..COUNT)
            .map(|n| {
                let cause = letters(n % 1_000 + 1);
                let more = ["", "connection", "suddenly", "again", "badly"][n % 5];
                format!("{more} {cause} exhausted service")
            })
            .collect();
        let (groups, compared) = grouped(texts.iter().map(|text| ("db", text.as_str())));
        assert_eq!(groups.len(), 1_000);
        assert!(compared < 20 * COUNT, "{compared}");
    }
}
