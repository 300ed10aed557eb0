//! The report as plain, aligned tables.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{HumanBytes, HumanCount};

use super::{AgentRow, CapabilityRow, Findings, Ranked, Report, Timing};
use crate::audit::Capability;

/// How many agents the table lists at most, whatever `--top` says: the default sixty fit.
const AGENT_ROWS_MIN: usize = 60;

/// How many files of one group of duplicates a row names.
const GROUP_PATHS_MAX: usize = 3;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sixty rows of zeros tell nothing about a tree without files.
        if self.tasks > 0 {
            self.write_agents(f)?;
            self.write_capabilities(f)?;
        }
        self.write_findings(f)?;
        self.write_summary(f)
    }
}

impl Report {
    fn write_agents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row: &AgentRow| {
            let capabilities: Vec<&str> = row.capabilities.iter().map(|one| one.as_str()).collect();
            [
                vec![row.agent.clone(), capabilities.join(" ")],
                timing_cells(&row.timing),
            ]
            .concat()
        };
        let listed = self.top.max(AGENT_ROWS_MIN);
        let headers = [&["agent", "capability"], TIMING_HEADERS.as_slice()].concat();
        section(f, "Agents", &headers, 2, &self.agents, listed, row)
    }

    fn write_capabilities(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row: &CapabilityRow| {
            let priority = row.capability.priority().to_string();
            let start = vec![row.capability.to_string(), priority, count(row.agents)];
            [start, timing_cells(&row.timing)].concat()
        };
        let headers = [
            &["capability", "priority", "agents"],
            TIMING_HEADERS.as_slice(),
        ]
        .concat();
        section(
            f,
            "Capabilities",
            &headers,
            2,
            &self.capabilities,
            Capability::ALL.len(),
            row,
        )
    }

    fn write_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, top) = (&self.findings, self.top);
        section(
            f,
            "Languages",
            &["language", "files", "lines", "bytes"],
            1,
            &found.languages,
            top,
            |row| {
                vec![
                    row.language.clone(),
                    count(row.files),
                    count(row.lines),
                    bytes(row.bytes),
                ]
            },
        )?;
        section(
            f,
            "Licences",
            &["licence", "found in", "files"],
            2,
            &found.licences,
            top,
            |row| {
                vec![
                    row.expression.clone(),
                    row.source.to_string(),
                    count(row.files),
                ]
            },
        )?;
        ranked(f, "Largest files", "bytes", &found.largest, top, bytes)?;
        ranked(
            f,
            "Longest lines",
            "bytes",
            &found.longest_lines,
            top,
            count,
        )?;
        ranked(
            f,
            "Packed files",
            "bits/byte",
            &found.packed,
            top,
            |thousandths| format!("{:.2}", thousandths as f64 / 1e3),
        )?;
        ranked(f, "Sparse files", "bytes", &found.sparse, top, bytes)?;
        ranked(f, "Unfinished", "lines", &found.todo_files, top, count)?;
        section(
            f,
            "Duplicates",
            &["wasted", "copies", "files"],
            0,
            &found.duplicates,
            top,
            |group| {
                let mut paths: Vec<String> =
                    group.paths.iter().take(GROUP_PATHS_MAX).cloned().collect();
                if group.paths.len() > GROUP_PATHS_MAX {
                    paths.push(format!(
                        "… and {} more",
                        group.paths.len() - GROUP_PATHS_MAX
                    ));
                }
                vec![
                    bytes(group.wasted_bytes),
                    count(group.paths.len() as u64),
                    paths.join(", "),
                ]
            },
        )?;
        section(
            f,
            "Suspected secrets",
            &["rule", "place", "starts with"],
            3,
            &found.secrets,
            top,
            |row| {
                vec![
                    row.rule.clone(),
                    format!("{}:{}", row.path, row.line),
                    format!("{}…", row.starts_with),
                ]
            },
        )?;
        section(
            f,
            "Not read",
            &["path", "failed tasks", "error"],
            3,
            &found.unreadable,
            top,
            |row| {
                vec![
                    row.place.path.clone(),
                    count(row.tasks),
                    row.place.error.clone(),
                ]
            },
        )?;
        if self.tasks > 0 {
            write_notes(f, found)?;
        }
        Ok(())
    }

    fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = &self.totals;
        writeln!(
            f,
            "\n{} files, {} lines, {} ({} bytes) under {}",
            HumanCount(totals.files),
            HumanCount(totals.lines),
            HumanBytes(totals.bytes),
            HumanCount(totals.bytes),
            self.root
        )?;
        writeln!(
            f,
            "{} tasks by {} agents in {:.2} s: {} a second, {} errors, {} retries",
            HumanCount(self.tasks),
            HumanCount(self.agents.len() as u64),
            self.elapsed_ms / 1e3,
            HumanCount(self.tasks_per_second as u64),
            HumanCount(self.errors),
            HumanCount(self.retries)
        )
    }

    /// Writes the commands that show the same counts. They agree only when every file was read.
    pub(in crate::audit) fn write_checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = &self.totals;
        let digest = &totals.content_digest;
        writeln!(f, "\nCheck it (b3sum comes with `cargo install b3sum`):")?;
        writeln!(f, "  files() {{ {}0; }}", self.find_command)?;
        writeln!(
            f,
            "  files | tr -cd '\\0' | wc -c  # {} files",
            totals.files
        )?;
        writeln!(
            f,
            "  files | LC_ALL=C wc --files0-from=- | tail -n 1  # {} {} {}",
            totals.lines, totals.printable_words, totals.bytes
        )?;
        if totals.words != totals.printable_words {
            writeln!(
                f,
                "  # or {} words, where wc counts words without printable ASCII too",
                totals.words
            )?;
        }
        writeln!(
            f,
            "  files | xargs -0 -r b3sum --no-names | LC_ALL=C sort | b3sum  # {digest}"
        )
    }
}

