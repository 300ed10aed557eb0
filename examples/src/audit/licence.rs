//! The licence that a file declares, quotes or contains.

mod texts;

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::language::by_name;
use super::{Block, Scan};

/// How many lines from the top may hold a header.
const HEADER_LINES: usize = 64;

/// How much of a licence file is read, in bytes; the longest known text has 35 KiB.
const TEXT_BYTES: usize = 128 * 1024;

/// Where a licence was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenceSource {
    /// In an SPDX header.
    SpdxHeader,
    /// In the comment at the top of the file.
    Comment,
    /// In the text of a file named LICENSE, COPYING or the like.
    LicenceFile,
    /// In a package manifest.
    Manifest,
}

impl fmt::Display for LicenceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SpdxHeader => "SPDX header",
            Self::Comment => "comment",
            Self::LicenceFile => "licence file",
            Self::Manifest => "manifest",
        })
    }
}

/// The licence of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceReport {
    /// An SPDX expression; absent when the file says nothing that is known.
    pub expression: Option<String>,
    /// Where it was found.
    pub source: Option<LicenceSource>,
}

/// Looks for a licence.
#[derive(Debug)]
pub struct LicenceScan {
    is_licence_file: bool,
    is_manifest: bool,
    report: LicenceReport,
}

impl LicenceScan {
    /// Starts with the file's name, which tells licence files and manifests from others.
    #[must_use]
    pub fn new(name: &Path) -> Self {
        let file_name = name
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        Self {
            is_licence_file: is_licence_file(name, file_name),
            is_manifest: matches!(file_name, "Cargo.toml" | "package.json" | "pyproject.toml"),
            report: LicenceReport::default(),
        }
    }

    fn look(&self, bytes: &[u8]) -> Option<(String, LicenceSource)> {
        if let Some(expression) = spdx_header(head(bytes)) {
            return Some((expression, LicenceSource::SpdxHeader));
        }
        let (expression, source) = if self.is_licence_file {
            let text = &bytes[..bytes.len().min(TEXT_BYTES)];
            (
                texts::recognise(&texts::normalised(text)),
                LicenceSource::LicenceFile,
            )
        } else if self.is_manifest {
            (manifest_licence(bytes), LicenceSource::Manifest)
        } else {
            (
                texts::recognise(&texts::normalised(leading_comment(head(bytes)))),
                LicenceSource::Comment,
            )
        };
        expression.map(|expression| (expression, source))
    }
}

impl Scan for LicenceScan {
    type Report = LicenceReport;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        if let Some((expression, source)) = self.look(block.bytes) {
            self.report = LicenceReport {
                expression: Some(expression),
                source: Some(source),
            };
        }
        ControlFlow::Break(())
    }

    fn finish(self) -> LicenceReport {
        self.report
    }
}

/// `LICENSE`, `LICENCE.txt`, `COPYING.LESSER`, `LICENSE-MIT`, but not `licence.rs`.
fn is_licence_file(path: &Path, file_name: &str) -> bool {
    let upper = file_name.to_ascii_uppercase();
    ["LICENSE", "LICENCE", "COPYING", "UNLICENSE"]
        .iter()
        .any(|start| upper.starts_with(start))
        && matches!(by_name(path), None | Some("Text" | "Markdown" | "HTML"))
}

fn head(bytes: &[u8]) -> &[u8] {
    let length = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(HEADER_LINES)
        .map(<[u8]>::len)
        .sum();
    &bytes[..length]
}

/// The lines from the top that are empty or start as comments do in one language or another.
fn leading_comment(bytes: &[u8]) -> &[u8] {
    const STARTS: [&[u8]; 11] = [
        b"//", b"/*", b"*", b"#", b"--", b";", b"%", b"<!", b"dnl", b"\"\"\"", b"(*",
    ];
    let mut in_block = false;
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if !in_block && !text.is_empty() && !STARTS.iter().any(|start| text.starts_with(start)) {
            break;
        }
        let opens = text.starts_with(b"/*") || text.starts_with(b"<!--") || text.starts_with(b"(*");
        let closes = [b"*/".as_slice(), b"-->", b"*)"]
            .iter()
            .any(|end| text.ends_with(end));
        in_block = (in_block || opens) && !closes;
        length += line.len();
    }
    &bytes[..length]
}

/// The expression of an SPDX header that stands in a comment of its own.
fn spdx_header(head: &[u8]) -> Option<String> {
    static HEADER: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#"(?m)^[^A-Za-z0-9\n"'`]{0,16}SPDX-License-Identifier:[ \t]*([^\r\n]+)"#)
    });
    HEADER
        .captures_iter(head)
        .find_map(|found| expression(&found[1]))
}

/// What a manifest declares.
fn manifest_licence(bytes: &[u8]) -> Option<String> {
    static FIELD: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"(?m)^[ \t]*"?license"?[ \t]*[=:][ \t]*"([^"\r\n]+)""#));
    FIELD
        .captures_iter(bytes)
        .find_map(|found| expression(&found[1]))
}

fn pattern(source: &str) -> Regex {
    RegexBuilder::new(source)
        .unicode(false)
        .build()
        .expect("the patterns are constants and the tests compile them")
}

/// The longest start of `text` that is an SPDX expression; prose after the colon is none.
fn expression(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let text = ["*/", "-->", "*)"]
        .iter()
        .fold(text, |text, end| text.split(end).next().unwrap_or(text))
        .trim();
    // `MIT/Apache-2.0` is how Cargo manifests used to say "or".
    let text = text.replace('/', " OR ");
    let mut wants_id = true;
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_matches(['(', ')']);
        let is_operator = matches!(bare, "AND" | "OR" | "WITH");
        if wants_id == is_operator || (!is_operator && !is_licence_id(bare)) {
            return None;
        }
        wants_id = is_operator;
        words.push(word);
    }
    (!wants_id).then(|| words.join(" "))
}

/// Ids have a hyphen or a digit, except for a few; no word of prose has both upper case and those.
fn is_licence_id(word: &str) -> bool {
    const PLAIN: [&str; 12] = [
        "MIT",
        "ISC",
        "Zlib",
        "Unlicense",
        "NCSA",
        "PostgreSQL",
        "OpenSSL",
        "curl",
        "WTFPL",
        "Ruby",
        "Vim",
        "X11",
    ];
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.+".contains(&byte);
    PLAIN.contains(&word)
        || (word.len() > 2
            && word.bytes().all(allowed)
            && word.starts_with(|first: char| first.is_ascii_alphanumeric())
            && word.contains('-')
            && word
                .bytes()
                .any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
}
