//! From the findings of a wave to a report.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::probe::next_probes;
use super::{
    DataSummary, EVIDENCE_NODES_MAX, RANKING_MAX, REPORT_VERSION, RankedNode, Report, ReportTarget,
    RootCause, RunSummary, UNKNOWN_MAX,
};
use crate::evidence::{Case, Observation, Unknown};
use crate::ranking::{Evidence, Posterior, Weights, candidates};
use crate::verdict::Verdict;
use crate::wave::WaveResult;

/// Ranks, judges, and puts everything together.
pub(crate) fn build(case: &Case, wave: WaveResult, started: Instant) -> Report {
    let mut unknown: Vec<Unknown> = Vec::new();
    let mut observations: Vec<Observation> = Vec::new();
    for findings in wave.findings {
        unknown.extend(findings.unknown);
        observations.extend(findings.observations);
    }
    let evidence = Evidence::of(case, observations);
    let judged = judge(case, &evidence);
    let (fault_probability, mut ranking) = match judged {
        Some((fault, ranking)) => (fault, ranking),
        None => (0.5, Vec::new()),
    };
    let first = ranking.first().map_or(0.0, |ranked| ranked.confidence);
    let verdict = match judged_at_all(&ranking) {
        true => Verdict::of(fault_probability, first),
        false => Verdict::InsufficientEvidence,
    };
    let next_probes = match verdict {
        Verdict::Diagnosed => Vec::new(),
        _ => next_probes(case, &ranking, judged_at_all(&ranking)),
    };
    let mut shown: Vec<&str> = ranking
        .iter()
        .take(EVIDENCE_NODES_MAX)
        .map(|ranked| ranked.node.as_str())
        .collect();
    let target = &*case.incident.target.node;
    if !shown.contains(&target) {
        shown.push(target);
    }
    let evidence = shown
        .iter()
        .flat_map(|node| evidence.of_node(case, node))
        .collect();
    if verdict == Verdict::Diagnosed {
        ranking.truncate(RANKING_MAX);
    } else {
        ranking.clear();
    }
    let unknown_total = unknown.len();
    unknown.truncate(UNKNOWN_MAX);
    Report {
        report_version: REPORT_VERSION,
        verdict,
        fault_probability,
        target: report_target(case),
        symptom: case.symptom.clone(),
        root_cause: RootCause { ranking },
        evidence,
        next_probes,
        unknown,
        unknown_total,
        notes: notes(case),
        data: data(case),
        specialists: wave.runs,
        run: RunSummary {
            ended_at_unix_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
                }),
            elapsed_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        },
    }
}

fn judged_at_all(ranking: &[RankedNode]) -> bool {
    !ranking.is_empty()
}

/// The probability of a fault and all nodes in total order, or `None` when the target could not be judged.
///
/// Equal confidence is broken by distance from the target, the deeper node first, then by name.
pub(crate) fn judge(case: &Case, evidence: &Evidence) -> Option<(f64, Vec<RankedNode>)> {
    let symptom = case.symptom.as_ref()?;
    let features = candidates(case, evidence)?;
    let posterior = Posterior::of(&Weights::default(), &features, symptom);
    let distances = case.topology.distances(case.target);
    let mut ranking: Vec<RankedNode> = case
        .nodes
        .iter()
        .zip(features)
        .zip(posterior.nodes)
        .zip(distances)
        .map(|(((node, features), confidence), distance)| RankedNode {
            node: node.to_string(),
            confidence,
            distance,
            features,
        })
        .collect();
    ranking.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then_with(|| b.distance.cmp(&a.distance))
            .then_with(|| a.node.cmp(&b.node))
    });
    Some((1.0 - posterior.no_fault, ranking))
}

fn report_target(case: &Case) -> ReportTarget {
    let target = &case.incident.target;
    let starts = case.incident.telemetry.starts();
    ReportTarget {
        node: target.node.to_string(),
        metric: target.signal.metric(),
        statistic: target.signal.statistic(),
        at: target.at,
        telling: case.telling.iter().map(|row| starts[*row]).collect(),
    }
}

fn data(case: &Case) -> DataSummary {
    let incident = &case.incident;
    DataSummary {
        nodes: case.nodes.len(),
        calls: incident.graph.call_count(),
        series: incident.telemetry.series_count(),
        intervals: incident.telemetry.starts().len(),
        intervals_before: case.before.len(),
        baseline_intervals: incident
            .baseline
            .as_ref()
            .map_or(0, |baseline| baseline.starts().len()),
    }
}

fn notes(case: &Case) -> Vec<String> {
    let mut notes = case.incident.notes.clone();
    if case.incident.baseline.is_none() {
        notes.push(
            "there is no baseline: the incident is compared with its own first rows".to_owned(),
        );
    }
    if case.topology.callees[case.target].is_empty() {
        notes.push(format!(
            "the call graph has no call of {}: no other node can be followed to",
            case.incident.target.node
        ));
    }
    notes
}
