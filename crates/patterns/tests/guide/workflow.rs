//! Workflows, as the guide shows them.

use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator_patterns::{
    OrchestrationContext, Specialist, StepContext, StepFailure, StepLibrary,
};

use crate::{Tested, blocks, with_readers};

fn gives(name: &'static str, answer: Value) -> Specialist<Value, Value> {
    Specialist::function(name, move |_: Value, _: StepContext| {
        let answer = answer.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, StepFailure>(answer)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn in_rust() -> Tested {
    let orchestrator = with_readers().await?;
    let context = OrchestrationContext::builder(&orchestrator).build()?;
    let scores = gives("scores", json!({ "score": 0.9 }));
    use universal_orchestrator_patterns::{ValueType, Workflow, WorkflowStep};

    let workflow = Workflow::builder("triage")
        .takes(ValueType::record([("ticket", ValueType::Text)]))
        .step(
            WorkflowStep::run("score", scores)
                .input("text", "input.ticket")
                .gives(ValueType::record([("score", ValueType::Number)]))
                .timeout(Duration::from_secs(5)),
        )
        .step(
            WorkflowStep::gate("approve", "Wake somebody up?")
                .input("score", "steps.score.score")
                .when("steps.score.score > 0.5")
                .decides_after(Duration::from_secs(60), "reject"),
        )
        .step(WorkflowStep::collect("page").when("steps.approve.decision == 'approve'"))
        .output("score", "steps.score.score")
        .build()?;

    let plan = workflow.plan_for(&json!({ "ticket": "the shop is down" }));
    assert_eq!(plan.waves(), [vec!["score"], vec!["approve"], vec!["page"]]);
    println!("{plan}");
    println!("{}", workflow.mermaid());

    let gates = workflow.gates().clone();
    let decided = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let waiting = gates.pending();
        gates.decide(waiting[0].id, "approve", "ada", "customers call")
    });
    let input = json!({ "ticket": "the shop is down" });
    let report = workflow.report(&context, input).await;
    decided.await??;
    assert!(report.is_success());
    assert_eq!(report.outputs()["score"], json!(0.9));
    assert_eq!(report.critical_path().steps, ["score", "approve"]);
    println!("{}", report.costs());
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn from_a_file() -> Tested {
    use universal_orchestrator_patterns::Workflow;
    let orchestrator = with_readers().await?;
    let context = OrchestrationContext::builder(&orchestrator).build()?;
    let library = StepLibrary::new()
        .step("fetch", gives("fetch", json!({ "tickets": ["a", "b"] })))
        .step("scores", gives("scores", json!({ "score": 0.9 })));
    let text = r#"
name = "all_tickets"
[[steps]]
name = "fetch"
run = "fetch"
gives = { tickets = ["text"] }
[[steps]]
name = "score"
run = "scores"
for_each = "steps.fetch.tickets"
inputs = { text = "item" }
gives = { score = "number" }
[[steps]]
name = "worst"
when = "steps.score.exists(s, s.score > 0.8)"
inputs = { scores = "steps.score" }
"#;
    let workflow = Workflow::from_toml(text, &library)?;
    let report = workflow.report(&context, json!(null)).await;
    assert_eq!(report.items("score").len(), 2);

    let wrong = Workflow::from_toml(&text.replace("fetch.tickets", "fetch.tikcets"), &library);
    let errors = wrong.expect_err("there is no such field");
    assert!(errors.to_string().ends_with("did you mean tickets?"));
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

/// The files of docs/workflow.md are workflows.
#[test]
fn the_files_of_the_reference_are_right() {
    let page = include_str!("../../../../docs/workflow.md");
    let library = StepLibrary::new().step("classify", gives("classify", json!(1)));
    let mut count = 0;
    for (language, line, text) in blocks(page) {
        if language == "toml" {
            count += 1;
            let read = universal_orchestrator_patterns::Workflow::from_toml(&text, &library);
            assert!(read.is_ok(), "line {line}: {}", read.unwrap_err());
        }
    }
    assert_eq!(count, 1);
}
