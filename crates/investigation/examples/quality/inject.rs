//! Faults of every kind, put into recorded normal operation and carried along the call graph.

use std::collections::BTreeMap;

use fastrand::Rng;
use universal_orchestrator_investigation::{CallGraph, Incident, Signal, Target, Telemetry};

/// What kind of fault is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Requests take longer; seen as latency.
    Delay,
    /// Requests fail; seen as availability.
    Errors,
    /// More requests arrive than the node can take: it gets slower and some fail.
    Overload,
}

impl Fault {
    pub(crate) const ALL: [Self; 3] = [Self::Delay, Self::Errors, Self::Overload];
}

/// Normal operation of one scenario.
pub(crate) struct Ground {
    pub(crate) name: String,
    pub(crate) graph: CallGraph,
    pub(crate) normal: Telemetry,
    /// Where symptoms are looked for: the entry that most requests come in by.
    pub(crate) target: String,
    /// How much each node's seconds and failed requests of an interval vary.
    variation: BTreeMap<String, [f64; 2]>,
}

/// Intervals of an incident.
pub(crate) const ROWS: usize = 5;

impl Ground {
    pub(crate) fn new(name: &str, graph: CallGraph, normal: Telemetry, target: &str) -> Self {
        let of = |node: &str, signal: Signal| {
            let requests = normal.series(node, Signal::Requests).unwrap_or(&[]);
            let values = normal.series(node, signal).unwrap_or(&[]);
            let mass = |(value, count): (&f64, &f64)| badness(*value, signal) * count;
            usual_width(values.iter().zip(requests).map(mass).collect())
        };
        let both = |node: &str| {
            [
                of(node, Signal::LatencyAverage),
                of(node, Signal::Availability),
            ]
        };
        let variation = normal
            .nodes()
            .iter()
            .map(|node| (node.to_string(), both(node)))
            .collect();
        Self {
            name: name.to_owned(),
            graph,
            normal,
            target: target.to_owned(),
            variation,
        }
    }

    /// The share of a callee's excess that can reach the caller: what varies more than its caller is not waited for.
    fn passed_on(&self, callee: &str, caller: &str, as_errors: bool) -> f64 {
        let of = |node: &str| {
            let variation = self
                .variation
                .get(node)
                .map_or(0.0, |both| both[usize::from(as_errors)]);
            // One request more or less is no variation to conclude from.
            if as_errors {
                variation.max(1.0)
            } else {
                variation.max(1e-3)
            }
        };
        (of(caller) / of(callee)).min(1.0)
    }

    /// The first half, as a baseline.
    pub(crate) fn baseline(&self) -> Telemetry {
        self.normal.rows(0, self.normal.starts().len() / 2)
    }

    /// How many windows without overlap the second half has.
    pub(crate) fn windows(&self) -> usize {
        let rows = self.normal.starts().len();
        (rows - rows / 2) / ROWS
    }

    /// One window of the second half, as an incident at `signal` of the target.
    pub(crate) fn window(&self, window: usize, signal: Signal, at: f64) -> Incident {
        let from = self.normal.starts().len() / 2 + window * ROWS;
        let telemetry = self.normal.rows(from, from + ROWS);
        let step = telemetry.step().unwrap_or(0.0);
        Incident {
            target: Some(Target {
                node: self.target.as_str().into(),
                signal,
                at: Some(telemetry.starts()[1] + step * at),
            }),
            telemetry,
            baseline: Some(self.baseline()),
            graph: self.graph.clone(),
            ..Incident::default()
        }
    }

    /// The nodes that the target's requests lead to, with the target.
    pub(crate) fn reachable(&self) -> Vec<String> {
        let mut found = vec![self.target.clone()];
        let mut next = 0;
        while next < found.len() {
            let callees = self
                .graph
                .calls()
                .filter(|(caller, _)| ***caller == *found[next]);
            let callees: Vec<String> = callees.map(|(_, callee)| callee.to_string()).collect();
            for callee in callees {
                if !found.contains(&callee) {
                    found.push(callee);
                }
            }
            next += 1;
        }
        found
    }
}

/// An incident with its answer.
pub(crate) struct Injected {
    pub(crate) incident: Incident,
    pub(crate) cause: String,
    /// By how many times its usual deviation the target moved.
    pub(crate) visible: f64,
}

