//! A monitor of the infrastructure layer: it lives across all calls, looks after its services in the background, and offers five strategies against their faults.
//!
//! Three catalogues of books are searched through it. One of them goes down and comes back; what each strategy makes of that is printed,
//! with what the monitor saw. It is started once, and stopped once, when it is removed.
//!
//! ```text
//! cargo run --example resilience_monitor
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use universal_orchestrator::{BreakerSettings, RetryPolicy, UniversalOrchestrator, async_trait};
use universal_orchestrator_examples::health::HealthBook;
use universal_orchestrator_examples::shelf::{PAST, PRESENT, Shelf, Weather};
use universal_orchestrator_patterns::{
    Background, Breaker, ErrorCategory, Facade, Fallback, Guarded, Layer, Orchestration,
    OrchestrationContext, OrchestrationKind, OrchestrationSpec, Parallel, Retry, Routed,
    SharedStep, Specialist, StepContext, StepFailure, StepResult,
};

/// How often the monitor looks after its services, and how long a probe may take.
const PROBE_EVERY: Duration = Duration::from_millis(20);
const PROBE_TIMEOUT: Duration = Duration::from_millis(100);

/// What is done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Strategy {
    /// The caller is told at once.
    FailFast,
    /// What can be had is returned, and what is missing is named.
    Degrade,
    /// Three attempts.
    Retry,
    /// Behind a breaker, with the mirror for when it fails or is open.
    CircuitBreaker,
    /// Main or mirror, whichever does better.
    AdaptiveRouting,
}

impl Strategy {
    const ALL: [Self; 5] = [
        Self::FailFast,
        Self::Degrade,
        Self::Retry,
        Self::CircuitBreaker,
        Self::AdaptiveRouting,
    ];
}

/// What may be asked of the monitor.
#[derive(Debug, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// How the services do.
    Health,
    /// Titles with a word.
    Search { strategy: Strategy, word: String },
}

/// What a catalogue found.
#[derive(Debug, Clone, Serialize)]
struct Found {
    by: &'static str,
    titles: Vec<String>,
}

/// The catalogues that are searched.
#[derive(Clone)]
pub(crate) struct Shelves {
    pub(crate) main: Arc<Shelf>,
    pub(crate) mirror: Arc<Shelf>,
    pub(crate) archive: Arc<Shelf>,
}

impl Shelves {
    pub(crate) fn new() -> Self {
        let shelf =
            |name, ms, titles| Arc::new(Shelf::new(name, Duration::from_millis(ms), titles));
        Self {
            main: shelf("main", 2, PRESENT),
            mirror: shelf("mirror", 8, PRESENT),
            archive: shelf("archive", 5, PAST),
        }
    }
}

/// The monitor. All calls share its breaker, its routes and its book of health.
pub(crate) struct ResilienceMonitor {
    shelves: Shelves,
    strategies: BTreeMap<Strategy, SharedStep<String, Found>>,
    degrade: Parallel<String, Found>,
    breaker: Arc<Breaker>,
    book: Arc<Mutex<HealthBook>>,
    pub(crate) starts: AtomicU64,
    pub(crate) stops: AtomicU64,
}

impl ResilienceMonitor {
    pub(crate) fn new(shelves: Shelves) -> Self {
        let Shelves {
            main,
            mirror,
            archive,
        } = &shelves;
        let breaker = Arc::new(Breaker::new(
            main.name(),
            BreakerSettings {
                minimum_calls: 3,
                window: Duration::from_millis(200),
                open_for: Duration::from_millis(100),
                ..BreakerSettings::default()
            },
        ));
        let guarded = Guarded::new(asks(main), Arc::clone(&breaker));
        let delay = Duration::from_millis(10);
        let retry = RetryPolicy::exponential(3, delay, delay * 4);
        let strategies: [(Strategy, SharedStep<String, Found>); 4] = [
            (Strategy::FailFast, Arc::new(asks(main))),
            (Strategy::Retry, Arc::new(Retry::new(asks(main), retry))),
            (
                Strategy::CircuitBreaker,
                Arc::new(Fallback::new("guarded").step(guarded).step(asks(mirror))),
            ),
            (
                Strategy::AdaptiveRouting,
                Arc::new(Routed::new("routed").to(asks(main)).to(asks(mirror))),
            ),
        ];
        Self {
            strategies: strategies.into(),
            degrade: Parallel::new("degrade")
                .step(asks(main))
                .step(asks(archive)),
            shelves,
            breaker,
            book: Arc::default(),
            starts: AtomicU64::new(0),
            stops: AtomicU64::new(0),
        }
    }

