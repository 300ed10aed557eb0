//! Squeezes source code by its lines and their indentation: comments go, then bodies of functions.

use crate::compress::lines::push;
use crate::compress::{Losses, note};

/// Drops blank lines and lines that are comments as a whole.
pub(super) fn strip(text: &str) -> (String, Losses) {
    let mut out = String::with_capacity(text.len());
    let mut losses = Losses::default();
    let mut in_block = false;
    let mut dropped = 0;
    for line in text.lines().map(str::trim_end) {
        let content = line.trim_start();
        if content.is_empty() {
            continue;
        }
        if in_block || is_comment(content) {
            in_block = (in_block || content.starts_with("/*")) && !content.contains("*/");
            dropped += 1;
            continue;
        }
        push(&mut out, line);
    }
    if dropped > 0 {
        // One note for all: at each place it would be longer than what it stands for.
        out.push_str(&note(dropped, "lines of comments above"));
        losses.comment_lines = dropped;
    }
    (out, losses)
}

fn is_comment(content: &str) -> bool {
    let attribute = content.starts_with("#[")
        || content.starts_with("#!")
        || content.starts_with("#include")
        || content.starts_with("#define")
        || content.starts_with("#if")
        || content.starts_with("#e");
    content.starts_with("//")
        // What follows the end of a block comment on its line is code.
        || content.starts_with("/*") && content.find("*/").is_none_or(|at| at + 2 == content.len())
        || content.starts_with('#') && !attribute
        || content.starts_with("-- ")
}

/// Strips, then drops the bodies of functions: the lines below a signature that are indented deeper.
pub(super) fn signatures(text: &str) -> (String, Losses) {
    let (stripped, mut losses) = strip(text);
    let lines: Vec<&str> = stripped.lines().collect();
    let mut out = String::with_capacity(stripped.len() / 2);
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        push(&mut out, line);
        at += 1;
        if !is_signature(line.trim_start()) {
            continue;
        }
        let indent = indent_of(line);
        // A signature of several lines goes on until something opens or ends it.
        let mut open = line;
        while !open.ends_with(['{', ':', ';', '}'])
            && at < lines.len()
            && !lines[at].starts_with("[...]")
        {
            open = lines[at];
            push(&mut out, open);
            at += 1;
        }
        if !open.ends_with(['{', ':']) {
            continue;
        }
        let body = lines[at..]
            .iter()
            .take_while(|line| indent_of(line) > indent)
            .count();
        if body >= BODY_MIN {
            out.push_str(&" ".repeat(indent + 4));
            out.push_str(&note(body, "lines of the body"));
            losses.body_lines += body;
            at += body;
        }
    }
    (out, losses)
}

/// A body is dropped from so many lines on.
const BODY_MIN: usize = 2;

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_signature(content: &str) -> bool {
    const BEGINS: &[&str] = &["fn ", "def ", "async def ", "func ", "function "];
    const BEFORE: &[&str] = &[
        "pub ",
        "pub(crate) ",
        "pub(super) ",
        "const ",
        "async ",
        "unsafe ",
        "export ",
        "default ",
        "static ",
        "public ",
        "private ",
        "protected ",
        "extern ",
    ];
    let mut rest = content;
    while let Some(next) = BEFORE.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = next;
    }
    BEGINS.iter().any(|word| rest.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "\
//! Docs.
use x;

/// Adds.
pub fn add(
    a: u32, // first
    b: u32,
) -> u32 {
    let sum = a + b;
    // said
    sum
}
/* a
   b */
#[derive(Debug)]
struct S {
    field: u32,
}
";

    #[test]
    fn comments_go_and_code_stays() {
        let (text, losses) = strip(RUST);
        assert_eq!(losses.comment_lines, 5);
        assert!(text.contains("#[derive(Debug)]") && text.contains("a: u32, // first"));
        assert!(
            text.ends_with("[...] 5 lines of comments above dropped\n"),
            "{text}"
        );
    }

    #[test]
    fn bodies_become_their_number_of_lines() {
        let (text, losses) = signatures(RUST);
        assert!(
            text.contains(") -> u32 {\n    [...] 2 lines of the body dropped\n}\n"),
            "{text}"
        );
        assert!(text.contains("    field: u32,\n"));
        assert_eq!(losses.body_lines, 2);
        let python = "class A:\n    def f(self):\n        x = 1\n        return x\n    y = 2\n";
        let (text, _) = signatures(python);
        assert_eq!(
            text,
            "class A:\n    def f(self):\n        [...] 2 lines of the body dropped\n    y = 2\n"
        );
    }
}