/// Puts a fault into a window. `None` when the node has no traffic there, or cannot move the target.
pub(crate) fn inject(
    ground: &Ground,
    window: usize,
    fault: Fault,
    cause: &str,
    strength: f64,
    rng: &mut Rng,
) -> Option<Injected> {
    let as_errors = match fault {
        Fault::Delay => false,
        Fault::Errors => true,
        Fault::Overload => rng.bool(),
    };
    let signal = if as_errors {
        Signal::Availability
    } else {
        Signal::LatencyAverage
    };
    let onset = rng.f64();
    let mut incident = ground.window(window, signal, onset);
    if rng.bool() {
        drift(&mut incident.telemetry, rng);
    }
    let course = course(onset, rng);
    let flow = flow(ground, &incident, cause, as_errors, rng);
    let reached = *flow.get(&ground.target)?;
    if reached <= 0.0 {
        return None;
    }
    let noise = usual_deviation(ground, signal);
    let requests = mean(
        incident
            .telemetry
            .series(&ground.target, Signal::Requests)?,
    )?;
    // The mass that the cause must add for the target to move as far as asked.
    let mut mass = strength * noise * requests / reached;
    let own_requests =
        mean(incident.telemetry.series(cause, Signal::Requests)?).filter(|n| *n > 0.5)?;
    let most = if as_errors { 0.95 } else { 30.0 };
    mass = mass.min(own_requests * most);
    let visible = mass * reached / requests / noise;
    for (node, share) in &flow {
        let wobble = 0.85 + 0.3 * rng.f64();
        add(
            &mut incident.telemetry,
            node,
            as_errors,
            mass * share * wobble,
            &course,
            rng,
        );
    }
    // What fails often takes longer or shorter as well, and what is slow may fail in part.
    if as_errors && rng.bool() {
        scale_latency(
            &mut incident.telemetry,
            cause,
            0.7 + 1.5 * rng.f64(),
            &course,
        );
    }
    if !as_errors && rng.u8(0..4) == 0 {
        add(
            &mut incident.telemetry,
            cause,
            true,
            own_requests * 0.03,
            &course,
            rng,
        );
    }
    if fault == Fault::Overload {
        surge(
            &mut incident.telemetry,
            cause,
            1.5 + 3.0 * rng.f64(),
            &course,
        );
    }
    Some(Injected {
        incident,
        cause: cause.to_owned(),
        visible,
    })
}

/// How strong the fault is in each row: it starts within the second and ends before or in the last.
fn course(onset: f64, rng: &mut Rng) -> [f64; ROWS] {
    let second = if rng.bool() { 1.0 - onset } else { 0.0 };
    let third = 0.7 + 0.3 * rng.f64();
    let fourth = if rng.u8(0..3) == 0 {
        0.1
    } else {
        0.3 + 0.7 * rng.f64()
    };
    let last = if rng.bool() { 0.0 } else { 0.5 * rng.f64() };
    [0.0, second, third, fourth, last]
}

/// The excess of each node for an excess of one at the cause: carried to its callers in proportion to their requests,
/// with losses and gains; some callees of the cause look slower too, and some neighbour may be a second view of it.
fn flow(
    ground: &Ground,
    incident: &Incident,
    cause: &str,
    as_errors: bool,
    rng: &mut Rng,
) -> BTreeMap<String, f64> {
    let traffic = |node: &str| {
        let requests = incident
            .telemetry
            .series(node, Signal::Requests)
            .and_then(mean);
        requests.unwrap_or(0.0)
    };
    let mut flow: BTreeMap<String, f64> = BTreeMap::from([(cause.to_owned(), 1.0)]);
    // Callers of callers, as deep as the graph can be; a cycle ends with the rounds.
    let mut fresh: Vec<(String, f64)> = vec![(cause.to_owned(), 1.0)];
    for _ in 0..ground.graph.node_count() {
        let mut next = Vec::new();
        for (node, mass) in &fresh {
            let callers = ground
                .graph
                .calls()
                .filter(|(_, callee)| ***callee == **node);
            let callers: Vec<String> = callers.map(|(caller, _)| caller.to_string()).collect();
            let all: f64 = callers.iter().map(|caller| traffic(caller)).sum();
            for caller in callers {
                let share = if all > 0.0 {
                    traffic(&caller) / all
                } else {
                    0.0
                };
                let waited_for = ground.passed_on(node, &caller, as_errors);
                let passed = mass * share * waited_for * (0.5 + 0.6 * rng.f64());
                if passed > 1e-4 {
                    *flow.entry(caller.clone()).or_default() += passed;
                    next.push((caller, passed));
                }
            }
        }
        if next.is_empty() {
            break;
        }
        fresh = next;
    }
    for (caller, callee) in ground.graph.calls() {
        if **caller == *cause && rng.u8(0..3) == 0 {
            *flow.entry(callee.to_string()).or_default() += 0.35 * rng.f64();
        }
    }
    if rng.bool() {
        second_view(ground, &mut flow, cause, rng);
    }
    flow
}

