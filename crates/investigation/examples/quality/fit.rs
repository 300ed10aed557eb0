//! Fits the weights of the model by gradient ascent on the penalised likelihood (AdaGrad, Duchi et al. 2011).

use universal_orchestrator_investigation::calibration::{FEATURE_NAMES, Weights};
use universal_orchestrator_investigation::{CandidateFeatures, Symptom};

use crate::samples::{Sample, Use};

/// Rounds of the ascent.
const ROUNDS: usize = 800;
/// Penalty on the squares of the weights.
const PENALTY: f64 = 5e-4;

/// What one sample teaches.
struct Lesson<'a> {
    features: &'a [CandidateFeatures],
    cause: Option<usize>,
    symptom: &'a Symptom,
}

/// Fits on the samples for fitting. Faint faults, which the target hardly shows, teach neither that there is one nor that there is none.
pub(crate) fn fit(samples: &[Sample]) -> Weights {
    let lessons: Vec<Lesson<'_>> = samples
        .iter()
        .filter(|sample| sample.use_for == Use::Fitting && !sample.group.ends_with("faint"))
        .map(|sample| Lesson {
            features: &sample.assessed.features,
            cause: sample.cause_place(),
            symptom: &sample.assessed.symptom,
        })
        .collect();
    let mut weights = Weights::default();
    let mut squares = [1e-6; FEATURE_NAMES.len()];
    for _ in 0..ROUNDS {
        let mut gradient = [0.0; FEATURE_NAMES.len()];
        for lesson in &lessons {
            let Some(cause) = lesson.cause else { continue };
            let shares = softmax(&weights, lesson.features);
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
        .map(|lesson| weights.fault_inputs(lesson.features, lesson.symptom))
        .collect();
    let mut squares = [1e-6; 5];
    for _ in 0..ROUNDS * 4 {
        let mut gradient = [0.0; 5];
        for (lesson, inputs) in lessons.iter().zip(&inputs) {
            let evidence: f64 = inputs.iter().zip(&weights.fault).map(|(x, w)| x * w).sum();
            let probability = 1.0 / (1.0 + (-evidence).exp());
            // Faults and healthy windows count the same, however many there are of each.
            let (truth, weight) = match lesson.cause {
                Some(_) => (1.0, 0.5 / faults),
                None => (0.0, 0.5 / healthy),
            };
            for (sum, input) in gradient.iter_mut().zip(inputs) {
                *sum += weight * (truth - probability) * input;
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
