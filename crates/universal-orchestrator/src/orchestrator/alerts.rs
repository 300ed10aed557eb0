//! Alerts, and how often targets were exceeded.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

use crate::status::AlertView;

/// The same alert is shown again after this long; every occurrence is counted.
const REPEAT_MS: u64 = 60_000;

#[derive(Debug, Default)]
struct State {
    recent: VecDeque<AlertView>,
    exceeded: BTreeMap<&'static str, (u64, u64)>,
}

/// Alerts, and how often targets were exceeded.
#[derive(Debug, Default)]
pub(crate) struct Alerts(Mutex<State>);

impl Alerts {
    pub(crate) fn push(&self, source: &str, text: &str, timestamp_ms: u64, max: usize) {
        let mut state = self.0.lock();
        state.recent.push_back(AlertView {
            source: source.to_owned(),
            text: text.to_owned(),
            timestamp_ms,
        });
        while state.recent.len() > max {
            state.recent.pop_front();
        }
    }

    /// Counts an exceeded target; `true` when it is time to say so again.
    pub(crate) fn exceeded(&self, target: &'static str, now_ms: u64) -> bool {
        let mut state = self.0.lock();
        let (count, said) = state.exceeded.entry(target).or_insert((0, 0));
        *count += 1;
        let due = *count == 1 || now_ms.saturating_sub(*said) >= REPEAT_MS;
        if due {
            *said = now_ms;
        }
        due
    }

    pub(crate) fn recent(&self) -> Vec<AlertView> {
        self.0.lock().recent.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0
            .lock()
            .exceeded
            .iter()
            .map(|(target, (count, _))| (*target, *count))
            .collect()
    }
}
