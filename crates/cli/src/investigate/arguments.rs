//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use universal_orchestrator_investigation::logs::time_of;
use universal_orchestrator_investigation::source::prometheus::duration_of;

use crate::asked::{
    REQUEST_EXAMPLES, RequestInput, TEXT_EXAMPLES, TRACE_EXAMPLES, TextInput, TraceInput,
};

/// Find the cause of an incident in recorded telemetry, and say how sure that is.
///
/// Every series is compared with its baseline, and the call graph tells causes from symptoms.
/// No model is asked: the same data give the same answer.
#[derive(Debug, Parser)]
#[command(name = "investigate", version, max_term_width = 100, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) input: Input,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   a report was written, whatever its verdict; with --exit-code: diagnosed
  2   the command line is wrong
  3   a file is missing or malformed; the message names file, line and remedy
  4   the investigation could not run
  10  with --exit-code: no fault
  11  with --exit-code: insufficient evidence";

const EXAMPLES: &str = "\
Examples:
  One of the recordings of the repository; it brings its graph and its normal operation along:
    investigate incident examples/incidents/lock-contention

  The front end got slow; which node made it so?
    investigate incident low_traffic/train/issue_3 \\
      --graph low_traffic/graph.csv --baseline low_traffic/noissue/metrics.csv

  The same for a script, with the verdict as exit code:
    investigate incident issue_3 --graph graph.csv --json --exit-code

Exit codes: see `investigate --help`.";

const HOST_EXAMPLES: &str = "\
Examples:
  What is wrong with this machine?
    investigate host

  The same for a script, over half a minute; 0 means that something is:
    investigate host --for 30s --json --exit-code

Reading open files of others and some logs needs root; what cannot be read is listed.
Exit codes: see `investigate --help`.";

const PROMETHEUS_EXAMPLES: &str = "\
Examples:
  Why has `shop` been slow since 14:05?
    investigate prometheus http://localhost:9090 --service shop --at 2026-11-21T14:05:00Z

  Why do requests of `pay` fail for ten minutes, against the last hour? Keep what was measured.
    investigate prometheus http://localhost:9090 --service pay --symptom availability \\
      --window 20m --baseline-window 1h --save pay-incident

  Look at it again, offline:
    investigate incident pay-incident --baseline pay-incident/baseline.csv

Which metrics are known: docs/investigation.md. Exit codes: see `investigate --help`.";

/// What to investigate.
#[derive(Debug, Subcommand)]
pub(crate) enum Input {
    /// A recorded incident: a folder with metrics.csv and target.json
    #[command(after_long_help = EXAMPLES)]
    Incident(RecordedIncident),
    /// This machine, now: what is used up, and by whom
    #[command(after_long_help = HOST_EXAMPLES)]
    Host(ThisHost),
    /// A service that a Prometheus server measures
    #[command(after_long_help = PROMETHEUS_EXAMPLES)]
    Prometheus(PrometheusServer),
    /// Traces of requests: which part failed, was refused or took the time
    #[command(after_long_help = TRACE_EXAMPLES)]
    Trace(TraceInput),
    /// Free text, for example of a ticket: what it names, and what to read next
    #[command(after_long_help = TEXT_EXAMPLES)]
    Text(TextInput),
    /// A structured request: targets, trace ids, error messages, time range
    #[command(after_long_help = REQUEST_EXAMPLES)]
    Request(RequestInput),
    /// Two reports of --json, side by side: what changed
    Compare(Comparison),
}

