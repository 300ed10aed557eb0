//! The promises of `docs/semantics.md`, held against a model under random sequences of calls.
//!
//! Time is paused and everything runs on one thread, so a sequence has one outcome. A failure prints the shortest sequence found; `PROPTEST_CASES` asks for
//! more of them, `PROPTEST_RNG_SEED` for the same again.

mod model;

use proptest::collection::vec;
use proptest::prelude::*;

use model::run::Pair;
use model::state::Rules;
use model::step::{Step, step};

const STEPS: usize = 200;

fn rules() -> impl Strategy<Value = Rules> {
    (
        prop_oneof![Just(6usize), Just(1000)],
        any::<bool>(),
        prop_oneof![Just(0u64), Just(300)],
    )
        .prop_map(|(queue_max, queue_unroutable, ageing)| Rules {
            queue_max,
            queue_unroutable,
            unroutable_ttl: 800,
            lease: 1000,
            attempt_timeout: 5000,
            attempts: 3,
            base_delay: 100,
            max_delay: 1000,
            ageing,
            silence_factor: 3,
        })
}

/// Runs a sequence on a thread's runtime with paused time; gives the trace of what each call came to.
fn run(rules: &Rules, steps: &[Step]) -> Result<Vec<String>, TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        let mut pair = Pair::start(rules.clone()).await;
        pair.run(steps).await?;
        Ok(pair.trace)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 4000, max_shrink_time: 15_000, ..ProptestConfig::default() })]

    #[test]
    fn every_call_comes_to_what_the_model_says(rules in rules(), steps in vec(step(), STEPS)) {
        run(&rules, &steps)?;
    }

    #[test]
    fn the_same_sequence_is_routed_the_same(rules in rules(), steps in vec(step(), STEPS / 4)) {
        prop_assert_eq!(run(&rules, &steps)?, run(&rules, &steps)?);
    }
}
