//! A coordinator of the application layer: seven heavy dependencies, each built when it is first needed, and a fan-out over them.
//!
//! It collects what seven sources say about the parts of an assistant. Sources that fail are asked again one by one, and those that still fail are named.
//! A policy of the domain layer, called by name, makes of it which parts stay in use.
//!
//! ```text
//! cargo run --example feedback_coordinator
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use universal_orchestrator::{UniversalOrchestrator, async_trait};
use universal_orchestrator_examples::feedback::{
    Depot, Reader, Score, Signal, Source, Target, scores,
};
use universal_orchestrator_patterns::{
    ErrorCategory, Facade, Layer, Lazy, Orchestration, OrchestrationContext, OrchestrationKind,
    OrchestrationSpec, Parallel, RunReport, Sequential, SharedStep, Specialist, StepContext,
    StepFailure, StepResult, orchestration_fn,
};

/// Below this score a part is taken out of use, above the other it is taken in again.
const OUT_BELOW: f64 = 0.3;
const IN_ABOVE: f64 = 0.5;

/// The coordinator. Its readers are built on first use, once, whoever asks.
pub(crate) struct FeedbackCoordinator {
    readers: BTreeMap<Source, Arc<Lazy<Reader>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Which sources; all when it is absent.
    sources: Option<Vec<Source>>,
}

impl FeedbackCoordinator {
    pub(crate) fn new(depot: &Arc<Depot>) -> Self {
        let lazy = |source: Source| {
            let depot = Arc::clone(depot);
            let build = move || {
                let depot = Arc::clone(&depot);
                async move {
                    let unavailable =
                        |e| StepFailure::new(ErrorCategory::Unavailable, format!("{e}"));
                    depot.open(source).await.map_err(unavailable)
                }
            };
            (source, Arc::new(Lazy::new(source.as_str(), build)))
        };
        Self {
            readers: Source::ALL.map(lazy).into(),
        }
    }

    fn built(&self) -> usize {
        self.readers
            .values()
            .filter(|reader| reader.is_built())
            .count()
    }

    fn step(&self, source: Source) -> Option<SharedStep<(), Reader>> {
        let reader = Arc::clone(self.readers.get(&source)?);
        let read = move |(): (), _: StepContext| {
            let reader = Arc::clone(&reader);
            async move { reader.get().await.cloned() }
        };
        Some(Arc::new(Specialist::function(source.as_str(), read)))
    }

    /// Asks all at the same time, and those that failed once more, one by one.
    async fn collect(
        &self,
        context: &OrchestrationContext,
        sources: &[Source],
    ) -> (RunReport<Reader>, RunReport<Reader>) {
        let steps: Vec<_> = sources
            .iter()
            .filter_map(|source| self.step(*source))
            .collect();
        let all = steps
            .iter()
            .cloned()
            .fold(Parallel::new("collect"), Parallel::step);
        let first = all.report(context, ()).await;
        let failed: Vec<_> = first
            .failures()
            .filter(|(_, failure)| failure.is_retryable())
            .map(|(name, _)| name)
            .collect();
        let again = steps
            .into_iter()
            .filter(|step| failed.contains(&step.name()));
        let again = again.fold(Sequential::new("again"), Sequential::step);
        let second = again.report(context, ()).await;
        (first, second)
    }
}

#[async_trait]
impl Orchestration for FeedbackCoordinator {
    async fn orchestrate(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        let request: Request = match serde_json::from_value(input) {
            Ok(request) => request,
            Err(error) => {
                return StepFailure::new(ErrorCategory::Invalid, error.to_string()).into();
            }
        };
        let Some(facade) = context.get::<Facade>() else {
            let text = "the context carries no facade: add it with `with`";
            return StepFailure::new(ErrorCategory::Internal, text).into();
        };
        let mut sources = request.sources.unwrap_or_else(|| Source::ALL.to_vec());
        sources.sort();
        sources.dedup();
        let (first, second) = self.collect(context, &sources).await;
        let readers = || {
            first
                .found()
                .chain(second.found())
                .map(|(_, reader)| reader)
        };
        let mut signals: Vec<_> = readers()
            .flat_map(|reader| reader.signals.clone())
            .collect();
        // In one order, whichever source came first, so that sums round the same.
        signals.sort_by_key(|signal| signal.source);
        let rejected: usize = readers().map(|reader| reader.rejected.len()).sum();
        // What failed in the fan-out and not again is not missing.
        let recovered: Vec<_> = second.found().map(|(name, _)| name).collect();
        let mut missing = first.missing();
        missing.retain(|(name, _)| !recovered.contains(name));
        let missing: BTreeMap<_, _> = missing.into_iter().collect();

        let count = signals.len();
        let policy = facade
            .orchestrate("part_policy", context, json!(signals))
            .await;
        let parts = match policy {
            Ok(result) => result,
            Err(refused) => return StepFailure::permanent(refused.to_string()).into(),
        };
        parts
            .map(|parts| {
                json!({
                    "signals": count,
                    "rejected": rejected,
                    "recovered": recovered,
                    "missing": missing,
                    "built": self.built(),
                    "parts": parts,
                })
            })
            .with_cost(first.cost().plus(&second.cost()))
            .with_attempts(first.attempts().saturating_add(second.attempts()))
    }
}

