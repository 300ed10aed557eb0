//! What earlier runs of a strategy took, and what the next is expected to take.

use std::time::Duration;

use hashbrown::HashMap;

use crate::step::{SharedStep, Step as _};
use crate::strategy::report::Mode;

/// What earlier runs took.
#[derive(Debug)]
pub(super) struct Measured {
    /// Seconds by the name of the step.
    seconds: HashMap<String, f64>,
    /// Runs in a row that would have taken too long one by one.
    pub(super) runs_over: u32,
    pub(super) mode: Mode,
}

impl Default for Measured {
    fn default() -> Self {
        Self {
            seconds: HashMap::new(),
            runs_over: 0,
            mode: Mode::Sequential,
        }
    }
}

/// The weight of the newest duration.
const WEIGHT: f64 = 0.3;

impl Measured {
    pub(super) fn record(&mut self, name: &str, took: Duration) {
        let took = took.as_secs_f64();
        self.seconds
            .entry_ref(name)
            .and_modify(|seconds| *seconds += WEIGHT * (took - *seconds))
            .or_insert(took);
    }
}

/// How long the rest would take.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expected {
    pub(super) sequential: f64,
    parallel: f64,
}

impl Expected {
    /// Steps never measured count as the average of those that were; `None` when none was.
    pub(super) fn of<I, O>(
        measured: &Measured,
        rest: &[SharedStep<I, O>],
        at_most: usize,
    ) -> Option<Self>
    where
        I: Send + 'static,
        O: Send + 'static,
    {
        if measured.seconds.is_empty() {
            return None;
        }
        let mean = measured.seconds.values().sum::<f64>() / measured.seconds.len() as f64;
        let of = |step: &SharedStep<I, O>| measured.seconds.get(step.name()).copied();
        let all = || rest.iter().map(|step| of(step).unwrap_or(mean));
        let sequential: f64 = all().sum();
        let longest = all().fold(0.0, f64::max);
        Some(Self {
            sequential,
            parallel: longest.max(sequential / at_most.max(1) as f64),
        })
    }

    pub(super) fn saves(&self, share: f64) -> bool {
        self.sequential > 0.0 && 1.0 - self.parallel / self.sequential >= share
    }
}
