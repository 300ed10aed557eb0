//! `metrics.csv`: three head rows (node, metric, statistic), a row of names for the index, then one row an interval.

use std::collections::HashMap;
use std::path::Path;

use super::{Notes, READ_LIMITS, ReadError, ReadErrorKind, bytes, csv_reader, line_of, name};
use crate::telemetry::{Metric, Resource, Signal, Statistic, Telemetry};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Signal(Signal),
    Resource(Resource, Statistic),
}

impl Kind {
    /// Whether the values are percentages that cannot be above a hundred.
    fn is_share(self) -> bool {
        matches!(self, Self::Signal(signal) if signal.metric() == Metric::Availability)
    }
}

/// A column that is read.
struct Column {
    node: String,
    kind: Kind,
    place: usize,
    values: Vec<f64>,
}

pub(super) fn read(file: &Path, notes: &mut Notes) -> Result<Telemetry, ReadError> {
    let content = bytes(file)?;
    let mut reader = csv_reader(&content);
    let mut record = csv::ByteRecord::new();
    let csv_error = |error| ReadError::new(file, ReadErrorKind::Csv(error));
    let mut head = Vec::with_capacity(3);
    for expected in ["microservice", "metric", "statistic"] {
        if !reader.read_byte_record(&mut record).map_err(csv_error)?
            || record.get(0) != Some(expected.as_bytes())
        {
            let line = line_of(&record).max(1);
            return Err(ReadError::at(file, line, ReadErrorKind::Head { expected }));
        }
        head.push(record.clone());
    }
    let mut columns = columns(file, &head, notes)?;
    let width = head[0].len();
    let mut times: Vec<f64> = Vec::new();
    let mut odd_values = 0_usize;
    while reader.read_byte_record(&mut record).map_err(csv_error)? {
        let line = line_of(&record);
        if times.is_empty() && record.get(0) == Some(b"unix_timestamp".as_slice()) {
            continue;
        }
        let fail = |kind| Err(ReadError::at(file, line, kind));
        if record.len() != width {
            return fail(ReadErrorKind::Fields {
                found: record.len(),
                expected: width,
            });
        }
        let time = value(file, line, 0, &record[0])?;
        if time.is_nan() {
            return fail(ReadErrorKind::Number {
                column: 1,
                text: String::new(),
            });
        }
        times.push(time);
        if times.len() > READ_LIMITS.rows_max {
            let limit = READ_LIMITS.rows_max;
            return fail(ReadErrorKind::TooMany {
                what: "rows",
                limit,
            });
        }
        if times.len().saturating_mul(columns.len()) > READ_LIMITS.cells_max {
            let limit = READ_LIMITS.cells_max;
            return fail(ReadErrorKind::TooMany {
                what: "values",
                limit,
            });
        }
        for column in &mut columns {
            let mut number = value(file, line, column.place, &record[column.place])?;
            let impossible = number < 0.0 || (column.kind.is_share() && number > 100.0 + 1e-6);
            if impossible {
                odd_values += 1;
                number = f64::NAN;
            }
            column.values.push(number);
        }
    }
    if odd_values > 0 {
        notes.add(
            file,
            format_args!("{odd_values} values below zero or above 100 % count as missing"),
        );
    }
    if times.is_empty() {
        notes.add(file, "there are no rows");
    }
    Ok(assemble(file, times, columns, notes))
}

