//! Writes an incident's metrics, graph and target as a folder that can be read again.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Incident, READ_LIMITS};
use crate::graph::CallGraph;
use crate::telemetry::{Signal, Telemetry};

/// Why an incident could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// A file or the folder cannot be made, or is there already.
    #[error("{}: {source}; name a new folder", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A table cannot be written.
    #[error("{}: {source}", file.display())]
    Csv {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// Without a target there is nothing that an incident's folder is about.
    #[error("an incident without a target cannot be written")]
    NoTarget,
}

impl Incident {
    /// Writes `metrics.csv`, `graph.csv`, `target.json` and, if there is one, `baseline.csv` into the folder, which is
    /// made if needed. Logs, events and machines are not written. Nothing is overwritten.
    ///
    /// # Errors
    ///
    /// There is no target, or one of the files is there already or cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), SaveError> {
        let target = self.target.as_ref().ok_or(SaveError::NoTarget)?;
        let fail = |file: &Path, source| SaveError::Io {
            file: file.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(|error| fail(folder, error))?;
        write_metrics(&folder.join("metrics.csv"), &self.telemetry)?;
        if let Some(baseline) = &self.baseline {
            write_metrics(&folder.join("baseline.csv"), baseline)?;
        }
        write_graph(&folder.join("graph.csv"), &self.graph)?;
        let target = json!({"target": {
            "node": &*target.node,
            "metric": target.signal.metric(),
            "agg": target.signal.statistic(),
            "timestamp": target.at,
        }});
        let file = folder.join("target.json");
        let mut text = target.to_string();
        text.push('\n');
        let mut opened = create(&file)?;
        io::Write::write_all(&mut opened, text.as_bytes()).map_err(|error| fail(&file, error))
    }
}

fn create(file: &Path) -> Result<fs::File, SaveError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .map_err(|source| SaveError::Io {
            file: file.to_owned(),
            source,
        })
}

/// Writes rows of text fields.
struct Table {
    file: PathBuf,
    writer: csv::Writer<fs::File>,
}

impl Table {
    fn new(file: &Path) -> Result<Self, SaveError> {
        Ok(Self {
            file: file.to_owned(),
            writer: csv::Writer::from_writer(create(file)?),
        })
    }

    fn row(&mut self, fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<(), SaveError> {
        self.writer
            .write_record(fields)
            .map_err(|source| SaveError::Csv {
                file: self.file.clone(),
                source,
            })
    }

    fn finish(mut self) -> Result<(), SaveError> {
        self.writer.flush().map_err(|source| SaveError::Io {
            file: self.file,
            source,
        })
    }
}

fn write_metrics(file: &Path, telemetry: &Telemetry) -> Result<(), SaveError> {
    // Statistics are written as the reader knows them.
    let name = |statistic| match serde_json::to_value(statistic) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    };
    let mut columns: Vec<([String; 3], &[f64])> = Vec::new();
    for node in telemetry.nodes() {
        for signal in Signal::ALL {
            if let Some(values) = telemetry.series(node, signal) {
                let head = [
                    node.to_string(),
                    signal.metric().to_string(),
                    name(signal.statistic()),
                ];
                columns.push((head, values));
            }
        }
        for ((resource, statistic), values) in telemetry.resources(node) {
            let head = [node.to_string(), resource.to_string(), name(*statistic)];
            columns.push((head, values));
        }
    }
    let mut table = Table::new(file)?;
    for (place, title) in ["microservice", "metric", "statistic"].iter().enumerate() {
        let heads = columns.iter().map(|(head, _)| head[place].as_str());
        table.row(std::iter::once(*title).chain(heads))?;
    }
    let empty = columns.iter().map(|_| "");
    table.row(std::iter::once("unix_timestamp").chain(empty))?;
    for (row, start) in telemetry.starts().iter().enumerate() {
        let values = columns.iter().map(|(_, values)| match values[row] {
            value if value.is_nan() => String::new(),
            value => value.to_string(),
        });
        table.row(std::iter::once(start.to_string()).chain(values))?;
    }
    table.finish()
}

fn write_graph(file: &Path, graph: &CallGraph) -> Result<(), SaveError> {
    let nodes: Vec<&str> = graph
        .nodes()
        .take(READ_LIMITS.nodes_max)
        .map(|node| &**node)
        .collect();
    let mut callees: HashMap<&str, Vec<&str>> = HashMap::new();
    for (caller, callee) in graph.calls() {
        callees.entry(caller).or_default().push(callee);
    }
    let mut table = Table::new(file)?;
    table.row(std::iter::once("").chain(nodes.iter().copied()))?;
    for caller in &nodes {
        let called = callees.get(caller).map_or(&[][..], Vec::as_slice);
        let cells = nodes
            .iter()
            .map(|callee| if called.contains(callee) { "1" } else { "0" });
        table.row(std::iter::once(*caller).chain(cells))?;
    }
    table.finish()
}
