//! Finds the modules that a source file names, by its tokens.
//!
//! Tokens, not a syntax tree: a path inside a macro call counts like any other, and comments are not tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A name directly below the crate's root, and the line that names it.
///
/// The name is `*` where the code takes the whole root, so that its edges cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) references: Vec<Reference>,
    /// Full paths of modules in other files that exist only in tests.
    pub(crate) test_modules: Vec<Vec<String>>,
}

/// Reads the tokens of the file that holds `module` (empty for `lib.rs`), leaving out test code.
pub(crate) fn scan(tokens: TokenStream, module: &[String]) -> Scan {
    let mut scan = Scan::default();
    scan.walk(&trees(tokens), &mut module.to_vec());
    scan
}

pub(crate) fn trees(tokens: TokenStream) -> Vec<TokenTree> {
    tokens.into_iter().collect()
}

impl Scan {
    fn walk(&mut self, tokens: &[TokenTree], module: &mut Vec<String>) {
        let mut index = 0;
        while index < tokens.len() {
            if let Some(attribute) = attribute_at(tokens, index) {
                index = attribute.end;
                if !attribute.is_test_only {
                    self.walk(&attribute.inside, module);
                } else if attribute.is_inner {
                    return;
                } else {
                    let end = end_of_item(tokens, index);
                    self.note_test_module(&tokens[index..end], module);
                    index = end;
                }
                continue;
            }
            match &tokens[index] {
                TokenTree::Ident(ident) if ident == "mod" => {
                    index = self.enter_module(tokens, index, module);
                }
                TokenTree::Ident(ident) if ident == "crate" => {
                    index = self.follow(tokens, index, Some(0));
                }
                TokenTree::Ident(ident) if ident == "super" => {
                    index = self.follow(tokens, index, module.len().checked_sub(1));
                }
                TokenTree::Group(group) => {
                    self.walk(&trees(group.stream()), module);
                    index += 1;
                }
                _ => index += 1,
            }
        }
    }

    fn enter_module(
        &mut self,
        tokens: &[TokenTree],
        index: usize,
        module: &mut Vec<String>,
    ) -> usize {
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
            (tokens.get(index + 1), tokens.get(index + 2))
        else {
            return index + 1;
        };
        module.push(plain(name));
        self.walk(&trees(body.stream()), module);
        module.pop();
        index + 3
    }

    fn note_test_module(&mut self, item: &[TokenTree], module: &[String]) {
        let mut words = item.iter().skip_while(|tree| !is_word(tree, "mod"));
        if let (Some(_), Some(TokenTree::Ident(name)), Some(TokenTree::Punct(_))) =
            (words.next(), words.next(), words.next())
        {
            let mut path = module.to_vec();
            path.push(plain(name));
            self.test_modules.push(path);
        }
    }

    /// Follows a path that begins with `crate` or `super` at `index`, and returns where to go on.
    ///
    /// `level` is how many modules deep the path stands after its first word.
    fn follow(&mut self, tokens: &[TokenTree], index: usize, level: Option<usize>) -> usize {
        let (Some(level), true) = (level, is_path_separator(tokens, index + 1)) else {
            return index + 1;
        };
        let mut next = index + 3;
        self.resolve(&tokens[next..], level);
        while is_super(tokens, next) {
            next += 3;
        }
        match tokens.get(next) {
            Some(TokenTree::Group(_)) => next + 1,
            _ => next,
        }
    }

    fn resolve(&mut self, path: &[TokenTree], level: usize) {
        match path.first() {
            Some(TokenTree::Ident(_)) if is_super(path, 0) => {
                if let Some(level) = level.checked_sub(1) {
                    self.resolve(&path[3..], level);
                }
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                for part in trees(group.stream()).split(|tree| is_punct(tree, ',')) {
                    self.resolve(part, level);
                }
            }
            Some(TokenTree::Ident(name)) if level == 0 => self.references.push(Reference {
                name: if name == "self" {
                    "*".to_owned()
                } else {
                    plain(name)
                },
                line: name.span().start().line,
            }),
            Some(TokenTree::Punct(star)) if level == 0 && star.as_char() == '*' => {
                self.references.push(Reference {
                    name: "*".to_owned(),
                    line: star.span().start().line,
                });
            }
            _ => {}
        }
    }
}

struct Attribute {
    inside: Vec<TokenTree>,
    is_inner: bool,
    is_test_only: bool,
    end: usize,
}

fn attribute_at(tokens: &[TokenTree], index: usize) -> Option<Attribute> {
    if !is_punct(tokens.get(index)?, '#') {
        return None;
    }
    let is_inner = is_punct(tokens.get(index + 1)?, '!');
    let at = index + 1 + usize::from(is_inner);
    match tokens.get(at)? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            let inside = trees(group.stream());
            Some(Attribute {
                is_test_only: inside.first().is_some_and(|tree| is_word(tree, "cfg"))
                    && inside.get(1).is_some_and(requires_test),
                inside,
                is_inner,
                end: at + 1,
            })
        }
        _ => None,
    }
}

/// Tells whether `(…)` after `cfg` or `all` holds only while tests are built.
fn requires_test(condition: &TokenTree) -> bool {
    let TokenTree::Group(group) = condition else {
        return false;
    };
    trees(group.stream())
        .split(|tree| is_punct(tree, ','))
        .any(|part| match part {
            [word] => is_word(word, "test"),
            [word, inner] => is_word(word, "all") && requires_test(inner),
            _ => false,
        })
}

/// Finds where the item, field or statement at `start` ends.
fn end_of_item(tokens: &[TokenTree], start: usize) -> usize {
    let mut index = start;
    while let Some(attribute) = attribute_at(tokens, index) {
        index = attribute.end;
    }
    let keyword = tokens[index..].iter().find_map(|tree| match tree {
        TokenTree::Ident(word) => match word.to_string().as_str() {
            "pub" | "async" | "unsafe" | "crate" => None,
            other => Some(other.to_owned()),
        },
        _ => None,
    });
    let constant_function = tokens[index..]
        .windows(2)
        .take(3)
        .any(|pair| is_word(&pair[0], "const") && is_word(&pair[1], "fn"));
    let (ends_at_comma, ends_at_braces) = match keyword.as_deref() {
        Some("const") if constant_function => (false, true),
        Some("use" | "const" | "static" | "type" | "let" | "extern") => (false, false),
        Some("fn" | "mod" | "impl" | "struct" | "enum" | "trait" | "union" | "macro_rules") => {
            (false, true)
        }
        _ => (true, true),
    };
    while let Some(tree) = tokens.get(index) {
        index += 1;
        let is_end = match tree {
            TokenTree::Group(group) => ends_at_braces && group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(mark) => {
                mark.as_char() == ';' || (ends_at_comma && mark.as_char() == ',')
            }
            _ => false,
        };
        if is_end {
            break;
        }
    }
    index
}

pub(crate) fn is_punct(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark)
}

pub(crate) fn is_word(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == word)
}

pub(crate) fn is_path_separator(tokens: &[TokenTree], index: usize) -> bool {
    let colon = |at| tokens.get(at).is_some_and(|tree| is_punct(tree, ':'));
    colon(index) && colon(index + 1)
}

fn is_super(tokens: &[TokenTree], index: usize) -> bool {
    tokens.get(index).is_some_and(|tree| is_word(tree, "super"))
        && is_path_separator(tokens, index + 1)
}

fn plain(ident: &proc_macro2::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;
