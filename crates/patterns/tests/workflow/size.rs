//! Ten thousand steps, in a chain and in one layer, without recursion; one more is refused.

use serde_json::Value;
use universal_orchestrator_patterns::{
    ProblemKind, STEPS_MAX, Workflow, WorkflowBuilder, WorkflowStep,
};

use crate::common::{context, orchestrator};
use crate::{built, errors};

fn chain(steps: usize) -> WorkflowBuilder {
    let mut builder = Workflow::builder("chain");
    for step in 0..steps {
        let made = WorkflowStep::collect(format!("s{step}"));
        builder = builder.step(match step {
            0 => made.input("n", "input"),
            _ => made.input("n", format!("steps.s{}.n", step - 1)),
        });
    }
    builder.output("n", format!("steps.s{}.n", steps - 1))
}

fn layer(steps: usize) -> WorkflowBuilder {
    let mut builder = Workflow::builder("layer");
    for step in 0..steps - 1 {
        builder = builder.step(WorkflowStep::collect(format!("s{step}")).input_whole("input"));
    }
    let names: Vec<String> = (0..steps - 1).map(|step| format!("s{step}")).collect();
    builder
        .step(
            WorkflowStep::collect("join")
                .needs(names)
                .input_whole("input"),
        )
        .output("n", "steps.join")
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_steps_are_built_and_run_on_a_small_stack() {
    let o = orchestrator().await;
    for builder in [chain(STEPS_MAX), layer(STEPS_MAX)] {
        // A stack on which recursion over the steps would not fit.
        let thread = std::thread::Builder::new().stack_size(512 << 10);
        let made = thread
            .spawn(move || built(builder))
            .expect("there is a thread");
        let workflow = made.join().expect("it was built");
        let report = workflow.report(&context(&o), Value::from(7)).await;
        assert!(report.is_success());
        assert_eq!(report.outputs()["n"], 7);
        assert_eq!(report.run().steps().len(), STEPS_MAX);
        let thread = std::thread::Builder::new().stack_size(512 << 10);
        let dropped = thread
            .spawn(move || drop((workflow, report)))
            .expect("there is a thread");
        dropped.join().expect("it was dropped");
    }
    o.shutdown().await;
}

#[test]
fn one_step_more_is_refused() {
    let refused = errors(chain(STEPS_MAX + 1));
    let [problem] = refused.problems() else {
        panic!("{refused}")
    };
    assert_eq!(problem.kind(), &ProblemKind::Limit);
    assert_eq!(
        problem.to_string(),
        "steps: 10001 steps; write at most 10000, and put a part into a workflow of its own"
    );
}

#[test]
fn a_cycle_of_ten_thousand_steps_is_found_and_cut_short_in_words() {
    let mut builder = Workflow::builder("ring");
    for step in 0..STEPS_MAX {
        let next = format!("s{}", (step + 1) % STEPS_MAX);
        builder = builder.step(WorkflowStep::collect(format!("s{step}")).needs([next]));
    }
    let refused = errors(builder);
    let [problem] = refused.problems() else {
        panic!("{refused}")
    };
    assert!(
        problem
            .message()
            .contains("s9 -> s10 -> … -> s0 (10000 steps)"),
        "{problem}"
    );
    let ProblemKind::Cycle { path } = problem.kind() else {
        panic!("{problem}")
    };
    assert_eq!(path.len(), STEPS_MAX + 1);
}