    async fn search(
        &self,
        context: &OrchestrationContext,
        strategy: Strategy,
        word: String,
    ) -> StepResult {
        let Some(step) = self.strategies.get(&strategy) else {
            return self.degraded(context, word).await;
        };
        let result = step.run(context, word).await;
        result.map(|found| json!({ "by": [found.by], "titles": found.titles, "missing": [] }))
    }

    /// What can be had of the present and the past.
    async fn degraded(&self, context: &OrchestrationContext, word: String) -> StepResult {
        let report = self.degrade.report(context, word).await;
        let by: Vec<_> = report.found().map(|(name, _)| name).collect();
        let titles: Vec<_> = report
            .found()
            .flat_map(|(_, found)| &found.titles)
            .collect();
        let missing: Vec<_> = report.missing().into_iter().map(|(name, _)| name).collect();
        if by.is_empty() {
            let text = "no catalogue answers";
            return StepFailure::new(ErrorCategory::Unavailable, text).into();
        }
        let found = json!({ "by": by, "titles": titles, "missing": missing });
        StepResult::success(found)
            .with_cost(report.cost())
            .with_attempts(report.attempts())
    }

    fn health(&self) -> Value {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let changes: Vec<_> = book.changes().map(ToString::to_string).collect();
        json!({
            "services": book.services(),
            "changes": changes,
            "probes": book.total(),
            "breaker": self.breaker.state(),
        })
    }
}

/// Asks a catalogue; a failure may be gone the next time.
fn asks(shelf: &Arc<Shelf>) -> Specialist<String, Found> {
    let asked = Arc::clone(shelf);
    let ask = move |word: String, _: StepContext| {
        let shelf = Arc::clone(&asked);
        async move {
            let titles = shelf.search(&word).await;
            let unavailable = |e| StepFailure::new(ErrorCategory::Unavailable, format!("{e}"));
            let titles = titles.map_err(unavailable)?;
            Ok::<_, StepFailure>(Found {
                by: shelf.name(),
                titles,
            })
        }
    };
    Specialist::function(shelf.name(), ask).timeout(PROBE_TIMEOUT)
}

