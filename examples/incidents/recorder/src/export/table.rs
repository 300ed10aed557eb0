//! `metrics.csv` and `graph.csv`, in the form of `docs/investigation.md`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::STEP;
use super::queries::{NodeName, QUERIES};
use crate::role::{POSTGRES, Role};
use crate::setup::Prometheus;

/// Columns by node, metric and statistic over common rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    starts: Vec<u64>,
    columns: BTreeMap<(String, &'static str, &'static str), Vec<Option<f64>>>,
}

impl Table {
    /// Asks Prometheus for all rows that start from `from` up to but not including `to`; both are multiples of a row's length.
    pub(crate) async fn read(prometheus: &Prometheus, from: u64, to: u64) -> Result<Self> {
        let mut table = Self {
            starts: (from..to).step_by(STEP as usize).collect(),
            columns: BTreeMap::new(),
        };
        for query in QUERIES {
            // A row is known when it ends.
            let answer = prometheus.range(query.text, from + STEP, to, STEP).await?;
            for series in answer {
                let node = match query.node {
                    NodeName::Is(node) => node,
                    NodeName::Label(label) => match series.metric.get(label) {
                        Some(node) => node,
                        None => continue,
                    },
                };
                if query.takes(node) {
                    let key = (node.to_owned(), query.metric, query.statistic);
                    table.insert(key, &series.values);
                }
            }
        }
        Ok(table)
    }

    /// A value is kept when it is a number; what Prometheus has not is missing.
    fn insert(&mut self, key: (String, &'static str, &'static str), values: &[(f64, String)]) {
        let rows = self.starts.len();
        let first = self.starts.first().copied().unwrap_or(0);
        let column = self.columns.entry(key).or_insert_with(|| vec![None; rows]);
        for (end, text) in values {
            let row = (end.round() as u64).saturating_sub(first + STEP) / STEP;
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            if let Some(place) = column.get_mut(row as usize) {
                *place = value;
            }
        }
    }

    /// Writes three head rows, the row `unix_timestamp`, and one row an interval.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut writer = csv::Writer::from_path(path)
            .with_context(|| format!("failed to write {}", path.display()))?;
        let head = |name: &'static str| std::iter::once(name.to_owned());
        let keys = || self.columns.keys();
        writer.write_record(head("microservice").chain(keys().map(|key| key.0.clone())))?;
        writer.write_record(head("metric").chain(keys().map(|key| key.1.to_owned())))?;
        writer.write_record(head("statistic").chain(keys().map(|key| key.2.to_owned())))?;
        writer.write_record(head("unix_timestamp").chain(keys().map(|_| String::new())))?;
        for (row, start) in self.starts.iter().enumerate() {
            let values = self.columns.values().map(|column| number(column[row]));
            writer.write_record(std::iter::once(start.to_string()).chain(values))?;
        }
        writer.flush().context("failed to write the last rows")
    }
}

/// Five digits that count; more would be noise.
fn number(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(0.0) => "0".to_owned(),
        Some(value) => {
            let before_the_point = value.abs().log10().floor() as i32 + 1;
            let decimals = (5 - before_the_point).clamp(0, 9) as usize;
            let text = format!("{value:.decimals$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

/// Writes who calls whom as a square matrix.
pub(crate) fn write_graph(path: &Path) -> Result<()> {
    let mut names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    names.push(POSTGRES);
    names.sort_unstable();
    let mut writer = csv::Writer::from_path(path)
        .with_context(|| format!("failed to write {}", path.display()))?;
    writer.write_record(std::iter::once("").chain(names.iter().copied()))?;
    for caller in &names {
        let role = Role::ALL.into_iter().find(|role| role.name() == *caller);
        let calls = names.iter().map(|callee| {
            match role.is_some_and(|role| role.callees().contains(callee)) {
                true => "1",
                false => "0",
            }
        });
        writer.write_record(std::iter::once(*caller).chain(calls))?;
    }
    writer.flush().context("failed to write the last rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_their_time_says_and_gaps_stay_empty() {
        let mut table = Table {
            starts: vec![100, 105, 110],
            columns: BTreeMap::new(),
        };
        let values = [
            (105.0, "0.0123456789".to_owned()),
            (110.0, "NaN".to_owned()),
            (115.0, "123456.7".to_owned()),
        ];
        table.insert(("ledger".to_owned(), "latency", "Average"), &values);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        table.write(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            text,
            "microservice,ledger\nmetric,latency\nstatistic,Average\nunix_timestamp,\n100,0.012346\n105,\n110,123457\n"
        );
    }

    #[test]
    fn numbers_keep_five_digits() {
        let texts = [0.0, 100.0, 99.99871, 0.5, 41_943_040.0].map(|value| number(Some(value)));
        assert_eq!(texts, ["0", "100", "99.999", "0.5", "41943040"]);
        assert_eq!(number(None), "");
    }

    #[test]
    fn every_call_stands_in_the_graph() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graph.csv");
        write_graph(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            ",card-network,fraud-check,gateway,ledger,mail-relay,notifications,payments,postgres"
        );
        assert_eq!(lines[3], "gateway,0,0,0,1,0,0,1,0");
        assert_eq!(
            lines
                .iter()
                .map(|line| line.matches('1').count())
                .sum::<usize>(),
            9
        );
    }
}
