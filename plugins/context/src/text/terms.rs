//! Terms of a text, hashed: words, and the parts of identifiers beside the whole.

/// A term, as the 32-bit FNV-1a hash of its lower-case form. Two terms of one hash count as one.
pub(crate) type Term = u32;

/// Longer words are cut here.
const TERM_BYTES_MAX: usize = 64;

/// Words that say nothing about what a text is about.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "does", "for", "from", "has", "how", "in",
    "is", "it", "its", "of", "on", "or", "that", "the", "this", "to", "was", "what", "when",
    "where", "which", "who", "why", "will", "with",
];

/// The terms of a text, sorted, with repetitions.
pub(crate) fn terms_of(text: &str) -> Vec<Term> {
    let mut terms = Vec::with_capacity(text.len() / 8);
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let word = word.trim_matches('_');
        if word.is_empty() {
            continue;
        }
        push(&mut terms, word);
        for part in parts(word) {
            push(&mut terms, part);
        }
    }
    terms.sort_unstable();
    terms.shrink_to_fit();
    terms
}

fn push(terms: &mut Vec<Term>, word: &str) {
    let stop = word.len() <= 5
        && STOP_WORDS
            .iter()
            .any(|stop| stop.eq_ignore_ascii_case(word));
    if !stop {
        terms.push(hash(word));
    }
}

fn hash(word: &str) -> Term {
    const BASIS: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(PRIME);
    let word = word.as_bytes();
    let word = &word[..word.len().min(TERM_BYTES_MAX)];
    if word.is_ascii() {
        return word
            .iter()
            .fold(BASIS, |hash, byte| fold(hash, byte.to_ascii_lowercase()));
    }
    let lower = String::from_utf8_lossy(word).to_lowercase();
    lower.bytes().fold(BASIS, fold)
}

/// `snake_case` and `camelCase` taken apart; nothing for a plain word.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let cut_at = |before: char, after: char| {
        after.is_uppercase() && before.is_lowercase() || after.is_numeric() != before.is_numeric()
    };
    word.split('_')
        .flat_map(move |snake| {
            let mut start = 0;
            let mut before = None;
            let mut cuts: Vec<&str> = Vec::new();
            for (at, c) in snake.char_indices() {
                if before.is_some_and(|before| cut_at(before, c)) {
                    cuts.push(&snake[start..at]);
                    start = at;
                }
                before = Some(c);
            }
            cuts.push(&snake[start..]);
            cuts
        })
        .filter(move |part| part.len() < word.len() && !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(a: &str, b: &str) -> bool {
        let b = terms_of(b);
        terms_of(a).iter().any(|term| b.contains(term))
    }

    #[test]
    fn identifiers_are_found_whole_and_by_their_parts() {
        assert!(shares("max_tasks", "queue.max_tasks = 3"));
        assert!(shares("tasks", "maxTasks"));
        assert!(shares("Tasks", "max_tasks"));
        assert!(!shares("task", "max_tasks"));
        assert!(!shares("what is the", "what is the"));
        assert_eq!(terms_of("ab12").len(), 3);
    }
}