/// A part, as the policy sees it.
#[derive(Debug, Clone, Copy, Serialize)]
struct Part {
    #[serde(flatten)]
    score: Score,
    in_use: bool,
}

/// Which parts stay in use. Between the two bounds a part stays what it was, so that it does not come and go.
fn part_policy() -> impl Orchestration {
    let out: Arc<Mutex<Vec<Target>>> = Arc::default();
    orchestration_fn(move |signals: Vec<Signal>, _: OrchestrationContext| {
        let out = Arc::clone(&out);
        async move {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            let scores = scores(&signals);
            for (target, score) in &scores {
                if score.mean < OUT_BELOW && !out.contains(target) {
                    out.push(target.clone());
                } else if score.mean > IN_ABOVE {
                    out.retain(|one| one != target);
                }
            }
            let part = |(target, score): (Target, Score)| {
                let in_use = !out.contains(&target);
                (target.to_string(), Part { score, in_use })
            };
            StepResult::success(scores.into_iter().map(part).collect::<BTreeMap<_, _>>())
        }
    })
}

/// A facade with the coordinator and the policy.
pub(crate) async fn facade(depot: &Arc<Depot>) -> Result<Facade, Box<dyn Error>> {
    let facade = Facade::new();
    let policy = OrchestrationSpec::new("part_policy", Layer::Domain, OrchestrationKind::Feedback);
    facade.register(policy, part_policy()).await?;
    let (layer, kind) = (Layer::Application, OrchestrationKind::Coordination);
    let spec = OrchestrationSpec::new("feedback_coordinator", layer, kind);
    facade
        .register(spec, FeedbackCoordinator::new(depot))
        .await?;
    Ok(facade)
}

/// What a call came to, for people.
fn told(title: &str, data: &Value) -> Result<String, std::fmt::Error> {
    let number = |key: &str| data[key].as_u64().unwrap_or_default();
    let mut said = format!(
        "{title}: {} signals, {} lines rejected, {} of {} readers built\n",
        number("signals"),
        number("rejected"),
        number("built"),
        Source::ALL.len()
    );
    for name in data["recovered"].as_array().into_iter().flatten() {
        writeln!(
            said,
            "  {} was asked twice",
            name.as_str().unwrap_or_default()
        )?;
    }
    for (name, why) in data["missing"].as_object().into_iter().flatten() {
        writeln!(
            said,
            "  {name} is missing: {}",
            why.as_str().unwrap_or_default()
        )?;
    }
    for (name, part) in data["parts"].as_object().into_iter().flatten() {
        let (mean, signals) = (part["mean"].as_f64().unwrap_or_default(), &part["signals"]);
        let use_of = if part["in_use"] == true {
            "in use"
        } else {
            "OUT"
        };
        writeln!(
            said,
            "  {name:<16} {mean:.2} from {signals} signals, {use_of}"
        )?;
    }
    Ok(said)
}

/// Runs the example and says what came of it.
pub(crate) async fn example() -> Result<String, Box<dyn Error>> {
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    let depot = Arc::new(Depot::default());
    // The first fails once; the other is being moved.
    depot.close(Source::RagRetrieval, 1);
    depot.close(Source::Governance, 2);
    let facade = facade(&depot).await?;
    let context = OrchestrationContext::builder(&orchestrator)
        .request("evening")
        .with(facade.clone())
        .deadline_in(Duration::from_secs(10))
        .build()?;

    let mut said = String::new();
    let calls = [
        (
            "tools and users",
            json!({ "sources": ["tool_execution", "user_explicit"] }),
        ),
        ("everything", json!({})),
        ("everything again", json!({})),
    ];
    for (title, input) in calls {
        let result = facade
            .orchestrate("feedback_coordinator", &context, input)
            .await?;
        said += &told(title, &result.into_result()?)?;
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
