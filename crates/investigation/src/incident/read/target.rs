//! `target.json`: the symptom. Of the file only the key `target` is read, so that an answer beside it cannot help.

use std::path::Path;

use serde::Deserialize;

use super::{ReadError, ReadErrorKind, bytes, name};
use crate::incident::Target;
use crate::telemetry::{Metric, Signal, Statistic};

#[derive(Deserialize)]
struct Document {
    target: Symptom,
}

#[derive(Deserialize)]
struct Symptom {
    node: String,
    metric: String,
    #[serde(default = "average")]
    agg: String,
    #[serde(default)]
    timestamp: Option<f64>,
}

fn average() -> String {
    "Average".to_owned()
}

pub(super) fn read(file: &Path) -> Result<Target, ReadError> {
    let content = bytes(file)?;
    let document: Document = serde_json::from_slice(&content).map_err(|error| {
        let line = error.line() as u64;
        ReadError::at(file, line, ReadErrorKind::Json(error))
    })?;
    let symptom = document.target;
    let quoted = |text: &str| serde_json::Value::String(text.to_owned());
    let metric: Option<Metric> = serde_json::from_value(quoted(&symptom.metric)).ok();
    let statistic: Option<Statistic> = serde_json::from_value(quoted(&symptom.agg)).ok();
    let signal = metric
        .zip(statistic)
        .and_then(|(metric, statistic)| Signal::of(metric, statistic))
        .filter(|signal| signal.metric() != Metric::Requests);
    let Some(signal) = signal else {
        let kind = ReadErrorKind::Symptom {
            metric: symptom.metric.chars().take(64).collect(),
            statistic: symptom.agg.chars().take(64).collect(),
        };
        return Err(ReadError::new(file, kind));
    };
    Ok(Target {
        node: name(file, 1, symptom.node.as_bytes())?.into(),
        signal,
        at: symptom.timestamp.filter(|at| at.is_finite()),
    })
}
