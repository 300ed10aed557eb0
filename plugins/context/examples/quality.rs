//! What survives of a text when it is made shorter: answers that are still there, beside the tokens that are kept.
//!
//! ```text
//! cargo run --release -p universal-orchestrator-context --example quality
//! UO_DATA_DIR=path/to/data cargo run --release -p universal-orchestrator-context --example quality
//! ```
//!
//! Nobody picks the questions; rules make them, and an answer survives if its exact text is in what is left:
//!
//! - *settings*: each row of a table of `docs/configuration.md` that begins with a name in backticks. Query: "what is" and the name. Answer: the row.
//! - *sentences*: every fifth line of `docs/semantics.md` and `docs/writing-a-plugin.md` with 60 bytes or more. Query: every second word of it. Answer: the line.
//! - *signatures*: each line of the core's sources that begins, but for blanks, with `pub fn`. Query: "signature of" and the function's name. Answer: the line.
//! - *rare events*: each log line whose true template occurs once in its log. Query: every second word of the template that is no variable. Answer: the line.
//! - *single lines*: every 40th line of a log. Query: the words of its message with a digit, at most three. Answer: the line.
//!
//! The logs lie in the folder `loghub` of `UO_DATA_DIR`, laid out as <https://github.com/logpai/loghub> has them; without the variable the last two rules have no text.
//! Levels know nothing of the questions. An adaptive compression is made for each question, once with its query and once without, as head and tail are at the same budget.
#![expect(clippy::print_stdout, reason = "an example shows what it measured")]

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use universal_orchestrator_context::{Encoding, Level, TextKind, compress, compress_to};

const ENCODING: Encoding = Encoding::O200kBase;
/// Budgets of the adaptive compression, in percent of the text.
const BUDGETS: [usize; 2] = [10, 25];

struct Question {
    query: String,
    answer: String,
}

struct Text {
    text: String,
    kind: TextKind,
    questions: Vec<Question>,
}

/// Texts and questions of one rule.
struct Suite {
    name: &'static str,
    texts: Vec<Text>,
}

#[derive(Default, Clone, Copy)]
struct Score {
    before: usize,
    kept: usize,
    asked: usize,
    survived: usize,
}

impl Score {
    fn add(&mut self, before: usize, kept: usize, survived: bool) {
        self.before += before;
        self.kept += kept;
        self.asked += 1;
        self.survived += usize::from(survived);
    }

    fn row(&self, suite: &str, method: &str) {
        let percent = |part: usize, all: usize| 100.0 * part as f64 / all.max(1) as f64;
        println!(
            "| {suite} | {} | {method} | {:.1} % | {:.1} % |",
            self.asked,
            percent(self.kept, self.before),
            percent(self.survived, self.asked)
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut suites = vec![settings(&root)?, sentences(&root)?, signatures(&root)?];
    match std::env::var_os("UO_DATA_DIR") {
        Some(folder) => suites.extend(logs(&PathBuf::from(folder).join("loghub"))?),
        None => println!(
            "UO_DATA_DIR is not set: no logs, only this repository's documents and sources\n"
        ),
    }
    println!("| questions on | number | method | tokens kept | answers that survive |");
    println!("|---|---|---|---|---|");
    for suite in &suites {
        judge_levels(suite);
        judge_budgets(suite);
    }
    Ok(())
}

fn judge_levels(suite: &Suite) {
    for level in Level::ALL {
        let [mut own, mut head, mut tail] = [Score::default(); 3];
        for text in &suite.texts {
            let before = ENCODING.count(&text.text);
            let short = compress(&text.text, text.kind, level, ENCODING);
            let first = ENCODING.head(&text.text, short.tokens);
            let last = ENCODING.tail(&text.text, short.tokens);
            for question in &text.questions {
                let has = |text: &str| text.contains(&question.answer);
                own.add(before, short.tokens, has(&short.text));
                head.add(before, short.tokens, has(first));
                tail.add(before, short.tokens, has(last));
            }
        }
        own.row(suite.name, level.as_str());
        head.row(suite.name, &format!("head, as long as {}", level.as_str()));
        tail.row(suite.name, &format!("tail, as long as {}", level.as_str()));
    }
}

fn judge_budgets(suite: &Suite) {
    for percent in BUDGETS {
        let [mut asked, mut blind, mut head, mut tail] = [Score::default(); 4];
        for text in &suite.texts {
            let before = ENCODING.count(&text.text);
            let budget = before * percent / 100;
            let short = |query| compress_to(&text.text, text.kind, budget, query, ENCODING);
            let unasked = short(None);
            let first = ENCODING.head(&text.text, budget);
            let last = ENCODING.tail(&text.text, budget);
            for question in &text.questions {
                let has = |text: &str| text.contains(&question.answer);
                let add = |score: &mut Score, short: Option<(&str, usize)>| {
                    let (text, tokens) = short.unwrap_or_default();
                    score.add(before, tokens, has(text));
                };
                let for_query = short(Some(&question.query));
                add(&mut asked, for_query.as_ref().map(|s| (&*s.text, s.tokens)));
                add(&mut blind, unasked.as_ref().map(|s| (&*s.text, s.tokens)));
                add(&mut head, Some((first, budget)));
                add(&mut tail, Some((last, budget)));
            }
        }
        asked.row(
            suite.name,
            &format!("adaptive to {percent} %, with the query"),
        );
        blind.row(suite.name, &format!("adaptive to {percent} %, without"));
        head.row(suite.name, &format!("head of {percent} %"));
        tail.row(suite.name, &format!("tail of {percent} %"));
    }
}

fn every_second_word(text: &str) -> String {
    text.split_whitespace()
        .step_by(2)
        .collect::<Vec<_>>()
        .join(" ")
}

fn settings(root: &Path) -> Result<Suite, Box<dyn Error>> {
    let text = fs::read_to_string(root.join("docs/configuration.md"))?;
    let rows = text.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?.split('`').next()?;
        let (query, answer) = (format!("what is {name}"), line.trim_end().to_owned());
        Some(Question { query, answer })
    });
    let questions = rows.collect();
    let text = Text {
        questions,
        kind: TextKind::Prose,
        text,
    };
    Ok(Suite {
        name: "settings",
        texts: vec![text],
    })
}