/// A load balancer in front of the cause is a callee of its caller and, to the call graph, not related to the cause.
fn second_view(ground: &Ground, flow: &mut BTreeMap<String, f64>, cause: &str, rng: &mut Rng) {
    let calls: Vec<(String, String)> = ground
        .graph
        .calls()
        .map(|(a, b)| (a.to_string(), b.to_string()))
        .collect();
    let is_leaf = |node: &str| calls.iter().all(|(caller, _)| caller != node);
    let callers: Vec<&str> = calls
        .iter()
        .filter(|(_, b)| b == cause)
        .map(|(a, _)| a.as_str())
        .collect();
    let views: Vec<&str> = calls
        .iter()
        .filter(|(a, b)| {
            callers.contains(&a.as_str()) && b != cause && is_leaf(b) && !flow.contains_key(b)
        })
        .map(|(_, b)| b.as_str())
        .collect();
    if let Some(view) = rng.choice(&views) {
        let passed = callers
            .iter()
            .filter_map(|caller| flow.get(*caller))
            .sum::<f64>();
        flow.insert((*view).to_owned(), passed * (0.1 + 0.5 * rng.f64()));
    }
}

/// Months lie between a baseline and an incident: some nodes are slower or faster throughout, some get other traffic.
pub(crate) fn drift(telemetry: &mut Telemetry, rng: &mut Rng) {
    for node in telemetry.nodes().to_vec() {
        if rng.u8(0..3) != 0 {
            continue;
        }
        let factor = (0.5 * normal(rng)).exp();
        let signal = if rng.u8(0..4) == 0 {
            Signal::Requests
        } else {
            Signal::LatencyAverage
        };
        if let Some(series) = telemetry.series(&node, signal) {
            let series = series.iter().map(|value| value * factor).collect();
            telemetry.insert(&node, signal, series);
        }
    }
}

fn add(
    telemetry: &mut Telemetry,
    node: &str,
    errors: bool,
    mass: f64,
    course: &[f64; ROWS],
    rng: &mut Rng,
) {
    let signal = if errors {
        Signal::Availability
    } else {
        Signal::LatencyAverage
    };
    let (Some(series), Some(requests)) = (
        telemetry.series(node, signal),
        telemetry.series(node, Signal::Requests),
    ) else {
        return;
    };
    let usual = mean(requests).unwrap_or(0.0).max(1.0);
    let series = (0..ROWS).map(|row| {
        let excess = mass * course[row] / usual * (0.9 + 0.2 * rng.f64());
        if errors {
            // Whole requests fail, not parts of one.
            let count = requests[row].max(1.0);
            let failed = ((100.0 - series[row]) / 100.0 + excess).clamp(0.0, 1.0) * count;
            100.0 - 100.0 * (failed + rng.f64()).floor().min(count) / count
        } else {
            series[row] + excess
        }
    });
    let series = series.collect();
    telemetry.insert(node, signal, series);
}

fn scale_latency(telemetry: &mut Telemetry, node: &str, factor: f64, course: &[f64; ROWS]) {
    if let Some(series) = telemetry.series(node, Signal::LatencyAverage) {
        let scaled = series
            .iter()
            .zip(course)
            .map(|(v, strength)| v * (1.0 + (factor - 1.0) * strength));
        let scaled = scaled.collect();
        telemetry.insert(node, Signal::LatencyAverage, scaled);
    }
}

pub(crate) fn surge(telemetry: &mut Telemetry, node: &str, factor: f64, course: &[f64; ROWS]) {
    if let Some(series) = telemetry.series(node, Signal::Requests) {
        let more = series
            .iter()
            .zip(course)
            .map(|(v, strength)| v * (1.0 + (factor - 1.0) * strength));
        let more = more.collect();
        telemetry.insert(node, Signal::Requests, more);
    }
}

fn usual_deviation(ground: &Ground, signal: Signal) -> f64 {
    let series = ground.normal.series(&ground.target, signal).unwrap_or(&[]);
    let width = usual_width(series.iter().map(|value| badness(*value, signal)).collect());
    width.max(if signal == Signal::Availability {
        0.002
    } else {
        1e-4
    })
}

/// Larger is worse: seconds, or the share that failed.
fn badness(value: f64, signal: Signal) -> f64 {
    if signal == Signal::Availability {
        (100.0 - value) / 100.0
    } else {
        value
    }
}

/// A standard deviation from the central 90 %.
fn usual_width(mut values: Vec<f64>) -> f64 {
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let at = |share: f64| values[(last as f64 * share) as usize];
    (at(0.95) - at(0.05)) / 3.29
}

fn mean(series: &[f64]) -> Option<f64> {
    let present: Vec<f64> = series.iter().copied().filter(|v| !v.is_nan()).collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

/// A standard normal number (Box and Muller 1958).
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}
