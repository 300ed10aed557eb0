//! Talks in the forms in which they can be had, and what can be read out of a transcript.
//!
//! The talks are written for the example `fallback_pipeline`. The analyses are small and real: word lists, and numbers against a table of references.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The words of a usual talk of this collection, by which analyses estimate their cost.
pub const WORDS_USUAL: u64 = 50;

/// A form in which a talk can be had, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Written down by people.
    Captions,
    /// What speech recognition makes of the sound.
    Speech,
    /// What the organiser announced.
    Description,
}

impl Form {
    /// All forms, the best first.
    pub const ALL: [Self; 3] = [Self::Captions, Self::Speech, Self::Description];

    /// The capability of an agent that can get it.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Captions => "captions",
            Self::Speech => "speech",
            Self::Description => "description",
        }
    }
}

/// The text of a talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// Where it comes from.
    pub form: Form,
    /// The text.
    pub text: String,
    /// Words that speech recognition did not understand. They are left out of the text.
    pub unsure: usize,
}

impl Transcript {
    /// How many words it has.
    #[must_use]
    pub fn words(&self) -> usize {
        self.text.split_whitespace().count()
    }
}

/// Talk, form, text. A word that recognition is unsure of begins with `~`.
const TALKS: &[(&str, Form, &str)] = &[
    (
        "tides",
        Form::Captions,
        "Tides are a wonderful clock. The Moon is 384400 km away and still it lifts the sea. \
         Everybody knows that the tide comes once a day. In truth there are 2 high tides a day. \
         A great bay can rise by 16 m. The coast of Fundy is famous for that, and it is beautiful.",
    ),
    ("tides", Form::Speech, "Tights are a wonderful clock"),
    (
        "bees",
        Form::Speech,
        "Bees have a hard year. A bee has ~sick 6 legs and a honey bee flies at 24 km/h. \
         The losses are ~sad terrible. Either we act now or the orchards die. \
         A hive holds 50000 bees in a good summer ~buzz and a bee has 4 eyes.",
    ),
    (
        "rails",
        Form::Description,
        "A history of the railway, with a gauge of 1435 mm and many questions.",
    ),
];

/// A talk in a form; `None` when it cannot be had.
#[must_use]
pub fn fetch(name: &str, form: Form) -> Option<Transcript> {
    let of_talk = |(talk, of, _): &&(&str, Form, &str)| *talk == name && *of == form;
    let (_, _, text) = TALKS.iter().find(of_talk)?;
    let (unsure, sure): (Vec<_>, Vec<_>) = text
        .split_whitespace()
        .partition(|word| word.starts_with('~'));
    Some(Transcript {
        form,
        text: sure.join(" "),
        unsure: unsure.len(),
    })
}

/// What an analysis found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Words that praise and words that complain.
    Tone {
        /// Words that praise.
        praise: usize,
        /// Words that complain.
        complaint: usize,
    },
    /// Figures, and what the references say of them.
    Claims(Vec<Claim>),
    /// Phrases that persuade without a reason.
    Rhetoric(Vec<String>),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tone { praise, complaint } => {
                let tone = match praise.cmp(complaint) {
                    std::cmp::Ordering::Greater => "glad",
                    std::cmp::Ordering::Less => "grave",
                    std::cmp::Ordering::Equal => "even",
                };
                writeln!(
                    f,
                    "- tone: {tone}, {praise} words praise and {complaint} complain"
                )
            }
            Self::Claims(claims) => claims.iter().try_for_each(|claim| {
                let Claim { figure, verdict } = claim;
                writeln!(f, "- claim \"{figure}\": {verdict}")
            }),
            Self::Rhetoric(phrases) => phrases
                .iter()
                .try_for_each(|phrase| writeln!(f, "- persuades without a reason: \"{phrase}\"")),
        }
    }
}

const PRAISE: &[&str] = &["beautiful", "famous", "good", "great", "wonderful"];
const COMPLAINT: &[&str] = &["die", "hard", "losses", "terrible"];

/// Words that praise and words that complain.
#[must_use]
pub fn tone(transcript: &Transcript) -> Finding {
    let count = |list: &[&str]| {
        let words = transcript.text.split_whitespace();
        words.filter(|word| list.contains(&&*plain(word))).count()
    };
    Finding::Tone {
        praise: count(PRAISE),
        complaint: count(COMPLAINT),
    }
}

fn plain(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase()
}

const PERSUADES: &[&str] = &["everybody knows", "either we", "no one can deny"];

/// Phrases that persuade without a reason.
#[must_use]
pub fn rhetoric(transcript: &Transcript) -> Finding {
    let text = transcript.text.to_lowercase();
    let used = PERSUADES.iter().filter(|phrase| text.contains(**phrase));
    Finding::Rhetoric(used.map(|phrase| (*phrase).to_owned()).collect())
}

/// A figure of a talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The figure with its unit or noun.
    pub figure: String,
    /// What the references say.
    pub verdict: Verdict,
}

/// What the references say of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is right, within one percent.
    Right,
    /// The reference says something else.
    Wrong {
        /// What it says.
        reference: u64,
    },
    /// There is no reference.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("right"),
            Self::Wrong { reference } => write!(f, "wrong, the reference says {reference}"),
            Self::Unknown => f.write_str("no reference"),
        }
    }
}

/// Unit or noun, a word of the same sentence, figure.
const REFERENCES: &[(&str, &str, u64)] = &[
    ("km", "moon", 384_400),
    ("high", "tides", 2),
    ("m", "bay", 16),
    ("legs", "bee", 6),
    ("eyes", "bee", 5),
    ("mm", "gauge", 1_435),
];

/// Figures, and what the references say of them.
#[must_use]
pub fn claims(transcript: &Transcript) -> Finding {
    let mut claims = Vec::new();
    for sentence in transcript.text.split_inclusive(". ") {
        let words: Vec<_> = sentence.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<u64>() else {
                continue;
            };
            let of = plain(pair[1]);
            let about = |word: &str| {
                words
                    .iter()
                    .any(|w| plain(w).trim_end_matches('s') == word.trim_end_matches('s'))
            };
            let reference = REFERENCES
                .iter()
                .find(|(unit, word, _)| *unit == of && about(word));
            let verdict = match reference {
                None => Verdict::Unknown,
                Some((_, _, figure)) if number.abs_diff(*figure) * 100 <= *figure => Verdict::Right,
                Some((_, _, figure)) => Verdict::Wrong { reference: *figure },
            };
            let figure = format!("{} {}", pair[0], of);
            claims.push(Claim { figure, verdict });
        }
    }
    Finding::Claims(claims)
}
