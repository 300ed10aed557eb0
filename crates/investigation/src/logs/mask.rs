//! What varies in a message: parts of words that hold a digit.

use std::borrow::Cow;

/// What stands for a varying part.
pub(super) const ANY: &str = "<*>";

/// The token with its varying parts replaced: letters and digits that stand together and hold a digit.
///
/// Two such parts with one sign between them become one, so that addresses, times and versions are one part
/// whatever their length.
pub(super) fn mask(token: &str) -> Cow<'_, str> {
    if !token.bytes().any(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(token);
    }
    let mut masked = String::with_capacity(token.len());
    let mut rest = token;
    while let Some(first) = rest.chars().next() {
        if !first.is_alphanumeric() {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        // Groups of a UUID need not have a digit.
        let of_uuid = masked.ends_with("<*>-")
            && part.len() >= 4
            && part.bytes().all(|byte| matches!(byte, b'a'..=b'f'));
        if !of_uuid && !part.bytes().any(|byte| byte.is_ascii_digit()) {
            masked.push_str(part);
            continue;
        }
        // `<*>.` before this part: the sign and the part join it.
        let mut back = masked.chars();
        let sign = back.next_back();
        let joins = sign.is_some_and(|sign| !sign.is_alphanumeric() && sign != '>');
        if joins && back.as_str().ends_with(ANY) {
            let length = back.as_str().len();
            masked.truncate(length);
        } else {
            masked.push_str(ANY);
        }
    }
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_with_a_digit_are_masked_and_joined() {
        for (token, masked) in [
            ("failed", "failed"),
            ("42", "<*>"),
            ("10.11.10.1:8080", "<*>"),
            ("attempt_1445_m_000003_0", "attempt_<*>_m_<*>"),
            ("user=7,", "user=<*>,"),
            ("/v2/54fadb41/servers", "/<*>/servers"),
            ("req-38101a0b-2096-447d", "req-<*>"),
            ("[173.234.31.186]", "[<*>]"),
            ("1-a-2", "<*>-a-<*>"),
            ("é9", "<*>"),
            ("<*>9", "<*><*>"),
            ("", ""),
        ] {
            assert_eq!(mask(token), masked, "{token}");
        }
    }
}
