//! From the findings of a wave to a report.

use std::cmp::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::explain::explain;
use super::probe::next_probes;
use super::{
    DataSummary, EVIDENCE_NODES_MAX, FACTS_MAX, RANKING_MAX, REPORT_VERSION, RankedNode, Report,
    ReportTarget, RootCause, RunSummary, UNKNOWN_MAX,
};
use crate::evidence::{Case, Fact, Observation, Unknown};
use crate::hypothesis::{Hypothesis, tried};
use crate::impact::{factors, reach, severity, timeline};
use crate::ranking::{Evidence, Judged};
use crate::verdict::Verdict;
use crate::wave::WavesResult;

/// Ranks, judges, and puts everything together.
pub(crate) fn build(
    case: &Case,
    waves: WavesResult,
    explained: Option<&str>,
    started: Instant,
) -> Report {
    let mut unknown: Vec<Unknown> = case.incident.unknown.clone();
    let mut observations: Vec<Observation> = Vec::new();
    let mut facts: Vec<Fact> = Vec::new();
    for findings in waves.findings {
        unknown.extend(findings.unknown);
        observations.extend(findings.observations);
        facts.extend(findings.facts);
    }
    facts.sort_by(by_weight);
    let evidence = Evidence::of(case, observations);
    let (judged, mut hypotheses) = tried(case, &evidence, &facts);
    let verdict = verdict(case, &judged, &facts);
    let mut ranking = ranking(case, &judged);
    let next_probes = match verdict {
        Verdict::Diagnosed => Vec::new(),
        _ => next_probes(case, &ranking, judged.by_metric),
    };
    let mut shown: Vec<&str> = ranking
        .iter()
        .take(EVIDENCE_NODES_MAX)
        .map(|ranked| ranked.node.as_str())
        .collect();
    if let Some(target) = &case.incident.target
        && !shown.contains(&&*target.node)
    {
        shown.push(&target.node);
    }
    let (timeline, course) = timeline(case, &evidence, &facts);
    let severity = severity(case, &evidence, verdict, course);
    let first = judged
        .nodes
        .first()
        .filter(|_| verdict == Verdict::Diagnosed);
    let blast_radius = first.map(|first| reach(case, &evidence, first.place));
    let contributing = match verdict {
        Verdict::NoFault => Vec::new(),
        _ => factors(case, &evidence, &hypotheses, &facts),
    };
    let evidence: Vec<Observation> = shown
        .iter()
        .flat_map(|node| evidence.of_node(case, node))
        .collect();
    refer(&mut hypotheses, &evidence);
    let explanation = explained.and_then(|node| explain(case, &judged, &facts, &hypotheses, node));
    let mut notes = notes(case);
    if let Some(node) = explained.filter(|_| explanation.is_none()) {
        notes.push(format!("there is no node {node} to explain"));
    }
    if verdict == Verdict::Diagnosed {
        ranking.truncate(RANKING_MAX);
    } else {
        ranking.clear();
    }
    let (unknown_total, facts_total) = (unknown.len(), facts.len());
    unknown.truncate(UNKNOWN_MAX);
    facts.truncate(FACTS_MAX);
    Report {
        report_version: REPORT_VERSION,
        verdict,
        fault_probability: 1.0 - judged.no_fault,
        elsewhere_probability: judged.elsewhere,
        target: report_target(case),
        symptom: case.symptom.clone(),
        severity,
        root_cause: RootCause {
            ranking,
            contributing,
        },
        blast_radius,
        timeline,
        evidence,
        explanation,
        facts,
        facts_total,
        hypotheses,
        next_probes,
        unknown,
        unknown_total,
        notes,
        asked: super::resource::asked(case),
        resources: super::resource::resources(case),
        resources_total: case.resources.len(),
        data: data(case),
        specialists: waves.runs,
        costs: waves.costs,
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

/// Names the observations of each hypothesis by their places in the report, and drops places that the report cuts off.
fn refer(hypotheses: &mut [Hypothesis], evidence: &[Observation]) {
    for hypothesis in hypotheses {
        let places = evidence.iter().enumerate();
        hypothesis.observations = places
            .filter(|(_, observation)| observation.node == hypothesis.node)
            .map(|(place, _)| place)
            .collect();
        hypothesis
            .supporting_facts
            .retain(|place| *place < FACTS_MAX);
        hypothesis
            .contradicting_facts
            .retain(|place| *place < FACTS_MAX);
    }
}

/// The strongest first, then by node, time and text, so that the order does not depend on who was asked first.
fn by_weight(a: &Fact, b: &Fact) -> Ordering {
    let from = |fact: &Fact| fact.at.map_or(f64::INFINITY, |span| span.from);
    (b.weight.abs())
        .total_cmp(&a.weight.abs())
        .then_with(|| a.node.cmp(&b.node))
        .then_with(|| from(a).total_cmp(&from(b)))
        .then_with(|| a.text.cmp(&b.text))
}

/// Without a judged metric, a diagnosis needs at least this weight of evidence for its first node, in nats:
/// 20 to 1, from where on it counts as strong (Kass and Raftery 1995). One hint about the only node that is known is none.
const FACT_WEIGHT_MIN: f64 = 3.0;

/// Without a judged metric the answer is never "no fault", because nothing was compared with normal operation;
/// but for a check-up that read something, because its bounds do not depend on what is normal.
pub(crate) fn verdict(case: &Case, judged: &Judged, facts: &[Fact]) -> Verdict {
    let first = judged.nodes.first().map_or(0.0, |first| first.confidence);
    let weight = judged.nodes.first().map_or(0.0, |first| first.weight);
    match Verdict::of(1.0 - judged.no_fault, first) {
        Verdict::Diagnosed if !judged.by_metric && weight < FACT_WEIGHT_MIN => {
            Verdict::InsufficientEvidence
        }
        Verdict::NoFault if case.incident.check_up && !facts.is_empty() => Verdict::NoFault,
        Verdict::NoFault if !judged.by_metric || case.nodes.is_empty() => {
            Verdict::InsufficientEvidence
        }
        verdict => verdict,
    }
}

fn ranking(case: &Case, judged: &Judged) -> Vec<RankedNode> {
    let ranked = judged.nodes.iter().map(|node| RankedNode {
        node: case.nodes[node.place].to_string(),
        confidence: node.confidence,
        prior: node.prior,
        weight: node.weight,
        distance: node.distance,
        features: node.features.clone(),
    });
    ranked.collect()
}

fn report_target(case: &Case) -> Option<ReportTarget> {
    let target = case.incident.target.as_ref()?;
    let starts = case.incident.telemetry.starts();
    Some(ReportTarget {
        node: target.node.to_string(),
        metric: target.signal.metric(),
        statistic: target.signal.statistic(),
        at: target.at,
        telling: case.telling.iter().map(|row| starts[*row]).collect(),
    })
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
    let incident = &case.incident;
    let mut notes = incident.notes.clone();
    let Some((target, place)) = incident.target.as_ref().zip(case.target) else {
        notes.push("there is no metric target: facts alone decide".to_owned());
        return notes;
    };
    if incident.baseline.is_none() {
        notes.push(
            "there is no baseline: the incident is compared with its own first rows".to_owned(),
        );
    }
    if case.topology.callees[place].is_empty() {
        notes.push(format!(
            "the call graph has no call of {}: no other node can be followed to",
            target.node
        ));
    }
    notes
}
