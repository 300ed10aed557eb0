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
    squares: f64,
}

/// Prints a row an incident, with its baseline and without, and the counts of each set.
pub(crate) fn print() -> Result<(), Failure> {
    let recorded = read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{:46} {:14} {:22} {:>6} {:16} {:>6} {:>5}",
        "recorded here", "cause", "verdict", "fault", "first", "conf.", "rank"
    );
    for with_baseline in [true, false] {
        let label = if with_baseline { "" } else { ", own rows only" };
        let mut counts: Vec<(&str, Count)> = Vec::new();
        for one in &recorded {
            let mut incident = one.incident.clone();
            if !with_baseline {
                incident.baseline = None;
            }
            let report = runtime.block_on(investigate(incident))?;
            if counts.last().is_none_or(|(set, _)| *set != one.set) {
                counts.push((one.set, Count::default()));
            }
            if let Some((_, count)) = counts.last_mut() {
                count.add(&report, &one.truth);
            }
            row(
                &format!("{}, {}{label}", one.set, one.name),
                &report,
                &one.truth,
            );
        }
        for (set, count) in &counts {
            println!("{set} set{label}: {count}");
        }
    }
    println!();
    Ok(())
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

fn row(name: &str, report: &Report, truth: &Truth) {
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
        let hit = rank == Some(0);
        if truth.node.is_some() {
            self.faults += 1;
            self.first += usize::from(hit);
            self.in_three += usize::from(rank.is_some_and(|rank| rank < 3));
        } else {
            self.calm += 1;
            self.no_fault += usize::from(report.verdict == Verdict::NoFault);
        }
        // A report without a ranking names no node, so it forecasts nothing.
        let forecast = report.root_cause.ranking.first();
        let forecast = forecast.map_or(0.0, |first| first.confidence);
        self.squares += (forecast - f64::from(u8::from(hit))).powi(2);
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.faults + self.calm;
        write!(
            f,
            "cause first {} of {}, in three {}; no fault {} of {} without one; Brier {:.3} (n = {all})",
            self.first,
            self.faults,
            self.in_three,
            self.no_fault,
            self.calm,
            self.squares / all as f64
        )
    }
}
