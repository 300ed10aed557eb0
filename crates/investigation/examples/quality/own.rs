//! The incidents that this repository recorded itself, in `examples/incidents`: what the investigation says of each.
//!
//! The second set is for judging only; nothing is fitted to either.

use std::path::Path;

use serde::Deserialize;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_investigation::{
    Incident, IncidentFiles, InvestigationLimits, Investigator, Report, Verdict,
};

/// The sets, and their folders below `examples/incidents`.
const SETS: [(&str, &str); 2] = [("first", ""), ("second", "second")];

type Failure = Box<dyn std::error::Error>;

/// What is true of an incident. The investigation never sees it.
#[derive(Deserialize)]
struct Truth {
    /// The cause; none when nothing is wrong.
    node: Option<String>,
    /// When the fault began, in seconds since 1970.
    onset: f64,
}

struct Recorded {
    set: &'static str,
    name: String,
    incident: Incident,
    truth: Truth,
}

/// What became of some incidents.
#[derive(Default)]
struct Count {
    faults: usize,
    first: usize,
    in_three: usize,
    calm: usize,
    no_fault: usize,
    /// Squared distances between the probability of a fault and the truth.
    squares: f64,
}

/// How much of an incident is shown.
struct View {
    label: &'static str,
    with_baseline: bool,
    /// Rows after the onset at most.
    rows_after: usize,
    /// Whether each incident has a line of its own.
    lines: bool,
}

const VIEWS: [View; 5] = [
    View {
        label: "",
        with_baseline: true,
        rows_after: usize::MAX,
        lines: true,
    },
    View {
        label: ", own rows only",
        with_baseline: false,
        rows_after: usize::MAX,
        lines: true,
    },
    View {
        label: ", 5 s after the onset",
        with_baseline: true,
        rows_after: 1,
        lines: false,
    },
    View {
        label: ", 10 s after the onset",
        with_baseline: true,
        rows_after: 2,
        lines: false,
    },
    View {
        label: ", 30 s after the onset",
        with_baseline: true,
        rows_after: 6,
        lines: false,
    },
];

/// Prints a line an incident, with its baseline and without, and the counts of each set, also for what was known early.
pub(crate) fn print() -> Result<(), Failure> {
    let recorded = read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{:46} {:14} {:22} {:>6} {:16} {:>6} {:>5}",
        "recorded here", "cause", "verdict", "fault", "first", "conf.", "rank"
    );
    for view in VIEWS {
        let mut counts = SETS.map(|(set, _)| (set, Count::default()));
        for one in &recorded {
            let report = runtime.block_on(investigate(view.of(one)))?;
            for (_, count) in counts.iter_mut().filter(|(set, _)| *set == one.set) {
                count.add(&report, &one.truth);
            }
            if view.lines {
                let name = format!("{}, {}{}", one.set, one.name, view.label);
                line(&name, &report, &one.truth);
            }
        }
        for (set, count) in &counts {
            println!("{set} set{}: {count}", view.label);
        }
    }
    println!();
    Ok(())
}

impl View {
    fn of(&self, recorded: &Recorded) -> Incident {
        let mut shown = recorded.incident.clone();
        if !self.with_baseline {
            shown.baseline = None;
        }
        let starts = shown.telemetry.starts();
        let step = shown.telemetry.step().unwrap_or(0.0);
        // The fault begins with a row, some milliseconds late.
        let before = starts
            .iter()
            .filter(|start| **start + step <= recorded.truth.onset + 0.5)
            .count();
        let rows = before.saturating_add(self.rows_after).min(starts.len());
        shown.telemetry = shown.telemetry.rows(0, rows);
        shown
    }
}

fn read() -> Result<Vec<Recorded>, Failure> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/incidents");
    let mut found = Vec::new();
    for (set, folder) in SETS {
        let folder = home.join(folder);
        if !folder.exists() {
            continue;
        }
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.join("truth.json").exists() {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            found.push(Recorded {
                set,
                name: path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default(),
                incident: IncidentFiles::in_folder(&path).read()?,
                truth: serde_json::from_slice(&std::fs::read(path.join("truth.json"))?)?,
            });
        }
    }
    Ok(found)
}

async fn investigate(incident: Incident) -> Result<Report, Failure> {
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    let investigator = Investigator::new(orchestrator.clone()).await?;
    let report = investigator
        .investigate(incident, &InvestigationLimits::default())
        .await?;
    orchestrator.shutdown().await;
    Ok(report)
}

/// The cause's place in the ranking, the first being 0; a ranking is there only when the verdict is `diagnosed`.
fn rank(report: &Report, truth: &Truth) -> Option<usize> {
    let cause = truth.node.as_ref()?;
    let ranking = &report.root_cause.ranking;
    ranking.iter().position(|ranked| ranked.node == *cause)
}

fn line(name: &str, report: &Report, truth: &Truth) {
    let first = report.root_cause.ranking.first();
    println!(
        "{name:46} {:14} {:22} {:6.3} {:16} {:>6} {:>5}",
        truth.node.as_deref().unwrap_or("–"),
        format!("{:?}", report.verdict),
        report.fault_probability,
        first.map_or("–", |ranked| &ranked.node),
        first.map_or("–".to_owned(), |ranked| format!(
            "{:.3}",
            ranked.confidence
        )),
        rank(report, truth).map_or("–".to_owned(), |rank| (rank + 1).to_string()),
    );
}

impl Count {
    fn add(&mut self, report: &Report, truth: &Truth) {
        let rank = rank(report, truth);
        if truth.node.is_some() {
            self.faults += 1;
            self.first += usize::from(rank == Some(0));
            self.in_three += usize::from(rank.is_some_and(|rank| rank < 3));
        } else {
            self.calm += 1;
            self.no_fault += usize::from(report.verdict == Verdict::NoFault);
        }
        let is_fault = f64::from(u8::from(truth.node.is_some()));
        self.squares += (report.fault_probability - is_fault).powi(2);
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.faults + self.calm;
        write!(
            f,
            "cause first {} of {}, in three {}; no fault {} of {} without one; Brier of the probability of a fault {:.3} (n = {all})",
            self.first,
            self.faults,
            self.in_three,
            self.no_fault,
            self.calm,
            self.squares / all as f64
        )
    }
}
