//! Ids and ARNs within a text.

use std::ops::Range;

use crate::resource::Arn;

/// Trace ids, as X-Ray writes them: `1-8 hex-24 hex`, also from a `traceparent` of W3C Trace Context.
pub(super) fn trace_ids(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('-')) {
        let dash = from + at;
        from = dash + 1;
        let xray = dash.checked_sub(1).and_then(|start| {
            let end = start + 35;
            let fits = bytes[start] == b'1'
                && hex(bytes, start + 2, 8)
                && bytes.get(start + 10) == Some(&b'-')
                && hex(bytes, start + 11, 24);
            (fits && alone(bytes, start, end)).then(|| (start..end, text[start..end].to_owned()))
        });
        let parent = dash.checked_sub(2).and_then(|start| {
            let end = start + 55;
            let fits = bytes.get(start..start + 2) == Some(b"00")
                && hex(bytes, start + 3, 32)
                && bytes.get(start + 35) == Some(&b'-')
                && hex(bytes, start + 36, 16)
                && bytes.get(start + 52) == Some(&b'-')
                && hex(bytes, start + 53, 2);
            let id = || {
                format!(
                    "1-{}-{}",
                    &text[start + 3..start + 11],
                    &text[start + 11..start + 35]
                )
            };
            (fits && alone(bytes, start, end)).then(|| (start..end, id()))
        });
        if let Some((range, id)) = xray.or(parent) {
            from = range.end;
            found.push((range, id.to_ascii_lowercase()));
        }
    }
    found
}

fn hex(bytes: &[u8], start: usize, count: usize) -> bool {
    bytes
        .get(start..start + count)
        .is_some_and(|part| part.iter().all(u8::is_ascii_hexdigit))
}

fn alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric();
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    !before.is_some_and(inside) && !bytes.get(end).is_some_and(inside)
}

/// ARNs, each up to where it can be one no longer.
pub(super) fn arns(text: &str) -> Vec<(Range<usize>, Arn)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("arn:aws") {
        let start = from + at;
        let rest = &text[start..];
        let length = rest
            .find(|c: char| c.is_whitespace() || c.is_control() || "\"'`<>|\\,;".contains(c))
            .unwrap_or(rest.len());
        from = start + length.max("arn:aws".len());
        let begins = !text[..start].ends_with(|c: char| c.is_ascii_alphanumeric());
        let candidate = trimmed(&rest[..length]);
        if begins && let Ok(arn) = candidate.parse::<Arn>() {
            found.push((start..start + candidate.len(), arn));
        }
    }
    found
}

/// Without the punctuation of the sentence; a bracket that was opened within stays.
fn trimmed(candidate: &str) -> &str {
    let mut text = candidate;
    while let Some(last) = text.chars().next_back() {
        let opened = |open: char| text.matches(open).count() >= text.matches(last).count();
        let belongs = match last {
            '.' | ':' | '!' | '?' => false,
            ')' => opened('('),
            ']' => opened('['),
            '}' => opened('{'),
            _ => true,
        };
        if belongs {
            break;
        }
        text = &text[..text.len() - last.len_utf8()];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_found_with_their_place_and_only_whole() {
        let id = "1-68f622d0-2cfc080243ee63df62fc57a8";
        for text in [
            id.to_owned(),
            format!("Root={id};Parent=53995c3f42cd8ad8;Sampled=1"),
            format!("see ({id})."),
        ] {
            let [(range, found)] = &trace_ids(&text)[..] else {
                panic!("{text}");
            };
            assert_eq!((&text[range.clone()], &**found), (id, id));
        }
        let parent = "00-68f622d02cfc080243ee63df62fc57a8-53995c3f42cd8ad8-01";
        assert_eq!(trace_ids(parent)[0].1, id);
        for text in [
            "1-68f622d0-2cfc080243ee63df62fc57a",
            "1-68f622d0-2cfc080243ee63df62fc57a8f",
            "21-68f622d0-2cfc080243ee63df62fc57a8",
            "1-",
            "-",
            "é-68f622d0",
        ] {
            assert!(trace_ids(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn p2_arns_are_found_in_sentences_whole() {
        for (text, expected) in [
            (
                "see arn:aws:lambda:eu-west-1:123456789012:function:payments:PROD.",
                "arn:aws:lambda:eu-west-1:123456789012:function:payments:PROD",
            ),
            (
                "(arn:aws:states:eu-west-1:123456789012:stateMachine:wf.v2)",
                "arn:aws:states:eu-west-1:123456789012:stateMachine:wf.v2",
            ),
            (
                "{\"a\":\"arn:aws:s3:::my.bucket.name/key\"}",
                "arn:aws:s3:::my.bucket.name/key",
            ),
            (
                "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:jobs, then",
                "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:jobs",
            ),
            ("arn:aws-cn:s3:::b!", "arn:aws-cn:s3:::b"),
            (
                "stream arn:aws:logs:eu-west-1:123456789012:log-group:g:log-stream:[$LATEST]",
                "arn:aws:logs:eu-west-1:123456789012:log-group:g:log-stream:[$LATEST]",
            ),
        ] {
            let [(range, arn)] = &arns(text)[..] else {
                panic!("{text}");
            };
            assert_eq!((&text[range.clone()], arn.as_str()), (expected, expected));
        }
        assert!(arns("barn:aws:s3:::b arn:aws arn:awsome:x").is_empty());
    }
}