/// What the head says about each column. A column of an unknown metric is left out and noted.
fn columns(
    file: &Path,
    head: &[csv::ByteRecord],
    notes: &mut Notes,
) -> Result<Vec<Column>, ReadError> {
    let [nodes, metrics, statistics] = head else {
        return Ok(Vec::new());
    };
    for (line, row) in (1..).zip(head) {
        if row.len() != nodes.len() {
            let kind = ReadErrorKind::Fields {
                found: row.len(),
                expected: nodes.len(),
            };
            return Err(ReadError::at(file, line, kind));
        }
    }
    let mut seen: HashMap<(String, Kind), usize> = HashMap::new();
    let mut names: HashMap<String, ()> = HashMap::new();
    let mut columns = Vec::new();
    let mut unknown = 0_usize;
    for place in 1..nodes.len() {
        let node = name(file, 1, &nodes[place])?;
        let Some(kind) = kind(&metrics[place], &statistics[place]) else {
            unknown += 1;
            continue;
        };
        if let Some(first) = seen.insert((node.to_owned(), kind), place) {
            let kind = ReadErrorKind::DuplicateColumn {
                first: first + 1,
                second: place + 1,
            };
            return Err(ReadError::at(file, 1, kind));
        }
        names.insert(node.to_owned(), ());
        if names.len() > READ_LIMITS.nodes_max {
            let limit = READ_LIMITS.nodes_max;
            return Err(ReadError::at(
                file,
                1,
                ReadErrorKind::TooMany {
                    what: "nodes",
                    limit,
                },
            ));
        }
        columns.push(Column {
            node: node.to_owned(),
            kind,
            place,
            values: Vec::new(),
        });
    }
    if unknown > 0 {
        notes.add(
            file,
            format_args!("{unknown} columns of unknown metric or statistic are left out"),
        );
    }
    Ok(columns)
}

fn kind(metric: &[u8], statistic: &[u8]) -> Option<Kind> {
    let statistic = match statistic {
        b"Average" => Statistic::Average,
        b"p50" => Statistic::P50,
        b"p90" => Statistic::P90,
        b"p95" => Statistic::P95,
        b"p99" => Statistic::P99,
        b"Sum" => Statistic::Sum,
        b"Maximum" => Statistic::Maximum,
        _ => return None,
    };
    let metric = match metric {
        b"latency" => Metric::Latency,
        b"requests" => Metric::Requests,
        b"availability" => Metric::Availability,
        other => {
            let resource = Resource::of(std::str::from_utf8(other).ok()?)?;
            return Some(Kind::Resource(resource, statistic));
        }
    };
    Signal::of(metric, statistic).map(Kind::Signal)
}

/// Adds a column's values.
fn put(telemetry: &mut Telemetry, column: &Column, values: Vec<f64>) {
    match column.kind {
        Kind::Signal(signal) => telemetry.insert(&column.node, signal, values),
        Kind::Resource(resource, statistic) => {
            telemetry.insert_resource(&column.node, resource, statistic, values);
        }
    }
}

/// A number; an empty field, `nan` and what is not finite are missing.
fn value(file: &Path, line: u64, place: usize, field: &[u8]) -> Result<f64, ReadError> {
    if field.is_empty() {
        return Ok(f64::NAN);
    }
    let parsed: Option<f64> = std::str::from_utf8(field).ok().and_then(|text| {
        let text = text.trim();
        if text.is_empty() {
            Some(f64::NAN)
        } else {
            text.parse().ok()
        }
    });
    match parsed {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Ok(f64::NAN),
        None => {
            let kind = ReadErrorKind::Number {
                column: place + 1,
                text: String::from_utf8_lossy(field).chars().take(32).collect(),
            };
            Err(ReadError::at(file, line, kind))
        }
    }
}

/// Puts the rows in order of time. Of rows with the same time, the later value that is present counts.
fn assemble(file: &Path, times: Vec<f64>, columns: Vec<Column>, notes: &mut Notes) -> Telemetry {
    let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
    if ascending {
        let mut telemetry = Telemetry::over(times);
        for mut column in columns {
            let values = std::mem::take(&mut column.values);
            put(&mut telemetry, &column, values);
        }
        return telemetry;
    }
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
    let mut starts = times.clone();
    starts.sort_by(f64::total_cmp);
    starts.dedup();
    let repeated = times.len() - starts.len();
    if repeated > 0 {
        notes.add(
            file,
            format_args!("{repeated} rows repeat a timestamp and are merged"),
        );
    } else {
        notes.add(file, "the rows are not in order of time and are sorted");
    }
    let mut telemetry = Telemetry::over(starts);
    for column in columns {
        let mut values: Vec<f64> = Vec::with_capacity(telemetry.starts().len());
        let mut last = f64::NAN;
        for row in &order {
            let value = column.values[*row];
            if last == times[*row] {
                if let Some(merged) = values.last_mut().filter(|_| !value.is_nan()) {
                    *merged = value;
                }
            } else {
                values.push(value);
            }
            last = times[*row];
        }
        put(&mut telemetry, &column, values);
    }
    telemetry
}
