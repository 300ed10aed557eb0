//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
  The front end got slow; which node made it so?
    investigate incident low_traffic/train/issue_3 \\
      --graph low_traffic/graph.csv --baseline low_traffic/noissue/metrics.csv

  The same for a script, with the verdict as exit code:
    investigate incident issue_3 --graph graph.csv --json --exit-code

Exit codes: see `investigate --help`.";

/// What to investigate.
#[derive(Debug, Subcommand)]
pub(crate) enum Input {
    /// A recorded incident: a folder with metrics.csv and target.json
    #[command(after_long_help = EXAMPLES)]
    Incident(RecordedIncident),
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

    /// Metrics of normal operation to compare with
    ///
    /// Without it the incident is compared with its own rows before the onset, which is less sure.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) output: Output,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_deadline_is_positive_and_at_most_a_day() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1_500)));
        for refused in ["0", "-1", "nan", "inf", "86401", "soon", ""] {
            assert!(seconds(refused).is_err(), "{refused}");
        }
    }
}
