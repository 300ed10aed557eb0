//! Exact token counts.
//!
//! Byte-pair encodings split a text into pieces before they merge bytes, and no piece reaches past a line feed into
//! a line that begins with anything but white space or `/`: so counts of lines add up, and [`crate::text`] cuts where
//! they do. `tests/counts_are_exact.rs` holds both against the reference implementation.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Encoding {
    /// `cl100k_base`: the models of 2023, such as gpt-4 and gpt-3.5-turbo, and their embeddings.
    Cl100kBase,
    /// `o200k_base`: the models since 2024, such as gpt-4o, gpt-4.1, gpt-5, o1, o3 and o4-mini; plain text counts the same in `o200k_harmony`.
    #[default]
    O200kBase,
}

/// A model whose encoding is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the encoding of model {model:?} is not known: set `encoding` to \"o200k_base\" or \"cl100k_base\" instead of `model`"
)]
pub struct UnknownModel {
    /// The model.
    pub model: String,
}

/// Models and beginnings of model names (those that end in `-`), most special first. The pairs are those of OpenAI's
/// `tiktoken/model.py` for the two encodings; older encodings are not counted here.
const MODELS: &[(&str, Encoding)] = &[
    ("gpt-4o", Encoding::O200kBase),
    ("gpt-4o-", Encoding::O200kBase),
    ("gpt-4.1", Encoding::O200kBase),
    ("gpt-4.1-", Encoding::O200kBase),
    ("gpt-4.5-", Encoding::O200kBase),
    ("gpt-5", Encoding::O200kBase),
    ("gpt-5-", Encoding::O200kBase),
    ("gpt-oss-", Encoding::O200kBase),
    ("chatgpt-4o-", Encoding::O200kBase),
    ("o1", Encoding::O200kBase),
    ("o1-", Encoding::O200kBase),
    ("o3", Encoding::O200kBase),
    ("o3-", Encoding::O200kBase),
    ("o4-mini", Encoding::O200kBase),
    ("o4-mini-", Encoding::O200kBase),
    ("gpt-4", Encoding::Cl100kBase),
    ("gpt-4-", Encoding::Cl100kBase),
    ("gpt-3.5-turbo", Encoding::Cl100kBase),
    ("gpt-3.5-turbo-", Encoding::Cl100kBase),
    ("gpt-35-turbo", Encoding::Cl100kBase),
    ("gpt-35-turbo-", Encoding::Cl100kBase),
    ("text-embedding-ada-002", Encoding::Cl100kBase),
    ("text-embedding-3-small", Encoding::Cl100kBase),
    ("text-embedding-3-large", Encoding::Cl100kBase),
];

impl Encoding {
    /// The encoding of a model.
    ///
    /// # Errors
    /// [`UnknownModel`].
    pub fn of_model(model: &str) -> Result<Self, UnknownModel> {
        let fits = |known: &str| match known.ends_with('-') {
            true => model.starts_with(known),
            false => model == known,
        };
        let found = MODELS.iter().find(|(known, _)| fits(known));
        found
            .map(|(_, encoding)| *encoding)
            .ok_or_else(|| UnknownModel {
                model: model.to_owned(),
            })
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cl100kBase => "cl100k_base",
            Self::O200kBase => "o200k_base",
        }
    }

    /// The tokens of a text. The first call of a process loads the vocabulary, which takes tens of milliseconds: not in an async task.
    #[must_use]
    pub fn count(self, text: &str) -> usize {
        // Most of what is counted one by one is short and empty text is common.
        if text.is_empty() {
            return 0;
        }
        self.tokenizer().count(text)
    }

    /// The first so many tokens of a text, as far as they are whole characters.
    #[must_use]
    pub fn head(self, text: &str, tokens: usize) -> &str {
        let encoded = self.tokenizer().encode(text);
        let bytes = encoded.iter().take(tokens);
        let len = bytes.map(|t| self.tokenizer().bpe.token_len(*t)).sum();
        let mut end = text.len().min(len);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        &text[..end]
    }

    /// The last so many tokens of a text, as far as they are whole characters.
    #[must_use]
    pub fn tail(self, text: &str, tokens: usize) -> &str {
        let encoded = self.tokenizer().encode(text);
        let bytes = encoded.iter().rev().take(tokens);
        let len: usize = bytes.map(|t| self.tokenizer().bpe.token_len(*t)).sum();
        let mut start = text.len().saturating_sub(len);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        &text[start..]
    }

    /// Loads the vocabulary, if nobody has.
    pub(crate) fn load(self) {
        let _ = self.tokenizer();
    }

    // The vocabularies are constants of the crate that counts: read-only and shared by the process.
    fn tokenizer(self) -> &'static bpe_openai::Tokenizer {
        match self {
            Self::Cl100kBase => bpe_openai::cl100k_base(),
            Self::O200kBase => bpe_openai::o200k_base(),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_their_encoding() {
        for (model, encoding) in [
            ("gpt-4", Encoding::Cl100kBase),
            ("gpt-4-0314", Encoding::Cl100kBase),
            ("gpt-4o", Encoding::O200kBase),
            ("gpt-4o-2024-05-13", Encoding::O200kBase),
            ("o3-mini", Encoding::O200kBase),
        ] {
            assert_eq!(Encoding::of_model(model), Ok(encoding), "{model}");
        }
        let error = Encoding::of_model("gpt-2").unwrap_err();
        assert!(error.to_string().contains("\"gpt-2\""), "{error}");
    }

    #[test]
    fn head_and_tail_have_so_many_tokens() {
        let text = "the quick brown fox jumps over the lazy dog";
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            assert_eq!(encoding.head(text, 3), "the quick brown");
            assert_eq!(encoding.tail(text, 2), " lazy dog");
            assert_eq!(encoding.head(text, 100), text);
            assert_eq!(encoding.tail("é", 100), "é");
        }
    }
}
