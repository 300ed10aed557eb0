//! What sort of text it is, told or guessed.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The sort of a text: decides how it is squeezed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TextKind {
    /// One JSON value.
    Json,
    /// Records, one a line.
    Log,
    /// Source code.
    Code,
    /// Anything else.
    Prose,
}

/// Lines that are looked at to guess.
const LINES_SEEN: usize = 200;

impl TextKind {
    /// Guesses the sort of a text from its first 200 lines that are not blank; JSON has to be valid as a whole.
    #[must_use]
    pub fn guess(text: &str) -> Self {
        if text.trim_start().starts_with(['{', '['])
            && serde_json::from_str::<IgnoredAny>(text).is_ok()
        {
            return Self::Json;
        }
        let lines = || {
            text.lines()
                .filter(|line| !line.trim().is_empty())
                .take(LINES_SEEN)
        };
        let all = lines().count();
        let share =
            |is: fn(&str) -> bool| lines().filter(|line| is(line)).count() * 100 / all.max(1);
        if share(is_record) >= 50 {
            Self::Log
        } else if share(is_code) >= 30 {
            Self::Code
        } else {
            Self::Prose
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Log => "log",
            Self::Code => "code",
            Self::Prose => "prose",
        }
    }
}

/// A time of day near its beginning.
fn is_record(line: &str) -> bool {
    let head = &line.as_bytes()[..line.len().min(96)];
    head.windows(8).any(|w| {
        w[2] == b':' && w[5] == b':' && [0, 1, 3, 4, 6, 7].iter().all(|at| w[*at].is_ascii_digit())
    })
}

fn is_code(line: &str) -> bool {
    const BEGINS: &[&str] = &[
        "//", "#[", "#include", "import ", "from ", "use ", "fn ", "pub ", "let ", "def ",
        "class ", "return", "if (", "for (", "const ", "struct ", "impl ", "}", ")",
    ];
    let line = line.trim();
    line.ends_with(['{', '}', ';', '(']) || BEGINS.iter().any(|begin| line.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_are_told_apart() {
        for (text, kind) in [
            ("{\"a\": [1, 2]}", TextKind::Json),
            ("{\"a\": [1, 2", TextKind::Prose),
            (
                "2015-10-18 18:01:47,978 INFO [main] Created\n2015-10-18 18:01:48,963 INFO Started\n",
                TextKind::Log,
            ),
            ("fn main() {\n    let x = 1;\n}\n", TextKind::Code),
            (
                "It was a dark and stormy night.\nThe rain fell.\n",
                TextKind::Prose,
            ),
            ("", TextKind::Prose),
        ] {
            assert_eq!(TextKind::guess(text), kind, "{text}");
        }
    }
}
