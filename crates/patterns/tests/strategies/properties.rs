//! What holds for any planner and any deadline.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use universal_orchestrator_patterns::{
    Assignment, NamedStep, Parallel, Sequential, SharedStep, WaveLimits, WavePlanner, Waves,
};

use crate::common::{after, context, orchestrator};

/// Asks whatever a list says, over and over, with keys new or old.
struct Any {
    script: Vec<Vec<u8>>,
    confidence: f64,
    step: SharedStep<u32, u32>,
}

impl WavePlanner for Any {
    type Start = u32;
    type Input = u32;
    type Output = u32;

    fn next(&self, start: &u32, found: &[NamedStep<u32>]) -> Vec<Assignment<u32, u32>> {
        let Some(keys) = self.script.get(found.len() % self.script.len().max(1)) else {
            return Vec::new();
        };
        // Half of the keys are new ones for ever.
        let key = |k: &u8| {
            if k.is_multiple_of(2) {
                k.to_string()
            } else {
                format!("{k}/{}", found.len())
            }
        };
        keys.iter()
            .map(|k| Assignment::new(key(k), Arc::clone(&self.step), *start))
            .collect()
    }

    fn confidence(&self, _: &[NamedStep<u32>]) -> f64 {
        self.confidence
    }
}

fn block_on<R>(work: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn waves_terminate_whatever_the_planner_asks(
        script in vec(vec(any::<u8>(), 0..6), 0..5),
        confidence in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), -1.0..2.0],
        waves_max in 0_usize..6,
        steps_max in 0_usize..20,
        at_most in 0_usize..4,
    ) {
        let limits = WaveLimits { confidence: 0.8, waves_max, steps_max, at_most };
        block_on(async {
            let o = orchestrator().await;
            let planner = Any { script, confidence, step: Arc::new(after("x", 5, 1)) };
            let report = Waves::new("any", planner).limits(limits).report(&context(&o), 1).await;
            assert!(report.decisions().len() <= waves_max);
            assert!(report.steps().len() <= steps_max);
            let mut keys: Vec<_> = report.steps().iter().map(NamedStep::name).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), report.steps().len(), "each key is asked once");
            o.shutdown().await;
        });
    }

    #[test]
    fn a_deadline_fires_within_one_tick(
        times in vec(0_u64..2_000, 1..8),
        deadline_ms in 0_u64..2_000,
        at_most in 1_usize..4,
    ) {
        block_on(async {
            let o = orchestrator().await;
            let root = context(&o);
            let within = || root.child().deadline_in(Duration::from_millis(deadline_ms)).build().unwrap();
            let mut parallel = Parallel::new("p").at_most(at_most);
            let mut sequential = Sequential::new("s");
            for (n, ms) in times.iter().enumerate() {
                parallel = parallel.step(after(&n.to_string(), *ms, 1));
                sequential = sequential.step(after(&n.to_string(), *ms, 1));
            }
            let reports = [parallel.report(&within(), 1).await, sequential.report(&within(), 1).await];
            for report in reports {
                assert!(report.duration() <= Duration::from_millis(deadline_ms + 1), "{:?}", report.duration());
                let whole = report.is_complete();
                assert_eq!(whole, report.stopped().is_none(), "{:?} {:?}", report.stopped(), report.missing());
            }
            o.shutdown().await;
        });
    }
}
