//! What quality is measured on.

use std::path::Path;

use fastrand::Rng;
use universal_orchestrator_investigation::calibration::{Assessed, Posterior, Weights, assess};
use universal_orchestrator_investigation::{Incident, IncidentFiles, Signal, Verdict};

use crate::inject::{Fault, Ground, drift, inject, surge};

/// One incident or healthy window.
pub(crate) struct Sample {
    /// The row of the table.
    pub(crate) group: String,
    /// The true cause; `None` when nothing is wrong.
    pub(crate) cause: Option<String>,
    pub(crate) assessed: Assessed,
    pub(crate) use_for: Use,
}

/// What a sample is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Fitting,
    Judging,
}

/// The answer for a sample.
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) fault: f64,
    /// Places of nodes, best first, with confidence.
    pub(crate) ranking: Vec<(usize, f64)>,
}

impl Sample {
    /// Ranked as the library does: a tie is broken by name here, and so may count as a miss.
    ///
    /// With the library's own weights it is the library's answer; with others, that of the model alone.
    pub(crate) fn answer(&self, weights: &Weights) -> Answer {
        let (verdict, fault, confidence) = if *weights == Weights::default() {
            let own = &self.assessed.concluded;
            (Some(own.verdict), own.fault, own.confidence.clone())
        } else {
            let posterior = Posterior::of(weights, &self.assessed.features, &self.assessed.symptom);
            (None, 1.0 - posterior.no_fault, posterior.nodes)
        };
        let mut ranking: Vec<(usize, f64)> = confidence.into_iter().enumerate().collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let first = ranking.first().map_or(0.0, |(_, confidence)| *confidence);
        Answer {
            verdict: verdict.unwrap_or_else(|| Verdict::of(fault, first)),
            fault,
            ranking,
        }
    }

    /// The cause's place among the nodes.
    pub(crate) fn cause_place(&self) -> Option<usize> {
        let cause = self.cause.as_ref()?;
        self.assessed.nodes.iter().position(|node| node == cause)
    }
}

/// Scenarios with recorded normal operation.
const WITH_NORMAL: [&str; 2] = ["high_traffic", "low_traffic"];
/// Scenarios without; their incidents have no baseline.
const WITHOUT_NORMAL: [&str; 2] = ["temporal_traffic1", "temporal_traffic2"];
/// Healthy windows with drift, for each seed and scenario.
const CALM_PER_SEED: usize = 30;

type Failure = Box<dyn std::error::Error>;

pub(crate) fn collect(data: &Path, seeds: u64) -> Result<Vec<Sample>, Failure> {
    let petshop = data.join("petshop");
    let mut samples = Vec::new();
    for scenario in WITH_NORMAL.into_iter().chain(WITHOUT_NORMAL) {
        recorded(&petshop.join(scenario), &mut samples)?;
    }
    for scenario in WITH_NORMAL {
        let ground = ground(&petshop.join(scenario), scenario)?;
        healthy(&ground, &mut samples);
        for seed in 0..seeds {
            injected(&ground, seed, &mut samples);
        }
    }
    Ok(samples)
}

fn push(
    samples: &mut Vec<Sample>,
    group: String,
    cause: Option<String>,
    incident: Incident,
    use_for: Use,
) {
    if let Some(assessed) = assess(incident) {
        samples.push(Sample {
            group,
            cause,
            assessed,
            use_for,
        });
    }
}

/// The recorded incidents of a scenario, with the baseline where there is one, and without.
fn recorded(scenario: &Path, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let normal = scenario.join("noissue/metrics.csv");
    for number in 0.. {
        let folder = scenario.join(format!("train/issue_{number}"));
        if !folder.exists() {
            break;
        }
        let files = IncidentFiles::in_folder(&folder).graph(scenario.join("graph.csv"));
        let answer: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("target.json"))?)?;
        let cause = answer["root_cause"]["node"].as_str().map(str::to_owned);
        let incident = files.clone().read()?;
        let target = incident.target.clone().ok_or("an incident has a target")?;
        let metric = target.signal.metric();
        if normal.exists() {
            let group = format!("recorded, {metric}, with baseline");
            push(
                samples,
                group,
                cause.clone(),
                files.baseline(&normal).read()?,
                Use::Judging,
            );
        }
        push(
            samples,
            format!("recorded, {metric}, own rows only"),
            cause,
            incident,
            Use::Judging,
        );
    }
    Ok(())
}

fn ground(scenario: &Path, name: &str) -> Result<Ground, Failure> {
    let files = IncidentFiles::in_folder(scenario.join("train/issue_0"))
        .graph(scenario.join("graph.csv"))
        .baseline(scenario.join("noissue/metrics.csv"));
    let incident = files.read()?;
    let target = incident.target.ok_or("an incident has a target")?;
    let normal = incident.baseline.unwrap_or_default();
    Ok(Ground::new(name, incident.graph, normal, &target.node))
}

/// Windows of the second half, as they were recorded.
fn healthy(ground: &Ground, samples: &mut Vec<Sample>) {
    for window in 0..ground.windows() {
        for signal in [Signal::LatencyAverage, Signal::Availability] {
            let group = format!("healthy, {}, {}", ground.name, signal.metric());
            push(
                samples,
                group,
                None,
                ground.window(window, signal, 0.5),
                Use::Judging,
            );
        }
    }
}

fn injected(ground: &Ground, seed: u64, samples: &mut Vec<Sample>) {
    let mut rng = Rng::with_seed(
        seed.wrapping_mul(7_919)
            .wrapping_add(ground.name.len() as u64),
    );
    let use_for = if seed.is_multiple_of(2) {
        Use::Fitting
    } else {
        Use::Judging
    };
    let place = |rng: &mut Rng| {
        rng.usize(0..ground.windows() / 2) * 2 + usize::from(use_for == Use::Judging)
    };
    for fault in Fault::ALL {
        for cause in ground.reachable() {
            let window = place(&mut rng);
            // Between one and a half and thirty usual deviations of the target, evenly on a logarithmic scale.
            let strength = 1.5 * (rng.f64() * 20_f64.ln()).exp();
            let without_baseline = rng.u8(0..5) == 0;
            let Some(mut injected) = inject(ground, window, fault, &cause, strength, &mut rng)
            else {
                continue;
            };
            if without_baseline {
                injected.incident.baseline = None;
            }
            let visible = match injected.visible {
                faint if faint < 2.0 => "faint",
                weak if weak < 5.0 => "weak",
                _ => "clear",
            };
            let group = format!("injected, {fault:?}, {visible}");
            push(
                samples,
                group,
                Some(injected.cause),
                injected.incident,
                use_for,
            );
        }
    }
    for _ in 0..CALM_PER_SEED {
        let window = place(&mut rng);
        let signal = if rng.bool() {
            Signal::LatencyAverage
        } else {
            Signal::Availability
        };
        let mut incident = ground.window(window, signal, rng.f64());
        if rng.bool() {
            drift(&mut incident.telemetry, &mut rng);
        }
        if rng.u8(0..5) == 0 {
            incident.baseline = None;
        }
        let more_traffic = rng.u8(0..3) == 0;
        if more_traffic {
            let factor = 1.3 + 2.7 * rng.f64();
            for node in ground.reachable() {
                surge(
                    &mut incident.telemetry,
                    &node,
                    factor,
                    &[0.0, 0.5, 1.0, 1.0, 0.5],
                );
            }
        }
        let group = if more_traffic {
            "injected, more traffic, no fault"
        } else {
            "injected, nothing"
        };
        push(samples, group.to_owned(), None, incident, use_for);
    }
}
