//! What the agents have found so far, and how it becomes the findings of a report.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{
    Count, DuplicateRow, Findings, LanguageRow, LicenceRow, Ranked, RankedFile, SecretRow, Totals,
    UnreadableRow,
};
use crate::audit::{
    Digest, DuplicateGroup, EncodingReport, HashedFile, LicenceReport, LicenceSource, LineCounts,
    Outcome, SecretReport, SizeClass, SizeReport, Tree, Unreadable, WhitespaceReport,
    content_digest,
};

/// How many files each ranking keeps for `--json`, or `top` if that is more.
const RANKED_MIN: usize = 100;

/// The outcomes, by file where their order matters: they arrive in any.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    hashes: BTreeMap<usize, Digest>,
    lines: BTreeMap<usize, LineCounts>,
    languages: BTreeMap<usize, String>,
    secrets: BTreeMap<usize, SecretReport>,
    todos: Vec<(u64, usize)>,
    sizes: Vec<(u64, usize)>,
    sparse: Vec<(u64, usize)>,
    longest: Vec<(u64, usize)>,
    packed: Vec<(u64, usize)>,
    duplicates: Vec<DuplicateGroup>,
    licences: BTreeMap<(String, LicenceSource), u64>,
    encodings: BTreeMap<String, u64>,
    line_endings: BTreeMap<String, u64>,
    failed: BTreeMap<Option<usize>, (String, u64)>,
    /// The plain counts among the findings.
    counts: Findings,
}

impl Gathered {
    pub(super) fn fail(&mut self, file: Option<usize>, error: String) {
        self.failed.entry(file).or_insert((error, 0)).1 += 1;
    }

    pub(super) fn take(&mut self, file: Option<usize>, outcome: Outcome) {
        match (outcome, file) {
            (Outcome::Duplicates(found), _) => self.duplicates.extend(found.groups),
            (outcome, Some(file)) => self.take_of_file(file, outcome),
            // A result about one file for a job about several: the agent broke the contract.
            (_, None) => self.fail(None, "the result does not belong to the job".to_owned()),
        }
    }

    fn take_of_file(&mut self, file: usize, outcome: Outcome) {
        match outcome {
            Outcome::Hash(digest) => {
                self.hashes.insert(file, digest);
            }
            Outcome::Lines(counts) => {
                self.lines.insert(file, counts);
            }
            Outcome::Language(found) => {
                let name = found
                    .language
                    .map_or_else(|| "unknown".to_owned(), String::from);
                self.languages.insert(file, name);
            }
            Outcome::Secrets(found) if found.count > 0 => {
                self.secrets.insert(file, found);
            }
            Outcome::Todo(found) if found.lines > 0 => self.todos.push((found.lines, file)),
            Outcome::Entropy(found) if found.packed => {
                self.packed
                    .push(((found.bits_per_byte * 1e3).round() as u64, file));
            }
            Outcome::LongestLine(found) => self.longest.push((found.bytes, file)),
            Outcome::Licence(found) => self.take_licence(found),
            Outcome::Size(size) => self.take_size(file, &size),
            Outcome::Encoding(found) => self.take_encoding(&found),
            Outcome::Whitespace(found) => self.take_whitespace(&found),
            Outcome::Secrets(_)
            | Outcome::Todo(_)
            | Outcome::Entropy(_)
            | Outcome::Duplicates(_) => {}
        }
    }

    fn take_licence(&mut self, found: LicenceReport) {
        match (found.expression, found.source) {
            (Some(expression), Some(source)) => {
                *self.licences.entry((expression, source)).or_default() += 1;
            }
            _ => self.counts.files_without_licence += 1,
        }
    }

    fn take_size(&mut self, file: usize, size: &SizeReport) {
        self.sizes.push((size.bytes, file));
        self.counts.empty_files += u64::from(size.class == SizeClass::Empty);
        if size.sparse {
            self.sparse.push((size.bytes, file));
        }
    }

    fn take_encoding(&mut self, found: &EncodingReport) {
        *self
            .encodings
            .entry(wire_name(&found.encoding))
            .or_default() += 1;
        *self
            .line_endings
            .entry(wire_name(&found.line_endings))
            .or_default() += 1;
        self.counts.files_with_bom += u64::from(found.bom);
    }

    fn take_whitespace(&mut self, found: &WhitespaceReport) {
        let totals = &mut self.counts.whitespace;
        totals.files_with_trailing_blanks += u64::from(found.trailing_lines > 0);
        totals.trailing_lines += found.trailing_lines;
        totals.files_with_mixed_indentation += u64::from(found.has_mixed_indentation());
        totals.files_without_final_newline += u64::from(found.missing_final_newline);
    }

