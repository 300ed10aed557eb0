//! The language of a file, by its name or its shebang.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Block, Scan};

/// Whole file names, in lower case.
const NAMES: [(&str, &[&str]); 6] = [
    ("Dockerfile", &["dockerfile", "containerfile"]),
    ("Makefile", &["makefile", "gnumakefile"]),
    ("CMake", &["cmakelists.txt"]),
    ("TOML", &["cargo.lock", "poetry.lock", "uv.lock"]),
    ("Ruby", &["gemfile", "rakefile"]),
    (
        "Ignore list",
        &[".gitignore", ".dockerignore", ".npmignore", ".ignore"],
    ),
];

/// File extensions, in lower case.
const EXTENSIONS: [(&str, &[&str]); 48] = [
    ("Assembly", &["s", "asm"]),
    ("C", &["c", "h"]),
    ("C#", &["cs"]),
    ("C++", &["cc", "cpp", "cxx", "hpp", "hh", "hxx"]),
    ("CMake", &["cmake"]),
    ("CSS", &["css", "scss", "sass", "less"]),
    ("CSV", &["csv", "tsv"]),
    ("Clojure", &["clj", "cljs", "edn"]),
    ("D2", &["d2"]),
    ("Dart", &["dart"]),
    ("Dockerfile", &["dockerfile"]),
    ("Elixir", &["ex", "exs"]),
    ("Erlang", &["erl", "hrl"]),
    ("F#", &["fs", "fsi", "fsx"]),
    ("Go", &["go"]),
    ("GraphQL", &["graphql", "gql"]),
    ("HTML", &["html", "htm"]),
    ("Haskell", &["hs", "lhs"]),
    ("INI", &["ini", "cfg", "conf"]),
    ("JSON", &["json", "jsonl", "ndjson", "json5"]),
    ("Java", &["java"]),
    ("JavaScript", &["js", "mjs", "cjs", "jsx"]),
    ("Julia", &["jl"]),
    ("Kotlin", &["kt", "kts"]),
    ("Lua", &["lua"]),
    ("Makefile", &["mk"]),
    ("Markdown", &["md", "markdown", "mdx"]),
    ("Nix", &["nix"]),
    ("OCaml", &["ml", "mli"]),
    ("PHP", &["php"]),
    ("Perl", &["pl", "pm"]),
    ("PowerShell", &["ps1", "psm1"]),
    ("Protocol Buffers", &["proto"]),
    ("Python", &["py", "pyi"]),
    ("R", &["r"]),
    ("Ruby", &["rb"]),
    ("Rust", &["rs"]),
    ("SQL", &["sql"]),
    ("Scala", &["scala", "sbt"]),
    ("Shell", &["sh", "bash", "zsh", "fish"]),
    ("Swift", &["swift"]),
    ("TOML", &["toml"]),
    ("Terraform", &["tf", "tfvars", "hcl"]),
    ("Text", &["txt", "rst", "adoc", "text"]),
    ("TypeScript", &["ts", "mts", "cts", "tsx"]),
    ("XML", &["xml", "svg", "xsd", "xsl"]),
    ("YAML", &["yaml", "yml"]),
    ("Zig", &["zig"]),
];

/// Interpreters named in a shebang, without the digits of their version.
const INTERPRETERS: [(&str, &[&str]); 8] = [
    ("JavaScript", &["node", "deno", "bun"]),
    ("Lua", &["lua"]),
    ("PHP", &["php"]),
    ("Perl", &["perl"]),
    ("Python", &["python", "pypy"]),
    ("Ruby", &["ruby"]),
    ("Shell", &["sh", "bash", "zsh", "dash", "ksh", "fish"]),
    ("R", &["Rscript"]),
];

/// The language of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageReport {
    /// Its name; absent when neither name nor shebang is known.
    pub language: Option<Cow<'static, str>>,
    /// Whether the first line decided and not the name.
    pub by_shebang: bool,
}

/// Looks at the name first and, if that says nothing, at the first line.
#[derive(Debug)]
pub struct LanguageScan {
    report: LanguageReport,
}

impl LanguageScan {
    /// Starts with the file's name.
    #[must_use]
    pub fn new(name: &Path) -> Self {
        Self {
            report: LanguageReport {
                language: by_name(name).map(Cow::Borrowed),
                by_shebang: false,
            },
        }
    }
}

impl Scan for LanguageScan {
    type Report = LanguageReport;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        if self.report.language.is_none()
            && let Some(language) = by_shebang(block.bytes)
        {
            self.report = LanguageReport {
                language: Some(Cow::Borrowed(language)),
                by_shebang: true,
            };
        }
        ControlFlow::Break(())
    }

    fn finish(self) -> LanguageReport {
        self.report
    }
}

/// The language that a file name stands for.
pub(super) fn by_name(name: &Path) -> Option<&'static str> {
    let lower = |text: &std::ffi::OsStr| text.to_str().map(str::to_ascii_lowercase);
    let file_name = lower(name.file_name()?)?;
    look_up(&NAMES, &file_name).or_else(|| look_up(&EXTENSIONS, &lower(name.extension()?)?))
}

fn by_shebang(bytes: &[u8]) -> Option<&'static str> {
    let line = bytes
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let mut program = words.next()?;
    if program.ends_with("/env") {
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    let program = program.rsplit('/').next()?;
    look_up(
        &INTERPRETERS,
        program.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.'),
    )
}

fn look_up(table: &[(&'static str, &[&str])], key: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(_, keys)| keys.contains(&key))
        .map(|(language, _)| *language)
}
