//! Records a set of incidents, one after the other, on one set-up.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::export::{STEP, Table, write_graph, write_json, write_logs};
use crate::fault;
use crate::load::Load;
use crate::plan::{Plan, Set};
use crate::role::{PORTS, Role};
use crate::setup::{CPU_CORES, Programs, Setup};

/// Seconds between the start and the baseline, in which pools and caches fill.
const WARM_UP: u64 = 20;
/// Seconds of an incident's table before the onset.
const BEFORE: u64 = 30;
/// Seconds of an incident's table after the recovery.
const AFTER: u64 = 20;
/// Seconds between two incidents.
const REST: u64 = 20;

/// Records incidents. Takes root, for processor limits and small disks; everything listens on loopback.
#[derive(Debug, Args)]
pub(crate) struct RecordArguments {
    /// Which set.
    #[arg(long, value_enum)]
    set: Set,
    /// Folder that gets a folder for each incident.
    #[arg(long)]
    out: PathBuf,
    /// Records this incident only; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Folder to work in; it is made, and removed afterwards.
    #[arg(long, default_value = "/tmp/incident-recorder")]
    work: PathBuf,
    /// First of twenty ports.
    #[arg(long, default_value_t = 19_100)]
    base_port: u16,
    /// Seconds of normal operation before the first incident.
    #[arg(long, default_value_t = 240)]
    baseline: u64,
    /// Folder of `initdb` and `postgres`.
    #[arg(long, default_value = "/usr/lib/postgresql/15/bin")]
    postgres_bin: PathBuf,
    /// The user that the database runs as.
    #[arg(long, default_value = "postgres")]
    postgres_user: String,
    /// The program `prometheus`.
    #[arg(long, default_value = "prometheus")]
    prometheus: PathBuf,
}

/// Records, and removes the set-up even after a failure or Ctrl-C.
pub(crate) async fn record(arguments: RecordArguments) -> Result<()> {
    // Slow and failed calls of the load are what is recorded; they stand in the metrics.
    let shown = Targets::new()
        .with_default(Level::INFO)
        .with_target("incident_recorder::service", Level::ERROR);
    tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer()
                .with_target(false)
                .with_filter(shown),
        )
        .init();
    ensure!(
        arguments.base_port <= u16::MAX - PORTS,
        "--base-port {} leaves no {PORTS} ports; choose a smaller one",
        arguments.base_port
    );
    ensure!(
        !arguments.work.exists(),
        "{} exists; remove it or choose another with --work",
        arguments.work.display()
    );
    let plans: Vec<Plan> = arguments.set.plans().to_vec();
    let known = |name: &String| plans.iter().any(|plan| plan.name == *name);
    if let Some(unknown) = arguments.only.iter().find(|name| !known(name)) {
        bail!(
            "there is no incident {unknown:?}; there are {}",
            plans
                .iter()
                .map(|plan| plan.name)
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let programs = Programs {
        postgres_bin: arguments.postgres_bin.clone(),
        postgres_user: arguments.postgres_user.clone(),
        prometheus: arguments.prometheus.clone(),
    };
    let setup = Setup::start(&arguments.work, arguments.base_port, &programs)
        .await
        .with_context(|| {
            format!(
                "the set-up did not start; see the logs in {}, then remove it",
                arguments.work.display()
            )
        })?;
    let outcome = tokio::select! {
        outcome = record_all(&arguments, &plans, &setup) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    setup.stop().await;
    std::fs::remove_dir_all(&arguments.work)
        .with_context(|| format!("failed to remove {}", arguments.work.display()))?;
    outcome
}

async fn record_all(arguments: &RecordArguments, plans: &[Plan], setup: &Setup) -> Result<()> {
    let set = arguments.set;
    let load = Load::start(setup.base_port, set.load(), set.seed())?;
    let normal_from = until(now() + WARM_UP as f64).await;
    let normal_to = until((normal_from + arguments.baseline) as f64).await;
    let baseline = Table::read(setup.prometheus(), normal_from, normal_to).await?;
    tracing::info!(seconds = arguments.baseline, "normal operation is recorded");
    for plan in plans {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|name| name == plan.name) {
            continue;
        }
        let folder = arguments.out.join(plan.name);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("failed to make {}", folder.display()))?;
        baseline.write(&folder.join("baseline.csv"))?;
        write_graph(&folder.join("graph.csv"))?;
        incident(plan, set, setup, &load, &folder).await?;
        tracing::info!(incident = plan.name, "recorded");
        until(now() + REST as f64).await;
    }
    Ok(())
}

/// Records one incident: calm, fault, recovery.
async fn incident(plan: &Plan, set: Set, setup: &Setup, load: &Load, folder: &Path) -> Result<()> {
    let from = until(now()).await;
    let noticed = until((from + BEFORE) as f64).await;
    let onset = now();
    let lasting = fault::begin(plan.fault, setup, load, set.load()).await?;
    until((noticed + plan.seconds) as f64).await;
    let recovery = now();
    lasting.end(setup, load).await?;
    let to = until((noticed + plan.seconds + AFTER) as f64).await;
    // Recovery itself may have taken longer than the rest of the table.
    let end = to.max(now() as u64);
    Table::read(setup.prometheus(), from, to)
        .await?
        .write(&folder.join("metrics.csv"))?;
    write_logs(&setup.logs(), &folder.join("logs"), from as f64, end as f64)?;
    let (metric, statistic) = plan.symptom;
    let target = json!({"target": {
        "node": Role::Gateway.name(),
        "metric": metric,
        "agg": statistic,
        "timestamp": noticed,
    }});
    write_json(&folder.join("target.json"), &target)?;
    let truth = json!({
        "node": plan.node,
        "kind": plan.kind,
        "fault": format!("{:?}", plan.fault),
        "onset": onset,
        "recovery": recovery,
        "seed": set.seed(),
        "requests_per_second": set.load(),
        "cores_per_process": CPU_CORES,
    });
    write_json(&folder.join("truth.json"), &truth)
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// Sleeps until the first start of a row at or after `time`, and returns it.
async fn until(time: f64) -> u64 {
    let start = (time / STEP as f64).ceil() as u64 * STEP;
    let left = start as f64 - now();
    if left > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(left)).await;
    }
    start
}
