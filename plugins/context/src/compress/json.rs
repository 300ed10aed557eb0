//! Squeezes JSON without touching a key, a number or a string: what stays is copied from the text.

use serde::de::IgnoredAny;

use crate::compress::{Level, Losses, note};

/// A value, as slices of the text.
enum Node<'a> {
    Scalar(&'a str),
    Array(Vec<Node<'a>>),
    Object(Vec<(&'a str, Node<'a>)>),
}

/// Items kept at the beginning and the end of an array, at a level; `None` keeps all.
const fn kept(level: Level) -> Option<(usize, usize)> {
    match level {
        Level::Light => None,
        Level::Medium => Some((4, 2)),
        Level::Heavy => Some((2, 1)),
    }
}

/// The value without white space; long arrays lose their middle at medium, objects their null and empty fields at heavy. `None` when it is not JSON.
pub(super) fn squeeze(text: &str, level: Level) -> Option<(String, Losses)> {
    // Checks the depth as well, so the reader below may recurse and take the grammar for granted.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut reader = Reader { text, at: 0 };
    let root = reader.value()?;
    let mut out = String::with_capacity(text.len());
    let mut losses = Losses::default();
    write(&root, level, &mut out, &mut losses);
    out.push('\n');
    if losses.fields > 0 {
        // In the value itself it would look like a field.
        out.push_str(&note(losses.fields, "null or empty fields"));
    }
    Some((out, losses))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn value(&mut self) -> Option<Node<'a>> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(Node::Scalar),
            _ => {
                let rest = &self.text[self.at..];
                let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | ']' | '}');
                let len = rest.find(ends).unwrap_or(rest.len());
                self.at += len;
                Some(Node::Scalar(&rest[..len]))
            }
        }
    }

    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while *bytes.get(at)? != b'"' {
            at += 1 + usize::from(bytes[at] == b'\\');
        }
        self.at = at + 1;
        Some(&self.text[start..self.at])
    }

    fn array(&mut self) -> Option<Node<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        while self.peek()? != b']' {
            items.push(self.value()?);
            self.skip_comma();
        }
        self.at += 1;
        Some(Node::Array(items))
    }

    fn object(&mut self) -> Option<Node<'a>> {
        self.at += 1;
        let mut fields = Vec::new();
        while self.peek()? != b'}' {
            let key = self.string()?;
            self.peek()?;
            self.at += 1;
            fields.push((key, self.value()?));
            self.skip_comma();
        }
        self.at += 1;
        Some(Node::Object(fields))
    }

    fn skip_comma(&mut self) {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
    }
}

fn write(node: &Node<'_>, level: Level, out: &mut String, losses: &mut Losses) {
    match node {
        Node::Scalar(text) => out.push_str(text),
        Node::Array(items) => {
            out.push('[');
            let (head, tail) = kept(level).unwrap_or((items.len(), 0));
            let dropped = items.len().saturating_sub(head + tail);
            for (at, item) in items.iter().enumerate() {
                if dropped > 0 && (head..head + dropped).contains(&at) {
                    if at == head {
                        comma(out, at);
                        out.push('"');
                        out.push_str(note(dropped, "items").trim_end());
                        out.push('"');
                        losses.items += dropped;
                    }
                    continue;
                }
                comma(out, at);
                write(item, level, out, losses);
            }
            out.push(']');
        }
        Node::Object(fields) => {
            out.push('{');
            let mut written = 0;
            for (key, value) in fields {
                if level == Level::Heavy && says_nothing(value) {
                    losses.fields += 1;
                    continue;
                }
                comma(out, written);
                written += 1;
                out.push_str(key);
                out.push(':');
                write(value, level, out, losses);
            }
            out.push('}');
        }
    }
}

fn comma(out: &mut String, before: usize) {
    if before > 0 {
        out.push(',');
    }
}

fn says_nothing(node: &Node<'_>) -> bool {
    match node {
        Node::Scalar(text) => matches!(*text, "null" | "\"\""),
        Node::Array(items) => items.is_empty(),
        Node::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_changes_white_space_only() {
        let (text, losses) = squeeze(
            "{ \"b\" : [ 1.10, 1e40 , {} ],\n \"a\" : \" x \\\" , \" }",
            Level::Light,
        )
        .unwrap();
        assert_eq!(text, "{\"b\":[1.10,1e40,{}],\"a\":\" x \\\" , \"}\n");
        assert!(losses.is_none());
    }

    #[test]
    fn long_arrays_lose_their_middle_and_say_so() {
        let json = format!(
            "[{}]",
            (0..20)
                .map(|n| n.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        );
        let (text, losses) = squeeze(&json, Level::Medium).unwrap();
        assert_eq!(text, "[0,1,2,3,\"[...] 14 items dropped\",18,19]\n");
        assert_eq!(losses.items, 14);
        let still: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(still.as_array().unwrap().len(), 7);
    }

    #[test]
    fn heavy_drops_what_says_nothing_and_counts_it() {
        let (text, losses) =
            squeeze("{\"a\":null,\"b\":\"\",\"c\":[],\"d\":0}", Level::Heavy).unwrap();
        assert_eq!(text, "{\"d\":0}\n[...] 3 null or empty fields dropped\n");
        assert_eq!(losses.fields, 3);
        assert!(squeeze("{\"a\":", Level::Heavy).is_none());
    }
}
