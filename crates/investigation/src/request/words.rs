//! A text as words with their places.

/// One word without the punctuation around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    /// Whether quotes or backticks stand around it.
    pub(super) quoted: bool,
    /// Whether `:` or `=` follows it, also after a gap.
    pub(super) marked: bool,
    /// Whether a sentence or clause ends with it.
    pub(super) ends: bool,
}

impl Word<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

const QUOTES: &[char] = &['"', '\'', '`', '“', '”', '‘', '’'];
const AROUND: &[char] = &[
    '(', ')', '[', ']', '{', '}', '<', '>', ',', ';', '!', '?', '*',
];

/// The words of a text, in order. `key=value` and `key:value` are two words, but not what looks like a time, an ARN or a URL.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for (start, chunk) in chunks(text) {
        let (head, rest) = match chunk.find(['=', ':']) {
            Some(at) if splits(chunk, at) => (&chunk[..=at], &chunk[at + 1..]),
            _ => (chunk, ""),
        };
        push(start, head, &mut words);
        if !rest.is_empty() {
            push(start + head.len(), rest, &mut words);
        }
    }
    words
}

fn chunks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(char::is_whitespace)
        .filter(|chunk| !chunk.is_empty())
        .map(move |chunk| (chunk.as_ptr().addr() - text.as_ptr().addr(), chunk))
}

fn splits(chunk: &str, at: usize) -> bool {
    let (head, tail) = (&chunk[..at], &chunk[at + 1..]);
    let letters = head
        .trim_start_matches(|c| QUOTES.contains(&c) || AROUND.contains(&c))
        .chars()
        .all(|c| c.is_ascii_alphabetic() || c == '_' || c == '-');
    !tail.is_empty() && letters && !head.is_empty() && head != "arn" && !tail.starts_with("//")
}

fn push<'a>(start: usize, chunk: &'a str, words: &mut Vec<Word<'a>>) {
    let mark = |c: char| c == ':' || c == '=';
    if chunk.chars().all(mark) {
        // A mark that stands alone belongs to the word before it.
        if let Some(last) = words.last_mut() {
            last.marked = true;
        }
        return;
    }
    let trimmed = chunk
        .trim_end_matches(|c| mark(c) || AROUND.contains(&c) || QUOTES.contains(&c) || c == '.');
    let tail = &chunk[trimmed.len()..];
    let inner = trimmed.trim_start_matches(|c| AROUND.contains(&c) || QUOTES.contains(&c));
    if inner.is_empty() {
        return;
    }
    let lead = &trimmed[..trimmed.len() - inner.len()];
    words.push(Word {
        text: inner,
        start: start + lead.len(),
        quoted: lead.contains(QUOTES) && tail.contains(QUOTES),
        marked: tail.ends_with(mark),
        ends: tail.contains(['.', ';', '!', '?', ',', ')']),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_their_punctuation_and_keep_their_places() {
        let text = "The `pay-v2` lambda, (queue=jobs.fifo) is slow: why?";
        let found = words(text);
        let texts: Vec<&str> = found.iter().map(|word| word.text).collect();
        assert_eq!(
            texts,
            [
                "The",
                "pay-v2",
                "lambda",
                "queue",
                "jobs.fifo",
                "is",
                "slow",
                "why"
            ]
        );
        assert!(found[1].quoted && found[3].marked && found[6].marked && found[7].ends);
        for word in &found {
            assert_eq!(&text[word.start..word.end()], word.text);
        }
    }

    #[test]
    fn times_arns_and_urls_stay_whole() {
        let texts = |text| words(text).iter().map(|word| word.text).collect::<Vec<_>>();
        assert_eq!(
            texts("14:30 arn:aws:sqs:x https://a.b/c?d=e"),
            ["14:30", "arn:aws:sqs:x", "https://a.b/c?d=e"]
        );
        assert_eq!(texts("name : x"), ["name", "x"]);
    }
}
