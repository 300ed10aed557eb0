//! Fits the weights of the model by gradient ascent on the penalised likelihood (AdaGrad, Duchi et al. 2011).

use universal_orchestrator_investigation::{Assessment, CandidateFeatures, FEATURE_NAMES, Weights};

use crate::Sample;

/// Rounds of the ascent.
const ROUNDS: usize = 800;
/// Penalty on the squares of the weights.
const PENALTY: f64 = 5e-4;

/// What one sample teaches.
struct Lesson {
    features: Vec<CandidateFeatures>,
    cause: Option<usize>,
    assessment: Assessment,
    weight: f64,
}

pub(crate) fn fit(samples: &[Sample]) -> Weights {
    let lessons: Vec<Lesson> = samples
        .iter()
        .filter(|sample| {
            sample.train && sample.a.symptom.is_some() && !sample.group.contains("faint")
        })
        .map(|sample| Lesson {
            features: sample
                .a
                .ranking
                .iter()
                .map(|ranked| ranked.features.clone())
                .collect(),
            cause: sample
                .cause
                .as_ref()
                .and_then(|cause| sample.a.ranking.iter().position(|r| r.node == *cause)),
            assessment: sample.a.clone(),
            weight: 1.0,
        })
        .collect();
    let mut weights = Weights::default();
    let mut squares = [1e-6; FEATURE_NAMES.len()];
    for _ in 0..ROUNDS {
        let mut gradient = [0.0; FEATURE_NAMES.len()];
        for lesson in &lessons {
            let Some(cause) = lesson.cause else { continue };
            let shares = softmax(&weights, &lesson.features);
            for (place, (features, share)) in lesson.features.iter().zip(&shares).enumerate() {
                let error = f64::from(u8::from(place == cause)) - share;
                for (sum, input) in gradient.iter_mut().zip(Weights::inputs(features)) {
                    *sum += error * input;
                }
            }
        }
        step(
            &mut weights.node,
            &gradient,
            &mut squares,
            lessons.len() as f64,
        );
        // No injected fault is out of reach, so the data cannot tell; a node out of reach is a guess about the graph.
        weights.node[FEATURE_NAMES.len() - 1] = -4.0;
    }
    let faults = lessons
        .iter()
        .filter(|lesson| lesson.cause.is_some())
        .count() as f64;
    let healthy = lessons.len() as f64 - faults;
    let inputs: Vec<_> = lessons
        .iter()
        .filter_map(|lesson| {
            Some(weights.fault_inputs(&lesson.features, lesson.assessment.symptom.as_ref()?))
        })
        .collect();
    let mut squares = [1e-6; 6];
    for _ in 0..ROUNDS * 4 {
        let mut gradient = [0.0; 6];
        for (lesson, inputs) in lessons.iter().zip(&inputs) {
            let evidence: f64 = inputs.iter().zip(&weights.fault).map(|(x, w)| x * w).sum();
            let probability = 1.0 / (1.0 + (-evidence).exp());
            // Faults and healthy windows count the same, however many there are of each.
            let (truth, weight) = match lesson.cause {
                Some(_) => (1.0, 0.5 / faults),
                None => (0.0, 0.5 / healthy),
            };
            for (sum, input) in gradient.iter_mut().zip(inputs) {
                *sum += weight * lesson.weight * (truth - probability) * input;
            }
        }
        step(&mut weights.fault, &gradient, &mut squares, 1.0);
    }
    for (name, weight) in FEATURE_NAMES.iter().zip(weights.node) {
        println!("{name:28} {weight:7.3}");
    }
    println!("fault {:.3?}\nnode: {:.2?}", weights.fault, weights.node);
    weights
}

fn step<const N: usize>(
    weights: &mut [f64; N],
    gradient: &[f64; N],
    squares: &mut [f64; N],
    count: f64,
) {
    for ((weight, sum), square) in weights.iter_mut().zip(gradient).zip(squares) {
        let slope = sum / count - PENALTY * *weight;
        *square += slope * slope;
        *weight += 0.3 * slope / square.sqrt();
    }
}

fn softmax(weights: &Weights, features: &[CandidateFeatures]) -> Vec<f64> {
    let logits = features.iter().map(|node| {
        Weights::inputs(node)
            .iter()
            .zip(&weights.node)
            .map(|(input, weight)| input * weight)
            .sum::<f64>()
    });
    let logits: Vec<f64> = logits.collect();
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total).collect()
}

pub(crate) fn rescore(sample: &mut Sample, weights: &Weights) {
    let Some(symptom) = &sample.a.symptom else {
        return;
    };
    let features: Vec<CandidateFeatures> = sample
        .a
        .ranking
        .iter()
        .map(|r| r.features.clone())
        .collect();
    let inputs = weights.fault_inputs(&features, symptom);
    let evidence: f64 = inputs.iter().zip(&weights.fault).map(|(x, w)| x * w).sum();
    let fault = 1.0 / (1.0 + (-evidence).exp());
    for (ranked, share) in sample.a.ranking.iter_mut().zip(softmax(weights, &features)) {
        ranked.confidence = share * fault;
    }
    sample.a.no_fault = 1.0 - fault;
    sample.a.ranking.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then_with(|| a.node.cmp(&b.node))
    });
}
