//! The hooks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use universal_orchestrator::plugin::{
    Control, HealthStatus, HookContext, HookPoint, HookSet, Observed, Plugin, PluginContext,
    PluginError, PluginHealth, PluginManifest, PluginSection, Shape, ShapeCall,
};
use universal_orchestrator::{
    AgentId, Extensions, IdError, TaskOutcome, TaskPatch, TaskRecord, Value, json,
};

use crate::assemble::{AssembleError, AssembledContext};
use crate::compress::Summarizer;
use crate::config::{ConfigFault, ContextConfig, Delivery};
use crate::engine::{Ask, Engine};
use crate::metrics::{Asked, Lost, Metrics};
use crate::service::ContextService;
use crate::session::SessionId;
use crate::windows::WindowStage;
use crate::worker::{Job, Worker};

/// The metadata with which a task names its session.
pub const SESSION: &str = "context.session";
/// The metadata with which a task says what its context is for.
pub const QUERY: &str = "context.query";
/// The metadata with which a task names the tokens that its context may have.
pub const BUDGET: &str = "context.budget_tokens";
/// The metadata in which an agent outside of this process finds its context.
pub const TEXT: &str = "context.text";
/// The field of the payload in which it finds it when `delivery` is `payload`.
pub const FIELD: &str = "context";

/// Why a task that named a session got no context. In the task's extensions; the task goes on without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextFault {
    /// `context.session` is no name.
    #[error("context.session: {0}")]
    Session(#[source] IdError),
    /// `context.budget_tokens` is no number of tokens.
    #[error("context.budget_tokens is {value:?}: give a whole number from 1")]
    Budget {
        /// What it is.
        value: String,
    },
    /// It took too long.
    #[error(
        "no context within attach_timeout_ms = {limit_ms}: raise it together with hooks.timeout_ms, or set preload = true"
    )]
    TooLate {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// The context was not put together.
    #[error(transparent)]
    Assemble(AssembleError),
}

/// Keeps sessions of fragments, and gives each task that names one the best context under its budget.
#[derive(Debug)]
pub struct ContextPlugin {
    engine: Arc<Engine>,
    worker: Arc<Worker>,
}

impl ContextPlugin {
    /// Name, summary and hooks.
    ///
    /// Context is attached at start and not at submission: there it is as fresh as it can be, the agent and the room in its
    /// window are known, another attempt gets what the failed one left, and what waits in the queue holds no copies of it.
    pub const MANIFEST: PluginManifest = PluginManifest::new(
        "context",
        "keeps sessions of fragments and gives tasks the best context under a token budget",
        HookSet::none()
            .shape(HookPoint::Start)
            .observe(HookPoint::Complete)
            .observe(HookPoint::Fail)
            .observe(HookPoint::Deregister)
            .observe(HookPoint::Tick),
    )
    .example(EXAMPLE);

    /// Makes the plugin.
    ///
    /// # Errors
    /// [`ConfigFault`] names the key, its value and what fits.
    pub fn new(config: ContextConfig) -> Result<Self, ConfigFault> {
        Self::build(config, None)
    }

    /// Makes the plugin with something that writes summaries; see [`Summarizer`]. Hand it to the builder of the orchestrator.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_summarizer(
        config: ContextConfig,
        summarizer: Arc<dyn Summarizer>,
    ) -> Result<Self, ConfigFault> {
        Self::build(config, Some(summarizer))
    }

    fn build(
        config: ContextConfig,
        summarizer: Option<Arc<dyn Summarizer>>,
    ) -> Result<Self, ConfigFault> {
        config.validate()?;
        let encoding = config.encoding()?;
        let engine = Arc::new(Engine::new(config, encoding, summarizer));
        Ok(Self {
            engine,
            worker: Arc::default(),
        })
    }
}

const EXAMPLE: &str = r#"
encoding = "o200k_base"
budget_tokens = 4000
delivery = "metadata"
fragment_ttl_s = 86400
"#;

