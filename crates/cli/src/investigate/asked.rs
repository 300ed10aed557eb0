//! Incidents from traces, from a structured request, and from free text.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use universal_orchestrator_investigation::{
    Gathered, Incident, REQUEST_BYTES_MAX, Request, Traces, instant, read_resources,
};

use crate::arguments::{LimitArguments, Output};
use crate::failure::Failure;

pub(crate) const TRACE_EXAMPLES: &str = "\
Examples:
  Which part of a request failed?
    aws xray batch-get-traces --trace-ids 1-68f622d0-2cfc080243ee63df62fc57a8 > trace.json
    investigate trace trace.json

  The same with what is known about the resources, for a script:
    investigate trace trace.json --resources resources.json --json --exit-code

Exit codes: see `investigate --help`.";

pub(crate) const TEXT_EXAMPLES: &str = "\
Examples:
  What does a ticket name, and what should be read next?
    investigate text \"lambda `pay` times out since 14:30, see 1-68f622d0-2cfc080243ee63df62fc57a8\"

  The same with the trace that it names:
    investigate text \"checkout is down since 14:30\" --trace trace.json

Exit codes: see `investigate --help`.";

pub(crate) const REQUEST_EXAMPLES: &str = "\
Examples:
  investigate request request.json
  echo '{\"primary_targets\": [{\"type\": \"lambda\", \"name\": \"pay\", \"attributes\": {\"Timeout\": 3}}],
         \"trace_ids\": [], \"error_messages\": [], \"time_range\": \"last 2 hours\"}' | investigate request -

Exit codes: see `investigate --help`.";

#[derive(Debug, Args)]
pub(crate) struct TraceInput {
    /// Files of traces: answers of `aws xray batch-get-traces`, or lists of segment documents; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// What is known about resources: {"resources": [{"type", "name", "attributes"}], "thresholds": {…}}
    #[arg(long, value_name = "FILE")]
    pub(crate) resources: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct TextInput {
    /// What somebody wrote; `-` is standard input
    pub(crate) text: String,

    #[command(flatten)]
    pub(crate) beside: Beside,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RequestInput {
    /// A structured request in JSON; `-` is standard input
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) beside: Beside,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// What may come with a request.
#[derive(Debug, Args)]
pub(crate) struct Beside {
    /// Traces that the request is about; may be given more than once
    #[arg(long = "trace", value_name = "FILE")]
    pub(crate) traces: Vec<PathBuf>,

    /// What is known about resources: {"resources": [{"type", "name", "attributes"}], "thresholds": {…}}
    #[arg(long, value_name = "FILE")]
    pub(crate) resources: Option<PathBuf>,

    /// When it was written, in ISO 8601: gives "the last hour" its meaning; without a zone it is UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<f64>,
}

pub(crate) fn of_traces(input: &TraceInput) -> Result<Incident, Failure> {
    gathered(Vec::new(), &input.files, input.resources.as_deref())
}

pub(crate) fn of_text(input: &TextInput) -> Result<Incident, Failure> {
    let text = match &*input.text {
        "-" => standard_input()?,
        text => text.to_owned(),
    };
    let request = Request::from_text(&text, now(&input.beside))?;
    of_request(request, &input.beside)
}

pub(crate) fn of_file(input: &RequestInput) -> Result<Incident, Failure> {
    let json = match input.file.to_str() {
        Some("-") => standard_input()?,
        _ => {
            let fail = |source| Failure::Open {
                file: input.file.clone(),
                source,
            };
            let file = std::fs::File::open(&input.file).map_err(fail)?;
            text_of(file).map_err(fail)?
        }
    };
    let request = Request::from_json(&json, now(&input.beside))?;
    of_request(request, &input.beside)
}

fn of_request(request: Request, beside: &Beside) -> Result<Incident, Failure> {
    gathered(
        vec![request.into()],
        &beside.traces,
        beside.resources.as_deref(),
    )
}

fn gathered(
    mut sources: Vec<Gathered>,
    traces: &[PathBuf],
    resources: Option<&Path>,
) -> Result<Incident, Failure> {
    for file in traces {
        let read = match file.to_str() {
            Some("-") => Traces::from_json(&standard_input()?, Path::new("standard input"))?,
            _ => Traces::from_file(file)?,
        };
        sources.push(read.into());
    }
    if let Some(file) = resources {
        sources.push(read_resources(file)?);
    }
    Ok(Incident::of(None, sources))
}

fn now(beside: &Beside) -> f64 {
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64())
    };
    beside.at.unwrap_or_else(clock)
}

fn standard_input() -> Result<String, Failure> {
    let fail = |source| Failure::Open {
        file: PathBuf::from("standard input"),
        source,
    };
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Bytes of standard input; the readers refuse what is longer than they take.
const INPUT_BYTES_MAX: u64 = 64 << 20;

/// A little more than a request may have, so that its reader refuses what is too long.
fn text_of(from: impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    from.take(REQUEST_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn time(text: &str) -> Result<f64, String> {
    instant(text).ok_or_else(|| "write it as 2025-11-21T14:30:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_iso_8601() {
        assert_eq!(time("1970-01-01T00:01:00Z"), Ok(60.0));
        assert!(time("soon").is_err());
    }
}
