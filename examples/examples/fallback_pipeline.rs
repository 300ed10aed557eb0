//! A talk becomes a report, in whatever form the talk can be had: a pipeline of the domain layer that keeps nothing between calls.
//!
//! Three agents can produce a transcript: from captions, by speech recognition, or, worst, from the description alone.
//! The first that can is used. Tone, claims and rhetoric are then looked at side by side, and the report says what it rests on and what is missing.
//!
//! ```text
//! cargo run --example fallback_pipeline
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Amount, Limits, RegisterRefused, Task, TaskContext,
    UniversalOrchestrator, agent_fn, async_trait,
};
use universal_orchestrator_examples::talk::{self, Finding, Form, Transcript};
use universal_orchestrator_patterns::{
    Facade, Fallback, Layer, Orchestration, OrchestrationContext, OrchestrationKind,
    OrchestrationSpec, Parallel, RunReport, Specialist, StepContext, StepFailure, StepResult,
};

/// Called with a stage and what is done in it.
type Tell = Box<dyn Fn(u32, &str) + Send + Sync>;

/// Told how far a report is: a context may carry one.
pub(crate) struct Progress(pub(crate) Tell);

/// The pipeline. Its steps are descriptions and the calls share nothing else, so any number may run at once.
pub(crate) struct FallbackPipeline {
    transcript: Fallback<String, Transcript>,
    analysis: Parallel<Transcript, Finding>,
}

impl FallbackPipeline {
    pub(crate) fn new() -> Self {
        let from = |form: Form| {
            let task = Task::new("transcript").requires([form.capability()]);
            Specialist::agent(form.capability(), task)
        };
        Self {
            transcript: Fallback::new("transcript")
                .step(from(Form::Captions))
                .step(from(Form::Speech))
                .step(from(Form::Description)),
            analysis: Parallel::new("analysis")
                .step(reads("tone", 1, talk::tone))
                .step(reads("claims", 4, talk::claims))
                .step(reads("rhetoric", 1, talk::rhetoric)),
        }
    }
}

/// An analysis that pays `tokens` for each word that it reads, and sets that aside before it begins.
fn reads(
    name: &str,
    tokens: u64,
    analyse: fn(&Transcript) -> Finding,
) -> Specialist<Transcript, Finding> {
    let work = move |transcript: Transcript, step: StepContext| async move {
        step.charge(Amount::tokens(tokens * transcript.words() as u64))?;
        Ok::<_, StepFailure>(analyse(&transcript))
    };
    Specialist::function(name, work).estimate(Amount::tokens(tokens * talk::WORDS_USUAL))
}

#[async_trait]
impl Orchestration for FallbackPipeline {
    fn accepts(&self, _: &OrchestrationContext, input: &Value) -> Result<(), String> {
        let named = input["talk"].as_str().is_some_and(|name| !name.is_empty());
        let missing = "the input has no name: give {\"talk\": \"…\"}";
        named.then_some(()).ok_or_else(|| missing.to_owned())
    }

    async fn orchestrate(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        let tell = |stage, text: &str| {
            if let Some(progress) = context.get::<Progress>() {
                (progress.0)(stage, text);
            }
        };
        let name = input["talk"].as_str().unwrap_or_default().to_owned();
        tell(1, "looking for a transcript");
        let fetched = self.transcript.report(context, name.clone()).await;
        let Some((_, transcript)) = fetched.found().next() else {
            let tried = missing(&fetched).join("; ");
            let text = format!("nothing can be had of the talk {name:?}: {tried}");
            return StepResult::failed(StepFailure::permanent(text)).with_cost(fetched.cost());
        };
        tell(2, transcript.form.capability());
        let analysed = self.analysis.report(context, transcript.clone()).await;
        tell(3, "analysed");
        let cost = fetched.cost().plus(&analysed.cost());
        let report = report(&name, transcript, &fetched, &analysed);
        StepResult::success(json!({
            "talk": name,
            "form": transcript.form,
            "complete": fetched.found().next().is_some_and(|(_, t)| t.form == Form::Captions)
                && analysed.is_complete(),
            "report": report,
        }))
        .with_cost(cost)
    }
}

/// The report in Markdown. Every line comes from what was found, or says what was not.
fn report(
    name: &str,
    transcript: &Transcript,
    fetched: &RunReport<Transcript>,
    analysed: &RunReport<Finding>,
) -> String {
    let (form, words) = (transcript.form.capability(), transcript.words());
    let mut text = format!("# {name}\n\n{words} words, from {form}.\n");
    // What came after the form that was used is not missing.
    for (step, failure) in fetched.failures() {
        let _never_fails = writeln!(text, "- no {step}: {}", failure.message());
    }
    if transcript.unsure > 0 {
        let _never_fails = writeln!(text, "- {} words were not understood", transcript.unsure);
    }
    for (_, finding) in analysed.found() {
        let _never_fails = write!(text, "{finding}");
    }
    for line in missing(analysed) {
        let _never_fails = writeln!(text, "- not looked at: {line}");
    }
    text
}

fn missing<O>(report: &RunReport<O>) -> Vec<String> {
    let missing = report.missing().into_iter();
    missing
        .map(|(step, why)| format!("{step}: {why}"))
        .collect()
}

/// Registers the agents that can produce a transcript.
pub(crate) async fn register_agents(
    orchestrator: &UniversalOrchestrator,
) -> Result<(), RegisterRefused> {
    for form in Form::ALL {
        let fetch = agent_fn(move |name: String, context: TaskContext| async move {
            let Some(transcript) = talk::fetch(&name, form) else {
                let text = format!("the talk has no {}", form.capability());
                return Err(AgentError::permanent(text));
            };
            context.charge(Amount::tokens(transcript.words() as u64))?;
            Ok(transcript)
        });
        let spec = AgentSpec::new(form.capability(), AgentRole::Worker)
            .capabilities([form.capability()])
            .concurrency(4)
            .in_process(fetch);
        orchestrator.register_agent(spec).await?;
    }
    Ok(())
}

/// Runs the example and says what came of it.
pub(crate) async fn example() -> Result<String, Box<dyn Error>> {
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    register_agents(&orchestrator).await?;
    let facade = Facade::new();
    let spec = OrchestrationSpec::new(
        "fallback_pipeline",
        Layer::Domain,
        OrchestrationKind::Fallback,
    );
    facade.register(spec, FallbackPipeline::new()).await?;

    let mut said = String::new();
    // The last has words enough for a transcript, and not for looking at all of its claims.
    let calls = [
        ("tides", 1_000),
        ("bees", 1_000),
        ("rails", 1_000),
        ("moths", 1_000),
        ("tides", 300),
    ];
    for (talk, tokens) in calls {
        let context = OrchestrationContext::builder(&orchestrator)
            .request(talk)
            .deadline_in(Duration::from_secs(10))
            .budget(Limits::unlimited().with_tokens(tokens))
            .build()?;
        let result = facade
            .orchestrate("fallback_pipeline", &context, json!({ "talk": talk }))
            .await?;
        let text = match (result.data(), result.failure()) {
            (Some(data), _) => data["report"].as_str().unwrap_or_default().to_owned(),
            (_, Some(failure)) => format!("# {talk}\n\nFailed: {failure}\n"),
            (None, None) => format!("# {talk}\n\nSkipped.\n"),
        };
        let spent = result.cost().tokens;
        writeln!(said, "{text}- cost: {spent} of {tokens} tokens\n")?;
    }
    facade.shutdown().await;
    orchestrator.shutdown().await;
    Ok(said)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", example().await?);
    Ok(())
}