    pub(super) fn hashed_files(&self) -> impl Iterator<Item = HashedFile> + '_ {
        self.hashes.iter().map(|(file, digest)| HashedFile {
            file: *file,
            bytes: digest.bytes,
            blake3: digest.blake3.clone(),
        })
    }

    pub(super) fn totals(&self, tree: &Tree) -> Totals {
        let sum = |count: fn(&LineCounts) -> u64| self.lines.values().map(count).sum();
        Totals {
            files: tree.files().len() as u64,
            bytes: sum(|counts| counts.bytes),
            lines: sum(|counts| counts.newlines),
            words: sum(|counts| counts.words),
            printable_words: sum(|counts| counts.printable_words),
            hashed_files: self.hashes.len() as u64,
            content_digest: content_digest(
                self.hashes.values().map(|digest| digest.blake3.as_str()),
            ),
        }
    }

    pub(super) fn findings(self, tree: &Tree, top: usize) -> Findings {
        let keep = top.max(RANKED_MIN);
        let ranked = |values: &[(u64, usize)]| ranked(tree, values, keep);
        let duplicates = self.duplicate_rows(tree);
        Findings {
            secrets_count: self.secrets.values().map(|found| found.count).sum(),
            secrets: self.secret_rows(tree),
            wasted_bytes: duplicates.iter().map(|group| group.wasted_bytes).sum(),
            duplicates,
            licences: self.licence_rows(),
            todo_lines: self.todos.iter().map(|(lines, _)| lines).sum(),
            todo_files: ranked(&self.todos),
            languages: self.language_rows(),
            largest: ranked(&self.sizes),
            sparse: ranked(&self.sparse),
            longest_lines: ranked(&self.longest),
            packed: ranked(&self.packed),
            encodings: counted(&self.encodings),
            line_endings: counted(&self.line_endings),
            unreadable: self.unreadable_rows(tree),
            ..self.counts
        }
    }

    fn secret_rows(&self, tree: &Tree) -> Vec<SecretRow> {
        let mut rows = Vec::new();
        for (file, found) in &self.secrets {
            rows.extend(found.hits.iter().map(|hit| SecretRow {
                path: tree.name(*file),
                line: hit.line,
                rule: hit.rule.to_string(),
                starts_with: hit.starts_with.clone(),
            }));
        }
        rows
    }

    fn duplicate_rows(&self, tree: &Tree) -> Vec<DuplicateRow> {
        let mut groups: Vec<&DuplicateGroup> = self.duplicates.iter().collect();
        groups.sort_by(|left, right| {
            let more_waste = right.wasted_bytes.cmp(&left.wasted_bytes);
            more_waste.then_with(|| left.files.cmp(&right.files))
        });
        let row = |group: &DuplicateGroup| DuplicateRow {
            content: Digest {
                blake3: group.blake3.clone(),
                bytes: group.bytes,
            },
            wasted_bytes: group.wasted_bytes,
            paths: group.files.iter().map(|file| tree.name(*file)).collect(),
        };
        groups.into_iter().map(row).collect()
    }

    fn licence_rows(&self) -> Vec<LicenceRow> {
        let row = |((expression, source), files): (&(String, LicenceSource), &u64)| LicenceRow {
            expression: expression.clone(),
            source: *source,
            files: *files,
        };
        let mut rows: Vec<LicenceRow> = self.licences.iter().map(row).collect();
        rows.sort_by_key(|row| Reverse(row.files));
        rows
    }

    fn language_rows(&self) -> Vec<LanguageRow> {
        let mut rows: BTreeMap<&str, LanguageRow> = BTreeMap::new();
        for (file, language) in &self.languages {
            let counts = self.lines.get(file).copied().unwrap_or_default();
            let new = || LanguageRow {
                language: language.clone(),
                files: 0,
                lines: 0,
                bytes: 0,
            };
            let row = rows.entry(language).or_insert_with(new);
            row.files += 1;
            row.lines += counts.newlines;
            row.bytes += counts.bytes;
        }
        let mut rows: Vec<LanguageRow> = rows.into_values().collect();
        rows.sort_by_key(|row| Reverse(row.lines));
        rows
    }

    fn unreadable_rows(&self, tree: &Tree) -> Vec<UnreadableRow> {
        let entered = |place: &Unreadable| UnreadableRow {
            place: place.clone(),
            tasks: 0,
        };
        let files = self.failed.iter().map(|(file, (error, tasks))| {
            let path = file.map_or_else(
                || "(comparison of files)".to_owned(),
                |file| tree.name(file),
            );
            let place = Unreadable {
                path,
                error: error.clone(),
            };
            UnreadableRow {
                place,
                tasks: *tasks,
            }
        });
        tree.unreadable().iter().map(entered).chain(files).collect()
    }
}

/// The files with the highest numbers; equals in the order of the tree.
fn ranked(tree: &Tree, values: &[(u64, usize)], keep: usize) -> Ranked {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by_key(|(value, file)| (Reverse(*value), *file));
    let more = sorted.len().saturating_sub(keep) as u64;
    sorted.truncate(keep);
    let row = |(value, file)| RankedFile {
        path: tree.name(file),
        value,
    };
    Ranked {
        rows: sorted.into_iter().map(row).collect(),
        more,
    }
}

fn counted(counts: &BTreeMap<String, u64>) -> Vec<Count> {
    let row = |(name, files): (&String, &u64)| Count {
        name: name.clone(),
        files: *files,
    };
    let mut rows: Vec<Count> = counts.iter().map(row).collect();
    rows.sort_by_key(|row| Reverse(row.files));
    rows
}

/// The name under which a unit variant travels, so that JSON and tables agree.
fn wire_name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "unknown".to_owned(),
    }
}