#[async_trait]
impl Plugin for ContextPlugin {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        self.engine
            .metrics
            .get_or_init(|| Metrics::new(&context.metrics));
        self.engine.control.get_or_init(|| context.control.clone());
        let (engine, worker) = (Arc::clone(&self.engine), Arc::clone(&self.worker));
        context
            .services
            .offer(Arc::new(ContextService { engine, worker }));
        self.worker.start(&self.engine);
        if self.engine.config().preload && self.engine.wants_vocabulary() {
            self.worker.send(Job::Load);
        }
        Ok(())
    }

    async fn stop(&self) {
        self.worker.stop().await;
    }

    fn shape(&self, context: &HookContext<'_>, call: &ShapeCall<'_>) -> Shape {
        let ShapeCall::Start { task, delegation } = call else {
            return Shape::Keep;
        };
        let Some(name) = task.task().metadata_value(SESSION) else {
            return Shape::Keep;
        };
        self.attach(context.control, task, delegation.agent(), name)
    }

    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        match what {
            Observed::Completed { task, outcome } => {
                self.ended(context.control, task, outcome, true)
            }
            Observed::Failed { task, outcome } => self.ended(context.control, task, outcome, false),
            Observed::Deregistered { agent } => {
                self.engine.windows.clear(agent);
            }
            // When it is full, the next tick comes soon.
            Observed::Tick => {
                self.worker.send(Job::Sweep);
            }
            _ => {}
        }
    }

    fn health(&self) -> PluginHealth {
        let top = self.engine.config().status_top;
        let (windows, full) = self.engine.windows.fullest(top);
        let details = json!({
            "encoding": self.engine.encoding,
            "store": self.engine.store.stats(top),
            "windows": windows,
        });
        let health = match full {
            0 => PluginHealth::healthy(),
            full => PluginHealth::of(
                HealthStatus::Degraded,
                format!("{full} agents have filled their context windows: let them sleep"),
            ),
        };
        health.details(details)
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        let config: ContextConfig = section.parse()?;
        let fits = |error: ConfigFault| PluginError::caused(error.to_string(), error);
        config.validate().map_err(fits)?;
        let before = self.engine.config();
        if config.encoding().map_err(fits)? != self.engine.encoding {
            return Err(fits(ConfigFault::Fixed { key: "encoding" }));
        }
        if config.pending_max != before.pending_max {
            return Err(fits(ConfigFault::Fixed { key: "pending_max" }));
        }
        self.engine.set_config(config);
        Ok(())
    }
}

impl ContextPlugin {
    /// What came of a task: into its session, and its tokens into the agent's window.
    fn ended(&self, control: &Control, task: &TaskRecord, outcome: &TaskOutcome, succeeded: bool) {
        let name = task.task().metadata_value(SESSION);
        let reported = outcome.cost().tokens;
        if name.is_none() && reported == 0 {
            return;
        }
        if let Some(agent) = outcome.agent().filter(|_| reported > 0) {
            // An agent that reports its tokens has counted its context among them.
            let counted = name.and_then(|_| task.extensions().get::<AssembledContext>());
            let counted = counted.map_or(0, |context| context.tokens as u64);
            let more = reported.saturating_sub(counted);
            if more > 0 {
                self.engine.fill_window(agent, more, control);
            }
        }
        let config = self.engine.config();
        let wanted = if succeeded {
            config.store_results
        } else {
            config.store_failures
        };
        let Some(Ok(session)) = name.map(|name| session_of(task, name)) else {
            return;
        };
        if wanted
            && !self.worker.send(Job::Ended {
                session,
                outcome: outcome.clone(),
            })
        {
            self.engine.lost(Lost::Result);
        }
    }

    /// Attaches context to a task that names a session.
    fn attach(&self, control: &Control, task: &TaskRecord, agent: &AgentId, name: &str) -> Shape {
        if self.engine.wants_vocabulary() {
            // When it is full, whatever comes first loads it.
            self.worker.send(Job::Load);
        }
        // Of an earlier attempt.
        task.extensions().remove::<AssembledContext>();
        task.extensions().remove::<ContextFault>();
        let engine = &self.engine;
        let ask = match self.ask(task, agent, name) {
            Ok(ask) => ask,
            Err(fault) => {
                count(engine, Asked::Malformed);
                task.extensions().insert(fault);
                return Shape::Keep;
            }
        };
        let attach = Attach {
            engine: Arc::clone(engine),
            control: control.clone(),
            agent: agent.clone(),
            payload: match engine.config().delivery {
                Delivery::Payload => Some(task.task().payload_value().clone()),
                Delivery::Metadata | Delivery::None => None,
            },
            extensions: task.extensions().clone(),
        };
        match self.worker.settled() {
            None if engine.is_small(&ask.session) || !engine.store.exists(&ask.session) => {
                let assembled = engine.assemble(&ask);
                match attach.patch(assembled) {
                    Some(patch) => Shape::patch(patch),
                    None => Shape::Keep,
                }
            }
            settled => Shape::later(async move {
                let limit_ms = attach.engine.config().attach_timeout_ms;
                let assembly = async {
                    if let Some(settled) = settled {
                        settled.await;
                    }
                    attach.engine.assemble_aside(ask).await
                };
                let assembled = tokio::time::timeout(Duration::from_millis(limit_ms), assembly);
                let patch = match assembled.await {
                    Ok(assembled) => attach.patch(assembled),
                    Err(_) => {
                        count(&attach.engine, Asked::TooLate);
                        attach.extensions.insert(ContextFault::TooLate { limit_ms });
                        None
                    }
                };
                Ok(patch.unwrap_or_default())
            }),
        }
    }