/// What fits in a line each.
fn write_notes(f: &mut fmt::Formatter<'_>, found: &Findings) -> fmt::Result {
    let join = |counts: &[super::Count]| {
        counts
            .iter()
            .map(|one| format!("{} {}", one.name, count(one.files)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let white = &found.whitespace;
    writeln!(f, "\nNotes")?;
    writeln!(f, "  suspected secrets   {}", count(found.secrets_count))?;
    writeln!(f, "  wasted by copies    {}", bytes(found.wasted_bytes))?;
    writeln!(f, "  unfinished lines    {}", count(found.todo_lines))?;
    writeln!(
        f,
        "  no licence stated   {} files",
        count(found.files_without_licence)
    )?;
    writeln!(
        f,
        "  empty               {} files",
        count(found.empty_files)
    )?;
    writeln!(f, "  encodings           {}", join(&found.encodings))?;
    writeln!(f, "  line endings        {}", join(&found.line_endings))?;
    writeln!(f, "  byte order marks    {}", count(found.files_with_bom))?;
    writeln!(
        f,
        "  trailing blanks     {} lines in {} files",
        count(white.trailing_lines),
        count(white.files_with_trailing_blanks)
    )?;
    writeln!(
        f,
        "  mixed indentation   {} files",
        count(white.files_with_mixed_indentation)
    )?;
    writeln!(
        f,
        "  no final newline    {} files",
        count(white.files_without_final_newline)
    )
}

const TIMING_HEADERS: [&str; 6] = ["tasks", "errors", "retries", "p50 µs", "p99 µs", "busy %"];

fn timing_cells(timing: &Timing) -> Vec<String> {
    vec![
        count(timing.tasks),
        count(timing.errors),
        count(timing.retries),
        format!("{:.1}", timing.p50_us),
        format!("{:.1}", timing.p99_us),
        format!("{:.1}", timing.utilisation_percent),
    ]
}

/// A table of files by a number; nothing when there are none.
fn ranked(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    unit: &str,
    ranked: &Ranked,
    top: usize,
    show: fn(u64) -> String,
) -> fmt::Result {
    let rows = ranked
        .rows
        .iter()
        .take(top)
        .map(|row| vec![show(row.value), row.path.clone()])
        .collect();
    table(
        f,
        title,
        &[unit, "file"],
        |column| column == 0,
        rows,
        ranked.rows.len() as u64 + ranked.more,
    )
}

/// A table of the first `listed` items, its first `texts` columns aligned left and the others right; of
/// zero `texts`, the last column is the text.
fn section<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    headers: &[&str],
    texts: usize,
    items: &[T],
    listed: usize,
    row: impl Fn(&T) -> Vec<String>,
) -> fmt::Result {
    let last = headers.len() - 1;
    let is_number = |column| {
        if texts == 0 {
            column != last
        } else {
            column >= texts
        }
    };
    let rows = items.iter().take(listed).map(row).collect();
    table(f, title, headers, is_number, rows, items.len() as u64)
}

fn table(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    headers: &[&str],
    is_number: impl Fn(usize) -> bool,
    rows: Vec<Vec<String>>,
    total: u64,
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let more = total - rows.len() as u64;
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headers.iter().copied()).add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        if is_number(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(f, "\n{title}")?;
    for line in table.to_string().lines() {
        writeln!(f, " {}", line.trim_end())?;
    }
    if more > 0 {
        writeln!(f, "  … and {} more", count(more))?;
    }
    Ok(())
}

fn count(value: u64) -> String {
    HumanCount(value).to_string()
}

fn bytes(value: u64) -> String {
    HumanBytes(value).to_string()
}
