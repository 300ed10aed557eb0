//! Counts beside ratios.

use std::collections::BTreeMap;

use fastrand::Rng;
use universal_orchestrator_investigation::Verdict;
use universal_orchestrator_investigation::calibration::Weights;

use crate::samples::{Sample, Use};

/// What became of a group.
#[derive(Default)]
struct Count {
    samples: usize,
    diagnosed: usize,
    first: usize,
    in_three: usize,
    ranked_first: usize,
}

pub(crate) fn print(samples: &[Sample], weights: &Weights, misses: bool) {
    let judged: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.use_for == Use::Judging)
        .collect();
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut forecasts: BTreeMap<&str, Vec<(f64, bool)>> = BTreeMap::new();
    for sample in &judged {
        let answer = sample.answer(weights);
        let cause = sample.cause_place();
        let rank =
            cause.and_then(|cause| answer.ranking.iter().position(|(node, _)| *node == cause));
        let diagnosed = answer.verdict == Verdict::Diagnosed;
        let count = counts.entry(&sample.group).or_default();
        count.samples += 1;
        count.diagnosed += usize::from(diagnosed);
        count.first += usize::from(diagnosed && rank == Some(0));
        count.in_three += usize::from(diagnosed && rank.is_some_and(|rank| rank < 3));
        count.ranked_first += usize::from(rank == Some(0));
        let confidence = answer
            .ranking
            .first()
            .map_or(0.0, |(_, confidence)| *confidence);
        let kind = sample.group.split(',').next().unwrap_or_default();
        for set in ["all", kind] {
            forecasts
                .entry(set)
                .or_default()
                .push((confidence, rank == Some(0)));
        }
        if misses && rank != Some(0) && (sample.cause.is_some() || diagnosed) {
            miss(sample, &answer.ranking, answer.fault);
        }
    }
    println!(
        "{:44} {:>6} {:>14} {:>14} {:>14} {:>14}",
        "group", "n", "diagnosed", "first", "in three", "ranked first"
    );
    for (group, count) in &counts {
        let share = |part: usize| format!("{part} {:.3}", part as f64 / count.samples as f64);
        let (diagnosed, ranked) = (share(count.diagnosed), share(count.ranked_first));
        let (first, three) = (share(count.first), share(count.in_three));
        println!(
            "{group:44} {:6} {diagnosed:>14} {first:>14} {three:>14} {ranked:>14}",
            count.samples
        );
    }
    println!(
        "\n{:12} {:>6} {:>24} {:>26}",
        "forecasts", "n", "Brier (95 %)", "skill (95 %)"
    );
    for (set, forecasts) in &forecasts {
        brier(set, forecasts);
    }
    reliability(&forecasts["all"]);
}

/// Repetitions of the bootstrap.
const REPETITIONS: usize = 1_000;

/// Brier score of "the first node is the cause", and its skill over always forecasting the share of hits (Murphy 1973),
/// with percentile intervals of a bootstrap (Efron 1979).
fn brier(set: &str, forecasts: &[(f64, bool)]) {
    let mut rng = Rng::with_seed(1);
    let mut scores = Vec::new();
    let mut skills = Vec::new();
    for _ in 0..REPETITIONS {
        let drawn: Vec<(f64, bool)> = (0..forecasts.len())
            .map(|_| forecasts[rng.usize(0..forecasts.len())])
            .collect();
        let (score, skill) = score(&drawn);
        scores.push(score);
        skills.push(skill);
    }
    let interval = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (
            values[REPETITIONS / 40],
            values[REPETITIONS - 1 - REPETITIONS / 40],
        )
    };
    let (score, skill) = score(forecasts);
    let ((a, b), (c, d)) = (interval(&mut scores), interval(&mut skills));
    println!(
        "{set:12} {:6} {:>24} {:>26}",
        forecasts.len(),
        format!("{score:.3} ({a:.3} to {b:.3})"),
        format!("{skill:.2} ({c:.2} to {d:.2})")
    );
}

fn score(forecasts: &[(f64, bool)]) -> (f64, f64) {
    let count = forecasts.len() as f64;
    let truth = |hit: bool| f64::from(u8::from(hit));
    let hits = forecasts.iter().map(|(_, hit)| truth(*hit)).sum::<f64>() / count;
    let score = forecasts
        .iter()
        .map(|(p, hit)| (p - truth(*hit)).powi(2))
        .sum::<f64>()
        / count;
    let constant = hits * (1.0 - hits);
    (
        score,
        if constant > 0.0 {
            1.0 - score / constant
        } else {
            f64::NAN
        },
    )
}

/// How often the first node is the cause, for each tenth of confidence.
fn reliability(forecasts: &[(f64, bool)]) {
    println!(
        "\n{:12} {:>6} {:>8} {:>8}",
        "confidence", "n", "mean", "hits"
    );
    for tenth in 0..10 {
        let (from, to) = (f64::from(tenth) / 10.0, f64::from(tenth + 1) / 10.0);
        let within: Vec<&(f64, bool)> = forecasts
            .iter()
            .filter(|(p, _)| *p >= from && (*p < to || tenth == 9))
            .collect();
        if within.is_empty() {
            continue;
        }
        let count = within.len() as f64;
        let mean = within.iter().map(|(p, _)| p).sum::<f64>() / count;
        let hits = within.iter().filter(|(_, hit)| *hit).count() as f64 / count;
        println!(
            "{:12} {:6} {mean:8.3} {hits:8.3}",
            format!("{from:.1} to {to:.1}"),
            within.len()
        );
    }
}

fn miss(sample: &Sample, ranking: &[(usize, f64)], fault: f64) {
    println!(
        "{}: {:?}, fault {fault:.3}, {:?}",
        sample.group, sample.cause, sample.assessed.symptom
    );
    let cause = sample.cause_place();
    for (node, confidence) in ranking
        .iter()
        .enumerate()
        .filter(|(rank, (node, _))| *rank < 3 || Some(*node) == cause)
        .map(|(_, entry)| entry)
    {
        println!(
            "    {confidence:.3} {} {:?}",
            sample.assessed.nodes[*node], sample.assessed.features[*node]
        );
    }
}
