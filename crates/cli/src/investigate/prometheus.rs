//! `investigate prometheus`: what a server measured around a time.

use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use universal_orchestrator_investigation::events::{read_events_csv, read_events_json};
use universal_orchestrator_investigation::source::prometheus::{
    PrometheusClient, PrometheusQuestion, gather_prometheus,
};
use universal_orchestrator_investigation::{Gathered, Incident, ReadError, Signal, read_graph};

use crate::arguments::{PrometheusServer, SymptomName};
use crate::failure::Failure;

/// Asks the server; the deadline of the investigation is that of the questions, too.
pub(crate) fn incident(arguments: &PrometheusServer) -> Result<Incident, Failure> {
    let mut beside = Gathered::default();
    if let Some(file) = &arguments.graph {
        beside.calls = read_graph(file)?;
    }
    if let Some(file) = &arguments.events {
        let bytes = open(file)?;
        let name = file.display().to_string();
        let is_csv = file.extension().is_some_and(|end| end == "csv");
        let events = if is_csv {
            read_events_csv(&name, &bytes)
        } else {
            read_events_json(&name, &bytes)
        };
        beside.events = events.map_err(|error| ReadError::of_events(file, error))?;
    }
    let deadline = Instant::now() + arguments.limits.deadline;
    let mut client = PrometheusClient::new(&arguments.url, deadline)?;
    if let Some(file) = &arguments.bearer_token_file {
        let token = open(file)?;
        client = client.bearer(String::from_utf8_lossy(&token).trim());
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    let at = arguments.at.unwrap_or(now - arguments.window / 2.0);
    let mut question = PrometheusQuestion::new(&arguments.service, at, now);
    question.signal = match arguments.symptom {
        SymptomName::Latency => Signal::LatencyAverage,
        SymptomName::P50 => Signal::LatencyP50,
        SymptomName::P90 => Signal::LatencyP90,
        SymptomName::P95 => Signal::LatencyP95,
        SymptomName::P99 => Signal::LatencyP99,
        SymptomName::Availability => Signal::Availability,
    };
    question.window = arguments.window;
    question.baseline = arguments.baseline_window;
    question.step = arguments.step;
    let (target, gathered) = gather_prometheus(&client, &question)?;
    let incident = Incident::of(Some(target), [beside, gathered]);
    if let Some(folder) = &arguments.save {
        incident.save(folder)?;
    }
    Ok(incident)
}

fn open(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|source| Failure::Open {
        file: file.to_owned(),
        source,
    })
}
