//! Random sequences of calls, on one thread with paused time: one outcome each. A failure prints the shortest sequence found;
//! `PROPTEST_CASES` asks for more of them, `PROPTEST_RNG_SEED` for the same again.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::play::{Checked, Play};
use crate::sections::NAMES;
use crate::step::{Step, step};

const STEPS: usize = 120;

/// Runs something on a runtime of its own, on one thread and with paused time.
pub(crate) fn on_paused_time<T>(play: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime can be built");
    runtime.block_on(play)
}

fn held_with(plugins: &[&'static str], steps: &[Step]) -> Checked {
    on_paused_time(async { Play::start(plugins).await.play(steps).await })
}

fn pairs() -> impl Strategy<Value = Vec<&'static str>> {
    let two = (0..NAMES.len(), 1..NAMES.len());
    two.prop_map(|(one, further)| vec![NAMES[one], NAMES[(one + further) % NAMES.len()]])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 2000, max_shrink_time: 15_000, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_with_each_pair(plugins in pairs(), steps in vec(step(), STEPS)) {
        held_with(&plugins, &steps)?;
    }

    #[test]
    fn the_promises_hold_with_all_of_them(steps in vec(step(), STEPS)) {
        held_with(&NAMES, &steps)?;
    }
}
