//! Where the time of requests went.

use super::{Gathered, fact};
use crate::evidence::{Case, Category, FactKind, weights};
use crate::trace::self_times;

/// Shares below are not worth a line.
const SHARE_SHOWN_MIN: f64 = 0.2;
/// A node that has this share of slow requests is where they are slow.
const SHARE_SLOW_MIN: f64 = 0.5;
/// The same for very slow requests, which take five times as long as slow ones.
const SHARE_VERY_SLOW_MIN: f64 = 0.8;
const VERY_SLOW_TIMES: f64 = 5.0;

/// Adds the share of the critical path of all traces that each node has.
pub(super) fn of(case: &Case, gathered: &mut Gathered) {
    let mut seconds = vec![0.0; case.nodes.len()];
    let mut longest: Vec<(f64, String)> = vec![(0.0, String::new()); case.nodes.len()];
    let (mut total, mut requests) = (0.0, 0_u32);
    for trace in &case.incident.traces {
        for (span, time) in trace.spans.iter().zip(self_times(trace)) {
            if let (None, Some(duration)) = (span.parent, span.duration()) {
                total += duration;
                requests += 1;
            }
            let Some(own) = span.resource else { continue };
            let node = case.resources[own];
            seconds[node] += time.critical;
            if time.own > longest[node].0 {
                longest[node] = (time.own, trace.location(span));
            }
        }
    }
    if total <= 0.0 {
        return;
    }
    // Where there is one node only, all of the time is its, which says nothing.
    let alone = seconds.iter().filter(|seconds| **seconds > 0.0).count() < 2;
    let mean = total / f64::from(requests.max(1));
    let slow = case.incident.thresholds.slow_seconds;
    for (node, (seconds, (own, location))) in seconds.into_iter().zip(longest).enumerate() {
        let share = seconds / total;
        if share < SHARE_SHOWN_MIN {
            continue;
        }
        let weight = if alone {
            weights::NEUTRAL
        } else if mean >= slow * VERY_SLOW_TIMES && share >= SHARE_VERY_SLOW_MIN {
            weights::CRITICAL_PATH_VERY_SLOW
        } else if mean >= slow && share >= SHARE_SLOW_MIN {
            weights::CRITICAL_PATH_SLOW
        } else {
            weights::NEUTRAL
        };
        let text = format!(
            "{:.0} % of the time of requests ({requests} traced, {mean:.3} s on average) was spent in {}; its longest self time is {own:.3} s",
            share * 100.0,
            case.nodes[node]
        );
        let kind = FactKind::CriticalPath { seconds, share };
        gathered.add(
            node,
            "time".to_owned(),
            fact(kind, Category::Latency, weight, None, text, location),
        );
    }
}
