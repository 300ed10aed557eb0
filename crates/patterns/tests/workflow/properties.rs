//! What holds of any graph.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use universal_orchestrator_patterns::{
    Specialist, StepContext, StepFailure, Workflow, WorkflowReport, WorkflowStep,
};

use crate::common::{context, orchestrator};
use crate::{built, statuses};

/// A step of a random graph: what it needs among those before, how long it takes, whether it fails.
type Shape = (Vec<prop::sample::Index>, u64, bool);

fn graph(shapes: &[Shape], at_most: usize) -> Workflow {
    let mut builder = Workflow::builder("random").at_most(at_most);
    for (at, (needs, ms, fails)) in shapes.iter().enumerate() {
        let (ms, fails) = (*ms, *fails);
        let work = Specialist::function(
            format!("s{at}"),
            move |input: Value, _: StepContext| async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                match fails {
                    true => Err(StepFailure::permanent("told to fail")),
                    false => Ok(json!({ "n": at, "input": input })),
                }
            },
        );
        let mut step = WorkflowStep::run(format!("s{at}"), work);
        if at > 0 {
            for need in needs {
                let need = need.index(at);
                step = step.input(format!("i{need}"), format!("steps.s{need}.n"));
            }
        }
        builder = builder.step(step);
    }
    built(builder)
}

/// What came of the steps, without how long they took.
fn found(report: &WorkflowReport) -> Vec<(String, Option<Value>)> {
    let data = report
        .run()
        .steps()
        .iter()
        .map(|s| s.result().data().cloned());
    statuses(report)
        .into_iter()
        .map(|(_, status)| status)
        .zip(data)
        .collect()
}

fn run(shapes: &[Shape], at_most: usize) -> WorkflowReport {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("there is a runtime");
    runtime.block_on(async {
        let o = orchestrator().await;
        let report = graph(shapes, at_most)
            .report(&context(&o), Value::Null)
            .await;
        o.shutdown().await;
        report
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn results_do_not_depend_on_completion_order(
        shapes in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0_u64..50, prop::bool::weighted(0.15)), 1..24),
        times in prop::collection::vec(0_u64..50, 24),
        at_most in 1_usize..8,
    ) {
        let first = run(&shapes, 32);
        let mut other = shapes.clone();
        for (shape, ms) in other.iter_mut().zip(times) {
            shape.1 = ms;
        }
        let second = run(&other, at_most);
        prop_assert_eq!(found(&first), found(&second));
        // A step ran exactly if all that it needs succeeded.
        for (at, (needs, _, fails)) in shapes.iter().enumerate() {
            let steps = first.run().steps();
            let ready = at == 0 || needs.iter().all(|need| steps[need.index(at)].result().is_success());
            let result = steps[at].result();
            prop_assert_eq!(result.is_success(), ready && !fails);
            prop_assert_eq!(result.skip_reason().is_some(), !ready);
        }
    }

    #[test]
    fn the_critical_path_is_how_long_it_takes_without_a_bound(
        shapes in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0_u64..50, Just(false)), 1..24),
    ) {
        let report = run(&shapes, 10_000);
        prop_assert_eq!(report.critical_path().duration, report.run().duration());
    }
}
