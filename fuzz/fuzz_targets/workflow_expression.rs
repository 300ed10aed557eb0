//! Any expression is refused, or evaluated on any input in bounded time.
//!
//! The first line is the expression, the rest is the input as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_patterns::{OrchestrationContext, Workflow, WorkflowStep};

fuzz_target!(|text: &str| {
    let (expression, input) = text.split_once('\n').unwrap_or((text, "null"));
    let Ok(input) = serde_json::from_str::<Value>(input) else {
        return;
    };
    let workflow = Workflow::builder("w")
        .step(WorkflowStep::collect("a").input_whole("input"))
        .step(WorkflowStep::collect("b").when(expression))
        .build();
    let Ok(workflow) = workflow else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("there is a runtime");
    runtime.block_on(async {
        let builder = UniversalOrchestrator::builder().without_linked_plugins();
        let orchestrator = builder.start().await.expect("the defaults are valid");
        let context = OrchestrationContext::builder(&orchestrator)
            .build()
            .expect("the parts are valid");
        let report = workflow.report(&context, input).await;
        assert_eq!(report.run().steps().len(), 2);
        drop(context);
        orchestrator.shutdown().await;
    });
});
