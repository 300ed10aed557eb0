//! Seals entries one onto the other.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::audit::Entry;
use crate::key::ServerKey;
use crate::redact::Redactor;

const DOMAIN_ENTRY: &str = "universal-orchestrator audit entry";
const DOMAIN_ANCHOR: &str = "universal-orchestrator audit anchor";
/// Between an entry and its hash.
const HASH_FIELD: &[u8] = b",\"hash\":\"";
const HASH_END: &[u8] = b"\"}";
const HEX_BYTES: usize = 64;
/// The hash before the first entry.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Seals logs of orchestrators without a server key. It is no secret.
const OPEN_KEY: &[u8] = b"universal-orchestrator audit log without a server key";

/// The key of a log.
#[derive(Debug, Clone)]
pub(crate) struct Seal {
    key: ServerKey,
    is_secret: bool,
}

impl Seal {
    /// With the server key: nobody without it can make an entry.
    pub(crate) const fn keyed(key: ServerKey) -> Self {
        Self {
            key,
            is_secret: true,
        }
    }

    /// Without one: whoever knows how can compute a whole log anew.
    pub(crate) fn open() -> Option<Self> {
        let key = ServerKey::new(OPEN_KEY.to_vec(), "open").ok()?;
        Some(Self {
            key,
            is_secret: false,
        })
    }

    pub(super) const fn is_secret(&self) -> bool {
        self.is_secret
    }

    pub(super) fn entry_hash(&self, body: &[u8]) -> String {
        HEXLOWER.encode(&self.key.hash(DOMAIN_ENTRY, &[body]))
    }

    pub(super) fn anchor_hash(&self, body: &[u8]) -> String {
        HEXLOWER.encode(&self.key.hash(DOMAIN_ANCHOR, &[body]))
    }
}

/// The fields of an entry in their order, without its hash.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Body<'a> {
    pub(super) seq: u64,
    pub(super) time: Cow<'a, str>,
    pub(super) event: Cow<'a, str>,
    pub(super) outcome: Cow<'a, str>,
    pub(super) principal: Cow<'a, str>,
    pub(super) token: Cow<'a, str>,
    pub(super) subject: Cow<'a, str>,
    pub(super) detail: Cow<'a, str>,
    pub(super) previous: Cow<'a, str>,
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The number of the last entry; 0: none.
    pub(super) seq: u64,
    pub(super) hash: String,
}

/// Renders an entry as the line after `link`, with its line end; and the new end of the chain.
pub(super) fn render(
    entry: &Entry,
    link: &Link,
    seal: &Seal,
    redactor: &Redactor,
    text_bytes_max: usize,
) -> (Vec<u8>, Link) {
    let clean = |text: &str| cut(redactor.text(text), text_bytes_max);
    let time = jiff::Timestamp::try_from(entry.time)
        .map_or_else(|_| "unknown".to_owned(), |time| time.to_string());
    let principal = entry.principal.as_ref().map_or("", |name| name.as_str());
    let subject = entry.subject.text();
    let seq = link.seq + 1;
    let body = Body {
        seq,
        time: Cow::Owned(time),
        event: Cow::Borrowed(entry.event.as_str()),
        outcome: Cow::Borrowed(entry.code.as_str()),
        principal: Cow::Owned(clean(principal)),
        token: Cow::Borrowed(entry.token.as_ref().map_or("", |token| &token.id)),
        subject: Cow::Owned(clean(&subject)),
        detail: Cow::Owned(clean(entry.detail.text())),
        previous: Cow::Borrowed(&link.hash),
    };
    // Texts and numbers always serialise.
    let mut line = serde_json::to_vec(&body).unwrap_or_default();
    line.pop();
    let hash = seal.entry_hash(&line);
    line.extend_from_slice(HASH_FIELD);
    line.extend_from_slice(hash.as_bytes());
    line.extend_from_slice(HASH_END);
    line.push(b'\n');
    (line, Link { seq, hash })
}

/// The first bytes of a text, with a sign that there was more.
fn cut(text: Cow<'_, str>, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.into_owned();
    }
    const MORE: &str = "…";
    let mut end = bytes_max.saturating_sub(MORE.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MORE}", &text[..end])
}

/// A line whose own hash holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) seq: u64,
    pub(super) previous: String,
    pub(super) hash: String,
}

/// Checks one line, without its line end, against its own hash; `None` when it does not hold.
pub(super) fn check(line: &[u8], seal: &Seal) -> Option<Checked> {
    let rest = line.strip_suffix(HASH_END)?;
    let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HEX_BYTES)?)?;
    let body = rest.strip_suffix(HASH_FIELD)?;
    let expected = seal.entry_hash(body);
    if !bool::from(expected.as_bytes().ct_eq(hash)) {
        return None;
    }
    let mut whole = body.to_vec();
    whole.push(b'}');
    // A line that was sealed is JSON; one that was not does not get here.
    let parsed: Body<'_> = serde_json::from_slice(&whole).ok()?;
    Some(Checked {
        seq: parsed.seq,
        previous: parsed.previous.into_owned(),
        hash: expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut(Cow::Borrowed("abc"), 3), "abc");
        assert_eq!(cut(Cow::Borrowed("äöüäöü"), 8), "äö…");
    }
}
