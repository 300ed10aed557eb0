//! What runs, in which order, on which input.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;
use universal_orchestrator::{AgentRole, AgentSpec, Amount, TaskContext, agent_fn};
use universal_orchestrator_patterns::{
    Facade, Layer, OrchestrationKind, OrchestrationSpec, Specialist, Step, StepContext,
    StepFailure, StepLibrary, ValueType, Workflow, WorkflowSpec, WorkflowStep,
};

use crate::common::{context, orchestrator};
use crate::{built, constant, data, echo, gives, statuses};

#[tokio::test(start_paused = true)]
async fn a_diamond_runs_its_branches_together_and_joins_them() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("diamond")
            .step(WorkflowStep::run("top", gives("top", 10, json!({"n": 1}))))
            .step(WorkflowStep::run("left", gives("left", 30, json!("l"))).needs(["top"]))
            .step(WorkflowStep::run("right", gives("right", 20, json!("r"))).needs(["top"]))
            .step(
                WorkflowStep::collect("join")
                    .input("left", "steps.left")
                    .input("n", "steps.top.n")
                    .input("right", "steps.right")
                    .constant("c", 7),
            )
            .output("all", "steps.join"),
    );
    let began = Instant::now();
    let report = workflow.report(&context(&o), Value::Null).await;
    assert_eq!(began.elapsed(), Duration::from_millis(40));
    assert!(report.is_success());
    let all = json!({"left": "l", "n": 1, "right": "r", "c": 7});
    assert_eq!(report.outputs()["all"], all);
    let path = report.critical_path();
    assert_eq!(path.steps, ["top", "left"]);
    assert_eq!(path.duration, Duration::from_millis(40));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_steps_run_at_once_than_may() {
    let o = orchestrator().await;
    for (at_most, ms) in [(1, 100), (2, 50), (3, 40), (10, 10)] {
        let mut builder = Workflow::builder("wide").at_most(at_most);
        for step in 0..10 {
            let name = format!("s{step}");
            builder = builder.step(WorkflowStep::run(&*name, gives(&name, 10, json!(1))));
        }
        let workflow = built(builder);
        let began = Instant::now();
        let report = workflow.report(&context(&o), Value::Null).await;
        assert!(report.is_success());
        assert_eq!(began.elapsed(), Duration::from_millis(ms), "{at_most}");
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn inputs_come_from_the_input_from_steps_and_from_constants() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("inputs")
            .takes(ValueType::record([(
                "ticket",
                ValueType::record([("id", ValueType::Integer)]),
            )]))
            .step(WorkflowStep::run("none", echo("none")))
            .step(WorkflowStep::run("whole", echo("whole")).input_whole("input.ticket"))
            .step(
                WorkflowStep::run("fields", echo("fields"))
                    .takes(ValueType::record([
                        ("id", ValueType::Integer),
                        ("list", ValueType::list(ValueType::Integer)),
                    ]))
                    .input("id", "steps.whole.id")
                    .constant("list", json!([1, 2])),
            ),
    );
    let input = json!({"ticket": {"id": 17}});
    let report = workflow.report(&context(&o), input).await;
    assert_eq!(data(&report, "none"), Value::Null);
    assert_eq!(data(&report, "whole"), json!({"id": 17}));
    assert_eq!(data(&report, "fields"), json!({"id": 17, "list": [1, 2]}));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_fans_out_bounded_and_comes_back_in_its_order() {
    let o = orchestrator().await;
    let running = Arc::new(Mutex::new((0, 0)));
    let seen = Arc::clone(&running);
    let slow = Specialist::function("slow", move |input: Value, _: StepContext| {
        let running = Arc::clone(&seen);
        async move {
            {
                let mut now = running.lock();
                now.0 += 1;
                now.1 = now.1.max(now.0);
            }
            // The first items take longest.
            let index = input["at"].as_u64().unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(100 - 10 * index)).await;
            running.lock().0 -= 1;
            Ok::<_, StepFailure>(json!([input["item"], input["at"], input["fixed"]]))
        }
    });
    let workflow = built(
        Workflow::builder("each")
            .step(constant(
                "list",
                json!({"items": [{"n": 5}, {"n": 6}, {"n": 7}, {"n": 8}]}),
            ))
            .step(
                WorkflowStep::run("each", slow)
                    .for_each("steps.list.items")
                    .at_most(2)
                    .input("item", "item.n")
                    .input("at", "index")
                    .constant("fixed", true),
            ),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    let expected = json!([[5, 0, true], [6, 1, true], [7, 2, true], [8, 3, true]]);
    assert_eq!(data(&report, "each"), expected);
    assert_eq!(running.lock().1, 2);
    assert_eq!(report.items("each").len(), 4);
    assert_eq!(report.step("each").unwrap().attempts(), 4);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_found_by_capability_and_charged_to_the_run() {
    let o = orchestrator().await;
    let work = agent_fn(|text: String, context: TaskContext| async move {
        context.charge(Amount::tokens(text.len() as u64))?;
        Ok::<_, universal_orchestrator::AgentError>(json!({ "words": text.split(' ').count() }))
    });
    let spec = AgentSpec::new("reader", AgentRole::Specialist).capabilities(["read"]);
    o.register_agent(spec.in_process(work))
        .await
        .expect("it is new");
    let text = r#"{
        "name": "count",
        "takes": {"text": "text"},
        "steps": [{"name": "count", "agent": {"requires": ["read"]}, "input": "input.text", "gives": {"words": "integer"}}],
        "outputs": {"words": "steps.count.words"}
    }"#;
    let spec: WorkflowSpec = serde_json::from_str(text).expect("it is a workflow");
    let workflow = spec.build(&StepLibrary::new()).expect("it is valid");
    let report = workflow
        .report(&context(&o), json!({"text": "one two"}))
        .await;
    assert_eq!(report.outputs()["words"], 2, "{report:?}");
    assert_eq!(report.cost().tokens, 7);
    let costs = report.costs();
    assert_eq!(costs.agents()[0].name, "reader");
    assert_eq!(costs.steps()[0].status, "success");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_workflow_is_a_step_and_an_orchestration() {
    let o = orchestrator().await;
    let inner = built(
        Workflow::builder("inner")
            .takes(ValueType::record([("n", ValueType::Integer)]))
            .step(WorkflowStep::collect("same").input("n", "input.n"))
            .output("n", "steps.same.n"),
    );
    assert_eq!(Step::name(&inner), "inner");
    let outer = built(
        Workflow::builder("outer")
            .step(
                WorkflowStep::run("inner", inner)
                    .constant("n", 3)
                    .gives(ValueType::record([("n", ValueType::Integer)])),
            )
            .output("n", "steps.inner.n"),
    );
    let facade = Facade::new();
    let spec = OrchestrationSpec::new("outer", Layer::Domain, OrchestrationKind::Workflow);
    facade.register(spec, outer).await.expect("it is new");
    let result = facade
        .orchestrate("outer", &context(&o), Value::Null)
        .await
        .expect("it is known");
    let report = result.data().expect("it succeeds");
    assert_eq!(report["outputs"]["n"], 3);
    assert_eq!(report["steps"][0]["status"], "success");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_does_not_fit_runs_nothing() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("typed")
            .takes(ValueType::record([("n", ValueType::Integer)]))
            .step(WorkflowStep::collect("first").input("n", "input.n"))
            .step(WorkflowStep::collect("second").needs(["first"])),
    );
    let report = workflow.report(&context(&o), json!({"n": "seven"})).await;
    assert!(!report.is_success());
    let said = statuses(&report);
    assert_eq!(
        said[0].1,
        "invalid: the input of workflow typed does not fit: field n is text where integer is declared"
    );
    assert_eq!(said[1].1, "skipped: step first failed before");
    assert_eq!(report.run().attempts(), 0);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_not_what_was_declared_is_a_failure_that_keeps_it() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("typed")
            .step(
                constant("odd", json!({"n": "x"}))
                    .gives(ValueType::record([("n", ValueType::Integer)])),
            )
            .step(WorkflowStep::collect("after").input("n", "steps.odd.n")),
    );
    let report = workflow.report(&context(&o), Value::Null).await;
    let failure = report
        .step("odd")
        .and_then(|r| r.failure())
        .expect("it failed");
    assert_eq!(
        failure.message(),
        "the result of odd does not fit: field n is text where integer is declared"
    );
    assert_eq!(failure.partial(), Some(&json!({"n": "x"})));
    assert_eq!(
        statuses(&report)[1].1,
        "skipped: step odd, which it needs, failed"
    );
    o.shutdown().await;
}
