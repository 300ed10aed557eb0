//! `graph.csv`: a square matrix of calls; a row calls the columns that are not zero.

use std::path::Path;

use super::{Notes, READ_LIMITS, ReadError, ReadErrorKind, bytes, csv_reader, line_of, name};
use crate::graph::CallGraph;

pub(super) fn read(file: &Path, notes: &mut Notes) -> Result<CallGraph, ReadError> {
    let content = bytes(file)?;
    let mut reader = csv_reader(&content);
    let mut graph = CallGraph::new();
    let mut record = csv::ByteRecord::new();
    let mut callees: Vec<String> = Vec::new();
    let mut first = true;
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| ReadError::new(file, ReadErrorKind::Csv(error)))?
    {
        let line = line_of(&record);
        let fail = |kind| Err(ReadError::at(file, line, kind));
        if first {
            first = false;
            if record.len() > READ_LIMITS.nodes_max {
                let limit = READ_LIMITS.nodes_max;
                return fail(ReadErrorKind::TooMany {
                    what: "nodes",
                    limit,
                });
            }
            for field in record.iter().skip(1) {
                let callee = name(file, line, field)?;
                graph.add_node(callee);
                callees.push(callee.to_owned());
            }
            continue;
        }
        if record.len() != callees.len() + 1 {
            return fail(ReadErrorKind::Fields {
                found: record.len(),
                expected: callees.len() + 1,
            });
        }
        let caller = name(file, line, &record[0])?.to_owned();
        graph.add_node(&caller);
        if graph.node_count() > READ_LIMITS.nodes_max {
            let limit = READ_LIMITS.nodes_max;
            return fail(ReadErrorKind::TooMany {
                what: "nodes",
                limit,
            });
        }
        for (place, field) in record.iter().enumerate().skip(1) {
            if !calls(field) {
                if !is_zero(field) {
                    return fail(ReadErrorKind::Number {
                        column: place + 1,
                        text: String::from_utf8_lossy(field).chars().take(32).collect(),
                    });
                }
                continue;
            }
            let callee = &callees[place - 1];
            if *callee == caller {
                notes.add(
                    file,
                    format_args!("line {line}: a call of a node to itself is left out"),
                );
            }
            graph.add_call(&caller, callee);
        }
    }
    if graph.call_count() == 0 {
        notes.add(file, "the call graph has no calls");
    }
    Ok(graph)
}

fn number(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

fn calls(field: &[u8]) -> bool {
    number(field).is_some_and(|weight: f64| weight != 0.0 && !weight.is_nan())
}

fn is_zero(field: &[u8]) -> bool {
    field.iter().all(u8::is_ascii_whitespace) || number(field).is_some()
}
