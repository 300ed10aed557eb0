//! What the example `fallback_pipeline` says of its five talks.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_patterns::{
    Facade, Layer, OrchestrationContext, OrchestrationKind, OrchestrationSpec, StepResult,
};

// The example is a program; its `main` runs as one, in `cargo xtask ci`.
#[path = "../examples/fallback_pipeline.rs"]
#[expect(dead_code, reason = "main is called by nobody here")]
mod program;

/// The part of a report that is about one talk, the `number`-th of that name.
fn about(said: &str, talk: &str, number: usize) -> String {
    let head = format!("# {talk}\n");
    let after = said.split(&head).nth(number + 1).unwrap();
    after.split("\n# ").next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn each_talk_is_reported_from_the_best_form_that_can_be_had() {
    let said = program::example().await.unwrap();

    let tides = about(&said, "tides", 0);
    assert!(tides.contains("words, from captions."), "{tides}");
    assert!(tides.contains("- claim \"384400 km\": right"), "{tides}");
    assert!(tides.contains("glad, 4 words praise"), "{tides}");
    assert!(tides.contains("\"everybody knows\""), "{tides}");
    assert!(!tides.contains("- no "), "{tides}");

    let bees = about(&said, "bees", 0);
    assert!(bees.contains("words, from speech."), "{bees}");
    assert!(
        bees.contains("- no captions: the talk has no captions"),
        "{bees}"
    );
    assert!(bees.contains("3 words were not understood"), "{bees}");
    assert!(
        bees.contains("\"4 eyes\": wrong, the reference says 5"),
        "{bees}"
    );
    assert!(bees.contains("\"50000 bees\": no reference"), "{bees}");
    assert!(bees.contains("tone: grave"), "{bees}");

    let rails = about(&said, "rails", 0);
    assert!(rails.contains("words, from description."), "{rails}");
    assert!(
        rails.contains("- no captions") && rails.contains("- no speech"),
        "{rails}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_or_paid_is_said() {
    let said = program::example().await.unwrap();

    let moths = about(&said, "moths", 0);
    assert!(moths.contains("Failed: "), "{moths}");
    for form in ["captions", "speech", "description"] {
        assert!(
            moths.contains(&format!("the talk has no {form}")),
            "{moths}"
        );
    }

    let poor = about(&said, "tides", 1);
    assert!(poor.contains("- not looked at: claims: budget: "), "{poor}");
    assert!(!poor.contains("- claim "), "{poor}");
    // What was found before the budget ended is kept.
    assert!(poor.contains("- tone: glad"), "{poor}");
}

async fn call(facade: &Facade, context: &OrchestrationContext, input: Value) -> StepResult {
    let name = "fallback_pipeline";
    facade.orchestrate(name, context, input).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_at_the_same_time_share_nothing_and_tell_their_own_progress() {
    let orchestrator = UniversalOrchestrator::builder().start().await.unwrap();
    program::register_agents(&orchestrator).await.unwrap();
    let facade = Facade::new();
    let (layer, kind) = (Layer::Domain, OrchestrationKind::Fallback);
    let spec = OrchestrationSpec::new("fallback_pipeline", layer, kind);
    let pipeline = program::FallbackPipeline::new();
    facade.register(spec, pipeline).await.unwrap();

    let heard: Arc<Mutex<Vec<(u32, String)>>> = Arc::default();
    let to = Arc::clone(&heard);
    let tell = move |stage, text: &str| to.lock().unwrap().push((stage, text.to_owned()));
    let told = OrchestrationContext::builder(&orchestrator).with(program::Progress(Box::new(tell)));
    let (told, quiet) = (
        told.build().unwrap(),
        OrchestrationContext::builder(&orchestrator)
            .build()
            .unwrap(),
    );
    let (tides, bees) = tokio::join!(
        call(&facade, &told, json!({ "talk": "tides" })),
        call(&facade, &quiet, json!({ "talk": "bees" })),
    );
    let (tides, bees) = (tides.into_data().unwrap(), bees.into_data().unwrap());
    assert_eq!(
        (&tides["form"], &tides["complete"]),
        (&json!("captions"), &json!(true))
    );
    assert_eq!(
        (&bees["form"], &bees["complete"]),
        (&json!("speech"), &json!(false))
    );
    let stages: Vec<_> = heard
        .lock()
        .unwrap()
        .iter()
        .map(|(stage, _)| *stage)
        .collect();
    assert_eq!(stages, [1, 2, 3]);

    // The same call again finds the same, whatever ran before.
    let again = call(&facade, &quiet, json!({ "talk": "tides" })).await;
    assert_eq!(again.into_data().unwrap()["report"], tides["report"]);
    let skipped = call(&facade, &quiet, json!({ "film": "tides" })).await;
    assert!(skipped.skip_reason().unwrap().to_string().contains("talk"));
    facade.shutdown().await;
    orchestrator.shutdown().await;
}
