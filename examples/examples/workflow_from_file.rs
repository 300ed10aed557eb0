//! A workflow from a file: checked, planned, drawn, run.
//!
//! Shows: a TOML file with an agent, functions, a fan-out, a loop, conditions and a gate that takes its default decision when nobody answers; the dry run, the
//! Mermaid picture, progress, costs, and what is said of a file that is wrong.
//!
//! ```text
//! cargo run --example workflow_from_file
//! cargo run --example workflow_from_file -- my_workflow.toml
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use serde_json::json;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_examples::log_triage;
use universal_orchestrator_patterns::{OrchestrationContext, Progress, Progressed, Workflow};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args().nth(1) {
        Some(path) => std::fs::read_to_string(path)?,
        None => log_triage::WORKFLOW.to_owned(),
    };
    let workflow = match Workflow::from_toml(&text, &log_triage::library()) {
        Ok(workflow) => workflow,
        Err(errors) => {
            println!("{errors}");
            return Err("the workflow was not run".into());
        }
    };
    let input = json!({ "log": log_triage::LOG });
    println!("{}", workflow.plan_for(&input));
    println!("{}", workflow.mermaid());

    let orchestrator = UniversalOrchestrator::builder().start().await?;
    log_triage::register(&orchestrator).await?;
    let progress = Progress::new(1_024);
    let mut reader = progress.reader();
    let told = tokio::spawn(async move {
        while let Some(told) = reader.next().await {
            match told {
                Progressed::Event(event) => println!("{event}"),
                Progressed::Lost(count) => println!("{count} events were too fast to be shown"),
            }
        }
    });
    let context = OrchestrationContext::builder(&orchestrator)
        .request("log-1")
        .with(progress)
        .build()?;
    let report = workflow.report(&context, input).await;
    drop(context);
    told.await?;

    println!("\n{}", report.costs());
    println!(
        "critical path: {}",
        report.critical_path().steps.join(" -> ")
    );
    for (name, value) in report.outputs() {
        println!("{name}: {value}");
    }
    let succeeded = report.is_success();
    orchestrator.shutdown().await;
    match succeeded {
        true => Ok(()),
        false => Err("the workflow did not succeed".into()),
    }
}
