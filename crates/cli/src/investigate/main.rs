//! `investigate`: finds the cause of an incident in recorded telemetry, and says how sure it is.

mod arguments;
mod asked;
mod failure;
mod host;
mod prometheus;

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use universal_orchestrator::{Limits, UniversalOrchestrator};
use universal_orchestrator_investigation::{
    Incident, IncidentFiles, InvestigationLimits, Investigator, Progress, ProgressListener, Report,
    Strategy, Style, Verdict, compare, html, post_mortem, render,
};

use arguments::{
    Arguments, Color, Comparison, Input, LimitArguments, Output, RecordedIncident, StrategyName,
};
use failure::{Failure, REPORT_BYTES_MAX};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.input {
        Input::Incident(input) => {
            read(input).and_then(|incident| investigate(incident, &input.limits, &input.output))
        }
        Input::Host(input) => investigate(host::incident(input), &input.limits, &input.output),
        Input::Prometheus(input) => prometheus::incident(input)
            .and_then(|incident| investigate(incident, &input.limits, &input.output)),
        Input::Trace(input) => asked::of_traces(input)
            .and_then(|incident| investigate(incident, &input.limits, &input.output)),
        Input::Text(input) => asked::of_text(input)
            .and_then(|incident| investigate(incident, &input.limits, &input.output)),
        Input::Request(input) => asked::of_file(input)
            .and_then(|incident| investigate(incident, &input.limits, &input.output)),
        Input::Compare(comparison) => compared(comparison),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            // Nobody is left to tell when standard error is gone.
            let _ = failure.tell(&mut io::stderr().lock());
            failure.code()
        }
    }
}

fn read(arguments: &RecordedIncident) -> Result<Incident, Failure> {
    let mut files = IncidentFiles::in_folder(&arguments.path);
    if let Some(graph) = &arguments.graph {
        files = files.graph(graph);
    }
    if let Some(baseline) = &arguments.baseline {
        files = files.baseline(baseline);
    }
    Ok(files.read()?)
}

fn investigate(
    incident: Incident,
    limits: &LimitArguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let report = runtime.block_on(report(incident, limits, output))?;
    write_out(&report, output)?;
    Ok(if output.exit_code {
        code_of(report.verdict)
    } else {
        ExitCode::SUCCESS
    })
}

fn compared(arguments: &Comparison) -> Result<ExitCode, Failure> {
    let (before, after) = (
        read_report(&arguments.before)?,
        read_report(&arguments.after)?,
    );
    print(compare(&before, &after))?;
    Ok(ExitCode::SUCCESS)
}

fn read_report(file: &Path) -> Result<Report, Failure> {
    let fail = |error| Failure::ReadReport(file.to_owned(), error);
    let opened = File::open(file).map_err(fail)?;
    let mut bytes = Vec::new();
    opened
        .take(REPORT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > REPORT_BYTES_MAX {
        return Err(Failure::ReportSize(file.to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| Failure::NoReport(file.to_owned(), error))
}

async fn report(
    incident: Incident,
    arguments: &LimitArguments,
    output: &Output,
) -> Result<Report, Failure> {
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    let investigator = Investigator::new(orchestrator.clone()).await?;
    let mut limits = InvestigationLimits::default();
    limits.deadline = arguments.deadline;
    if let Some(calls) = arguments.budget {
        limits.budget = Limits::unlimited().with_calls(calls);
    }
    limits.explain.clone_from(&output.explain);
    limits.strategy = match arguments.strategy {
        StrategyName::Waves => Strategy::Waves,
        StrategyName::Sequential => Strategy::Sequential,
        StrategyName::Parallel => Strategy::Parallel,
        StrategyName::Adaptive => Strategy::Adaptive,
    };
    let report = if io::stderr().is_terminal() {
        let listener = ProgressListener::new(show_progress);
        investigator
            .investigate_telling(incident, &limits, listener)
            .await?
    } else {
        investigator.investigate(incident, &limits).await?
    };
    orchestrator.shutdown().await;
    Ok(report)
}

/// A line on standard error; whoever closed it misses nothing of the report.
fn show_progress(progress: Progress) {
    let _ = writeln!(io::stderr().lock(), "{progress}");
}

fn write_out(report: &Report, output: &Output) -> Result<(), Failure> {
    let files = [
        (&output.markdown, post_mortem as fn(&Report) -> String),
        (&output.html, html),
    ];
    for (file, form) in files {
        if let Some(file) = file {
            std::fs::write(file, form(report))
                .map_err(|error| Failure::WriteFile(file.clone(), error))?;
        }
    }
    let text = if output.json {
        serde_json::to_string_pretty(report).map_err(Failure::Json)?
    } else {
        let color = match output.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        render(report, Style { color, columns: 0 })
    };
    print(text)
}

fn print(mut text: String) -> Result<(), Failure> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // `investigate … | head` has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::Write),
    }
}

fn code_of(verdict: Verdict) -> ExitCode {
    ExitCode::from(match verdict {
        Verdict::Diagnosed => 0,
        Verdict::NoFault => 10,
        Verdict::InsufficientEvidence => 11,
    })
}