fn sentences(root: &Path) -> Result<Suite, Box<dyn Error>> {
    let mut texts = Vec::new();
    for name in ["docs/semantics.md", "docs/writing-a-plugin.md"] {
        let text = fs::read_to_string(root.join(name))?;
        let lines = text.lines().filter(|line| line.len() >= 60).step_by(5);
        let questions = lines.map(|line| Question {
            query: every_second_word(line),
            answer: line.trim_end().to_owned(),
        });
        let questions = questions.collect();
        texts.push(Text {
            questions,
            kind: TextKind::Prose,
            text,
        });
    }
    Ok(Suite {
        name: "sentences",
        texts,
    })
}

fn signatures(root: &Path) -> Result<Suite, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("crates/universal-orchestrator/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)?;
        let lines = text.lines().filter_map(|line| {
            let name = line
                .trim_start()
                .strip_prefix("pub fn ")?
                .split(['(', '<'])
                .next()?;
            let (query, answer) = (format!("signature of {name}"), line.trim_end().to_owned());
            Some(Question { query, answer })
        });
        let questions: Vec<Question> = lines.collect();
        if !questions.is_empty() {
            texts.push(Text {
                questions,
                kind: TextKind::Code,
                text,
            });
        }
    }
    Ok(Suite {
        name: "signatures",
        texts,
    })
}

fn logs(folder: &Path) -> Result<[Suite; 2], Box<dyn Error>> {
    let (mut rare, mut single) = (Vec::new(), Vec::new());
    for system in ["Hadoop", "OpenSSH", "OpenStack", "Zookeeper"] {
        let log = fs::read(folder.join(format!("{system}_2k.log")))?;
        let log = String::from_utf8_lossy(&log).replace('\r', "");
        let lines: Vec<&str> = log.lines().collect();
        let table = fs::read_to_string(folder.join(format!("{system}_2k.log_structured.csv")))?;
        let rows: Vec<Vec<String>> = table.lines().skip(1).map(fields).collect();
        let event = |row: &Vec<String>| {
            row.get(row.len().wrapping_sub(2))
                .cloned()
                .unwrap_or_default()
        };
        let mut times: HashMap<String, usize> = HashMap::new();
        for row in &rows {
            *times.entry(event(row)).or_default() += 1;
        }
        let text = |questions| Text {
            text: log.clone(),
            kind: TextKind::Log,
            questions,
        };
        let once = lines
            .iter()
            .zip(&rows)
            .filter(|(_, row)| times[&event(row)] == 1);
        rare.push(text(
            once.map(|(line, row)| Question {
                query: every_second_word(
                    &row.last().cloned().unwrap_or_default().replace("<*>", " "),
                ),
                answer: line.trim_end().to_owned(),
            })
            .collect(),
        ));
        let some = lines.iter().zip(&rows).step_by(40);
        single.push(text(
            some.map(|(line, row)| {
                // The message stands before event and template.
                let message = row
                    .get(row.len().wrapping_sub(3))
                    .cloned()
                    .unwrap_or_default();
                let words = message
                    .split_whitespace()
                    .filter(|w| w.bytes().any(|b| b.is_ascii_digit()));
                Question {
                    query: words.take(3).collect::<Vec<_>>().join(" "),
                    answer: line.trim_end().to_owned(),
                }
            })
            .collect(),
        ));
    }
    Ok([
        Suite {
            name: "rare events",
            texts: rare,
        },
        Suite {
            name: "single lines",
            texts: single,
        },
    ])
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.trim_end().chars().peekable();
    while let Some(c) = chars.next() {
        let end = fields.len() - 1;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[end].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields[end].push(c),
        }
    }
    fields
}