    fn ask(&self, task: &TaskRecord, agent: &AgentId, name: &str) -> Result<Ask, ContextFault> {
        let session = session_of(task, name).map_err(ContextFault::Session)?;
        let config = self.engine.config();
        let budget = match task.task().metadata_value(BUDGET) {
            None => config.budget_tokens,
            Some(text) => match text.parse() {
                Ok(budget) if budget > 0 => config.budget_tokens_max.min(budget),
                _ => {
                    return Err(ContextFault::Budget {
                        value: text.chars().take(80).collect(),
                    });
                }
            },
        };
        Ok(Ask {
            session,
            query: task.task().metadata_value(QUERY).map(str::to_owned),
            budget,
            compressed_only: self.engine.windows.stage(agent) >= WindowStage::Compress,
            summaries: false,
        })
    }
}

fn session_of(task: &TaskRecord, name: &str) -> Result<SessionId, IdError> {
    let session = SessionId::new(name)?;
    Ok(match task.task().tenant_name() {
        Some(tenant) => session.of_tenant(tenant.clone()),
        None => session,
    })
}

fn count(engine: &Engine, asked: Asked) {
    if let Some(metrics) = engine.metrics.get() {
        metrics.asked(asked);
    }
}

/// What is needed to hand a context over, once it is there.
struct Attach {
    engine: Arc<Engine>,
    control: Control,
    agent: AgentId,
    /// The payload, when context is delivered in it.
    payload: Option<Value>,
    extensions: Extensions,
}

impl Attach {
    fn patch(&self, assembled: Result<AssembledContext, AssembleError>) -> Option<TaskPatch> {
        let context = match assembled {
            Ok(context) => context,
            Err(error) => {
                self.refuse(error);
                return None;
            }
        };
        count(&self.engine, Asked::Assembled);
        if context.tokens > 0 {
            self.engine
                .fill_window(&self.agent, context.tokens as u64, &self.control);
        }
        let patch = self.delivery(&context);
        self.extensions.insert(context);
        patch
    }

    fn refuse(&self, error: AssembleError) {
        match &error {
            // A task may open its session: then there is nothing yet to tell it, and that is no fault.
            AssembleError::NoSession { .. } => {
                count(&self.engine, Asked::NoSession);
                if self.engine.config().open_sessions {
                    return;
                }
            }
            AssembleError::CriticalExceedsBudget { .. } => {
                count(&self.engine, Asked::CriticalExceedsBudget);
                tracing::warn!(error = %error, "a task goes on without context");
            }
            AssembleError::RuntimeEnded => {}
        }
        self.extensions.insert(ContextFault::Assemble(error));
    }

    /// What an agent outside of this process gets.
    fn delivery(&self, context: &AssembledContext) -> Option<TaskPatch> {
        let config = self.engine.config();
        if config.delivery == Delivery::None || context.text.is_empty() {
            return None;
        }
        if self
            .control
            .agent(&self.agent)
            .is_none_or(|agent| agent.in_process)
        {
            return None;
        }
        if context.text.len() > config.delivery_bytes_max {
            self.engine.lost(Lost::Delivery);
            return None;
        }
        let text = context.text.to_string();
        let mut patch = TaskPatch::default();
        match self.payload.clone() {
            Some(Value::Object(mut fields)) => {
                fields.insert(FIELD.to_owned(), Value::String(text));
                patch.payload = Some(Value::Object(fields));
            }
            _ => patch.metadata.push((TEXT.to_owned(), text)),
        }
        Some(patch)
    }
}

#[cfg(test)]
mod tests {
    use universal_orchestrator::UniversalOrchestrator;

    use super::*;

    /// Whether the vocabulary is there after the worker had its turn, without any session.
    async fn loads_at_start(preload: bool) -> bool {
        let config = ContextConfig {
            preload,
            ..ContextConfig::default()
        };
        let plugin = ContextPlugin::new(config).unwrap();
        let (engine, worker) = (Arc::clone(&plugin.engine), Arc::clone(&plugin.worker));
        let builder = UniversalOrchestrator::builder().without_linked_plugins();
        let o = builder
            .plugin(ContextPlugin::MANIFEST, plugin)
            .start()
            .await
            .unwrap();
        if let Some(settled) = worker.settled() {
            settled.await;
        }
        o.shutdown().await;
        engine.is_loaded()
    }

    #[tokio::test]
    async fn the_vocabulary_waits_for_the_first_session_unless_it_is_preloaded() {
        assert!(loads_at_start(true).await);
        assert!(!loads_at_start(false).await);
    }
}
