//! Any text is a workflow or refused with a message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use universal_orchestrator_patterns::{
    Specialist, StepContext, StepFailure, StepLibrary, Workflow,
};

fuzz_target!(|text: &str| {
    let echo = Specialist::function("fetch", |input: Value, _: StepContext| async move {
        Ok::<_, StepFailure>(input)
    });
    let library = StepLibrary::new().step("fetch", echo);
    match Workflow::from_toml(text, &library) {
        Ok(workflow) => {
            let _ = (workflow.plan().to_string(), workflow.mermaid());
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
});