#[async_trait]
impl Orchestration for ResilienceMonitor {
    async fn start(&self, background: &Background) -> Result<(), StepFailure> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        let Shelves {
            main,
            mirror,
            archive,
        } = &self.shelves;
        for shelf in [main, mirror, archive].map(Arc::clone) {
            let (book, stopping) = (Arc::clone(&self.book), background.stopping().clone());
            let look = async move {
                let mut ticks = tokio::time::interval(PROBE_EVERY);
                while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
                    let asked = Instant::now();
                    let answer = tokio::time::timeout(PROBE_TIMEOUT, shelf.search("the")).await;
                    let took = matches!(answer, Ok(Ok(_))).then(|| asked.elapsed());
                    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
                    book.record(shelf.name(), took);
                }
            };
            let spawned = background.spawn("health", look);
            spawned.map_err(|error| StepFailure::permanent(error.to_string()))?;
        }
        Ok(())
    }

    async fn orchestrate(&self, context: &OrchestrationContext, input: Value) -> StepResult {
        match serde_json::from_value(input) {
            Ok(Request::Health) => StepResult::success(self.health()),
            Ok(Request::Search { strategy, word }) => self.search(context, strategy, word).await,
            Err(error) => StepFailure::new(ErrorCategory::Invalid, error.to_string()).into(),
        }
    }

    async fn stop(&self) {
        self.stops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Six searches by each strategy.
async fn round(
    facade: &Facade,
    context: &OrchestrationContext,
    title: &str,
) -> Result<String, Box<dyn Error>> {
    let mut said = format!("{title}\n");
    for strategy in Strategy::ALL {
        let (mut answered, mut by, mut missing) = (0, Vec::new(), Vec::new());
        let mut attempts = 0;
        for _ in 0..6 {
            let input = json!({ "operation": "search", "strategy": strategy, "word": "sea" });
            let result = facade
                .orchestrate("resilience_monitor", context, input)
                .await?;
            attempts += result.attempts();
            let Some(data) = result.data() else {
                by.push("nobody".to_owned());
                continue;
            };
            answered += 1;
            let names = |key: &str| {
                let names = data[key].as_array().into_iter().flatten();
                let names: Vec<_> = names.filter_map(Value::as_str).collect();
                names.join(" and ")
            };
            by.push(names("by"));
            missing.push(names("missing"));
        }
        by.dedup();
        missing.retain(|names| !names.is_empty());
        missing.dedup();
        let strategy = json!(strategy);
        let strategy = strategy.as_str().unwrap_or_default();
        write!(
            said,
            "  {strategy:<16} {answered} of 6 answered, {attempts} attempts, by {}",
            by.join(", then ")
        )?;
        match missing.first() {
            Some(names) => writeln!(said, "; {names} is missing")?,
            None => said.push('\n'),
        }
    }
    Ok(said)
}

/// Runs the example and says what came of it.
pub(crate) async fn example() -> Result<String, Box<dyn Error>> {
    let orchestrator = UniversalOrchestrator::builder().start().await?;
    let (facade, shelves) = (Facade::new(), Shelves::new());
    let monitor = Arc::new(ResilienceMonitor::new(shelves.clone()));
    let (layer, kind) = (Layer::Infrastructure, OrchestrationKind::Monitoring);
    let spec = OrchestrationSpec::new("resilience_monitor", layer, kind);
    let shared: Arc<dyn Orchestration> = Arc::<ResilienceMonitor>::clone(&monitor);
    facade.register_shared(spec, shared).await?;
    let context = OrchestrationContext::builder(&orchestrator)
        .request("shelves")
        .build()?;

    // Between the rounds the monitor has time for more probes than count.
    let some_probes = PROBE_EVERY * 15;
    let mut said = round(&facade, &context, "all is well").await?;
    tokio::time::sleep(some_probes).await;
    shelves.main.set_weather(Weather::Down);
    said += &round(&facade, &context, "main is down").await?;
    tokio::time::sleep(some_probes).await;
    shelves.main.set_weather(Weather::Fine);
    tokio::time::sleep(some_probes).await;
    said += &round(&facade, &context, "main is back").await?;

    let health = json!({ "operation": "health" });
    let health = facade
        .orchestrate("resilience_monitor", &context, health)
        .await?;
    let health = health.into_result()?;
    for change in health["changes"].as_array().into_iter().flatten() {
        writeln!(said, "{}", change.as_str().unwrap_or_default())?;
    }
    let view = facade.get("resilience_monitor").ok_or("it is registered")?;
    writeln!(
        said,
        "{} calls, {} background tasks",
        view.succeeded + view.failed,
        view.background_tasks
    )?;
    let removed = facade.unregister("resilience_monitor").await?;
    writeln!(
        said,
        "started {} time, stopped {} time, {} background tasks aborted",
        monitor.starts.load(Ordering::Relaxed),
        monitor.stops.load(Ordering::Relaxed),
        removed.tasks_aborted
    )?;
    orchestrator.shutdown().await;
    Ok(said)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", example().await?);
    Ok(())
}