#[derive(Debug, Args)]
pub(crate) struct Comparison {
    /// The first report
    pub(crate) before: PathBuf,
    /// The second report
    pub(crate) after: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RecordedIncident {
    /// The incident's folder
    ///
    /// It holds metrics.csv (what was measured) and target.json (where the symptom shows, and when).
    /// Of target.json only the key `target` is read.
    pub(crate) path: PathBuf,

    /// The call graph, a square matrix [default: graph.csv in the folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) graph: Option<PathBuf>,

    /// Metrics of normal operation to compare with [default: baseline.csv in the folder, if it is there]
    ///
    /// Without one the incident is compared with its own rows before the onset, which is less sure.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ThisHost {
    /// How long to sample
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = span)]
    pub(crate) length: f64,

    /// A folder of logs whose last lines are read as well
    #[arg(long, value_name = "FOLDER", default_value = "/var/log")]
    pub(crate) logs: PathBuf,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct PrometheusServer {
    /// Its address, for example http://localhost:9090
    ///
    /// Thanos, Mimir and VictoriaMetrics answer in the same way.
    pub(crate) url: String,

    /// The service at which users see the trouble
    #[arg(long, value_name = "NAME")]
    pub(crate) service: String,

    /// When it began or was noticed: ISO 8601 or seconds since 1970 [default: half of the window ago]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<f64>,

    /// What to look at: half of it before that time, half after it
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = span)]
    pub(crate) window: f64,

    /// Normal operation to compare with, right before the window; 0s for none
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = span_or_none)]
    pub(crate) baseline_window: f64,

    /// The length of an interval [default: four scrapes, or a thirtieth of the window if that is longer]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) step: Option<f64>,

    /// Which series shows the trouble
    #[arg(long, value_name = "NAME", value_enum, default_value_t = SymptomName::Latency)]
    pub(crate) symptom: SymptomName,

    /// Who calls whom, a square matrix; added to what the metrics tell
    #[arg(long, value_name = "FILE")]
    pub(crate) graph: Option<PathBuf>,

    /// Changes around that time: events.json or events.csv
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,

    /// Write what was measured into a new folder, for `investigate incident`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) save: Option<PathBuf>,

    /// A file that holds a bearer token for the server
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_token_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SymptomName {
    /// The mean latency
    Latency,
    /// The median latency
    P50,
    /// The 90 % quantile of latency
    P90,
    /// The 95 % quantile of latency
    P95,
    /// The 99 % quantile of latency
    P99,
    /// The share of requests that do not fail
    Availability,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArguments {
    /// Seconds for the specialists; what is not in by then is reported as missing
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) deadline: Duration,

    /// Calls of specialists that may be spent; the one that reads the symptom's metric goes first [default: unlimited]
    #[arg(long, value_name = "CALLS")]
    pub(crate) budget: Option<u64>,

    /// In which order specialists are asked
    #[arg(long, value_name = "NAME", value_enum, default_value_t = StrategyName::Waves)]
    pub(crate) strategy: StrategyName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StrategyName {
    /// All wide ones at once, then deep ones where the findings point
    Waves,
    /// The same, one after the other
    Sequential,
    /// All about everything at once
    Parallel,
    /// One after the other until it is sure enough: the least calls
    Adaptive,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Write the report as JSON (docs/investigation.schema.json)
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a post-mortem in Markdown as well
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Write one HTML page with plots as well; it needs no other file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Explain why this node has its confidence: input by input, fact by fact, attempt by attempt
    #[arg(long, value_name = "NODE")]
    pub(crate) explain: Option<String>,

    /// Say the verdict by the exit code: 0 diagnosed, 10 no fault, 11 insufficient evidence
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// When to use colours; `auto` heeds the terminal and NO_COLOR
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// Longest deadline, a day.
const DEADLINE_SECONDS_MAX: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= DEADLINE_SECONDS_MAX => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err("write a number of seconds above 0 and up to 86400".to_owned()),
    }
}

/// Longest time span, a year.
const SPAN_SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// `90`, `10s`, `30m`, `1h30m`, `1d`: seconds.
fn span_or_none(text: &str) -> Result<f64, String> {
    const WRITE: &str = "write a time span such as 30s, 30m, 1h30m or 1d, up to a year";
    let seconds = match text.trim() {
        "0s" => 0.0,
        text => text
            .parse()
            .ok()
            .or_else(|| duration_of(text))
            .ok_or(WRITE)?,
    };
    if (0.0..=SPAN_SECONDS_MAX).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(WRITE.to_owned())
    }
}

fn span(text: &str) -> Result<f64, String> {
    match span_or_none(text)? {
        0.0 => Err("write a time span above 0".to_owned()),
        seconds => Ok(seconds),
    }
}

/// Seconds since 1970, or ISO 8601; without a zone it is UTC.
fn moment(text: &str) -> Result<f64, String> {
    time_of(text).ok_or_else(|| {
        "write seconds since 1970 or ISO 8601, for example 2026-11-21T14:05:00Z".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_read() {
        let arguments = ["investigate", "prometheus", "http://x", "--service", "pay"];
        let parsed = Arguments::try_parse_from(arguments).map(|parsed| parsed.input);
        let Ok(Input::Prometheus(asked)) = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!((asked.window, asked.baseline_window), (1_800.0, 86_400.0));
        let host = Arguments::try_parse_from(["investigate", "host"]).map(|parsed| parsed.input);
        assert!(matches!(host, Ok(Input::Host(host)) if host.length == 10.0));
    }

    #[test]
    fn spans_and_moments_are_read() {
        assert_eq!(span("10s"), Ok(10.0));
        assert_eq!(span("1h30m"), Ok(5_400.0));
        assert_eq!(span("90"), Ok(90.0));
        assert_eq!(span("1d"), Ok(86_400.0));
        assert_eq!(span_or_none("0s"), Ok(0.0));
        for refused in ["0", "-1", "nan", "inf", "soon", "", "9999d"] {
            assert!(span(refused).is_err(), "{refused}");
        }
        assert_eq!(moment("2026-11-21T20:33:39Z"), Ok(1_795_293_219.0));
        assert_eq!(moment("1795293219"), Ok(1_795_293_219.0));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn a_deadline_is_positive_and_at_most_a_day() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1_500)));
        for refused in ["0", "-1", "nan", "inf", "86401", "soon", ""] {
            assert!(seconds(refused).is_err(), "{refused}");
        }
    }
}
