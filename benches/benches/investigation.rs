//! What an investigation costs, from files and from memory.
//!
//! `petshop/files` reads one incident of the PetShop data set with its graph and 589 intervals of baseline and reports on it;
//! `petshop/parsed` is the same after reading, with the orchestrator and its specialists running, and without the copy of the incident.
//! `large` is 2,000 nodes in a tree, seven series each, 1,440 intervals, without a baseline.
//! The PetShop benches need `UO_DATA_DIR`, the folder that holds `petshop/`; without it they are left out, and say so.
#![expect(
    clippy::print_stderr,
    reason = "a bench that is left out says so aloud"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_benches::runtime;
use universal_orchestrator_investigation::{
    CallGraph, Incident, IncidentFiles, InvestigationLimits, Investigator, Signal, Target,
    Telemetry,
};

fn investigator(rt: &Runtime) -> Investigator {
    rt.block_on(async {
        let orchestrator = UniversalOrchestrator::builder()
            .start()
            .await
            .expect("the defaults start");
        Investigator::new(orchestrator)
            .await
            .expect("the specialists are new")
    })
}

/// The time of so many investigations, without copying and dropping what they are about.
fn investigations(
    rt: &Runtime,
    investigator: &Investigator,
    incident: &Incident,
    rounds: u64,
) -> Duration {
    let limits = InvestigationLimits::default();
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let incident = incident.clone();
        let started = Instant::now();
        let report = rt.block_on(investigator.investigate(incident, &limits));
        total += started.elapsed();
        drop(report.expect("one investigation at a time is allowed"));
    }
    total
}

fn petshop(criterion: &mut Criterion) {
    let Some(data) = std::env::var_os("UO_DATA_DIR").map(PathBuf::from) else {
        eprintln!("UO_DATA_DIR is not set: the PetShop benches are left out");
        return;
    };
    let scenario = data.join("petshop/low_traffic");
    let files = IncidentFiles::in_folder(scenario.join("train/issue_3"))
        .graph(scenario.join("graph.csv"))
        .baseline(scenario.join("noissue/metrics.csv"));
    let incident = match files.read() {
        Ok(incident) => incident,
        Err(error) => {
            eprintln!("{error}: the PetShop benches are left out");
            return;
        }
    };
    let rt = runtime();
    let investigator = investigator(&rt);
    let mut group = criterion.benchmark_group("investigation");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    group.bench_function("petshop/files", |b| {
        b.iter(|| {
            let incident = files.read().expect("the files have been read before");
            rt.block_on(investigator.investigate(incident, &InvestigationLimits::default()))
        });
    });
    group.bench_function("petshop/parsed", |b| {
        b.iter_custom(|rounds| investigations(&rt, &investigator, &incident, rounds));
    });
    group.finish();
}

/// A tree in which every node calls four others, and one leaf gets slow.
fn large_incident() -> Incident {
    const NODES: usize = 2_000;
    const ROWS: usize = 1_440;
    let name = |node: usize| format!("node-{node}");
    let mut graph = CallGraph::new();
    let mut telemetry = Telemetry::over((0..ROWS).map(|row| row as f64 * 60.0).collect());
    let mut slow = vec![false; NODES];
    let mut node = NODES - 1;
    slow[node] = true;
    while node > 0 {
        node = (node - 1) / 4;
        slow[node] = true;
    }
    for (node, slow) in slow.iter().enumerate() {
        for callee in (node * 4 + 1..=node * 4 + 4).filter(|callee| *callee < NODES) {
            graph.add_call(&name(node), &name(callee));
        }
        let noise = |row: usize| ((row * 31 + node * 17) % 101) as f64 / 1_000.0;
        let fault = |row: usize| if *slow && row > ROWS / 2 { 0.5 } else { 0.0 };
        for signal in Signal::LATENCIES {
            telemetry.insert(
                &name(node),
                signal,
                (0..ROWS).map(|row| 0.2 + noise(row) + fault(row)).collect(),
            );
        }
        telemetry.insert(&name(node), Signal::Requests, vec![500.0; ROWS]);
        telemetry.insert(&name(node), Signal::Availability, vec![100.0; ROWS]);
    }
    let at = Some(telemetry.starts()[ROWS / 2]);
    let target = Target {
        node: name(0).as_str().into(),
        signal: Signal::LatencyAverage,
        at,
    };
    Incident {
        target: Some(target),
        telemetry,
        graph,
        ..Incident::default()
    }
}

fn large(criterion: &mut Criterion) {
    let incident = large_incident();
    let rt = runtime();
    let investigator = investigator(&rt);
    let mut group = criterion.benchmark_group("investigation");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5));
    group.bench_function("large", |b| {
        b.iter_custom(|rounds| investigations(&rt, &investigator, &incident, rounds));
    });
    group.finish();
}

criterion_group!(benches, petshop, large);
criterion_main!(benches);
