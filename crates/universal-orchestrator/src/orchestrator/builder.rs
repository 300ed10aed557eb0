//! From a description to a running orchestrator.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use metrics::Recorder;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::budget::{AccountId, Ledger};
use crate::clock::{Epoch, SharedWallClock, SystemWallClock, WallClock};
use crate::config::{ConfigError, OrchestratorConfig, RoutingPolicyName};
use crate::engine::{Engine, EngineParts, EngineSettings, limits_of};
use crate::event::EventBus;
use crate::metrics::{Metrics, ProcessRecorder, SharedRecorder, fan_out};
use crate::orchestrator::alerts::Alerts;
use crate::orchestrator::resources::Resources;
use crate::orchestrator::shared::Shared;
use crate::orchestrator::shutdown::Ending;
use crate::orchestrator::spawn::{Kind, Spawner};
use crate::orchestrator::{UniversalOrchestrator, background, control};
use crate::plugin::{
    Control, LinkError, Plugin, PluginContext, PluginDescriptor, PluginError, PluginHost,
    PluginManifest, PluginSource, PluginWishes, linked, resolve, write_told,
};
use crate::principal::Principal;
use crate::routing::{Cheapest, Fastest, LeastLoaded, RoundRobin, RoutingPolicy};

/// Why an orchestrator did not start. Its `Debug` form is the text as well, for a `main` that returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration does not fit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The set of plugins does not work.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A plugin did not start; those before it were stopped.
    #[error("plugin {name:?} did not start: {source}")]
    Plugin {
        /// The plugin.
        name: &'static str,
        /// Why.
        #[source]
        source: PluginError,
    },
    /// There is no tokio runtime.
    #[error("there is no tokio runtime here: call start from inside of one")]
    NoRuntime,
    /// The program aborts on panic, so plugins and agents cannot be isolated.
    #[error(
        "this program is built with panic = \"abort\", so a panic of a plugin or agent could not be contained: use panic = \"unwind\""
    )]
    PanicAbort,
}

impl std::fmt::Debug for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_told(self, f)
    }
}

/// Describes an orchestrator.
#[must_use = "call start to run it"]
pub struct OrchestratorBuilder {
    config: OrchestratorConfig,
    plugins: Vec<PluginSource>,
    use_linked: bool,
    recorder: Option<SharedRecorder>,
    wall: Arc<dyn WallClock>,
    policy: Option<Arc<dyn RoutingPolicy>>,
    panic_when_lost: bool,
}

impl OrchestratorBuilder {
    pub(crate) fn new() -> Self {
        Self {
            config: OrchestratorConfig::default(),
            plugins: Vec::new(),
            use_linked: true,
            recorder: None,
            wall: Arc::new(SystemWallClock),
            policy: None,
            panic_when_lost: false,
        }
    }

    /// With this configuration instead of the defaults.
    pub fn config(mut self, config: OrchestratorConfig) -> Self {
        self.config = config;
        self
    }

    /// With this plugin, besides those that are linked.
    pub fn plugin(mut self, manifest: PluginManifest, plugin: impl Plugin) -> Self {
        self.plugins
            .push(PluginSource::Value(manifest, Box::new(plugin)));
        self
    }

    /// With a plugin that is built from its section.
    pub fn plugin_descriptor(mut self, descriptor: &'static PluginDescriptor) -> Self {
        self.plugins.push(PluginSource::Descriptor(descriptor));
        self
    }

    /// Without the plugins that are linked into the program: what unit tests want.
    pub fn without_linked_plugins(mut self) -> Self {
        self.use_linked = false;
        self
    }

    /// With a metrics recorder of its own instead of the process's.
    pub fn metrics_recorder(mut self, recorder: impl Recorder + Send + Sync + 'static) -> Self {
        self.recorder = Some(Arc::new(recorder));
        self
    }

    /// With another wall clock, for tests of days and records.
    pub fn wall_clock(mut self, clock: impl WallClock) -> Self {
        self.wall = Arc::new(clock);
        self
    }

    /// With a routing policy of your own instead of `routing.policy`.
    pub fn routing_policy(mut self, policy: impl RoutingPolicy) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Panics when the last handle is dropped while tasks are live, instead of logging it: for tests.
    pub fn panic_when_dropped_with_live_tasks(mut self) -> Self {
        self.panic_when_lost = true;
        self
    }

    /// Checks the configuration, builds and starts the plugins, and starts.
    ///
    /// # Errors
    /// [`StartError`] says what to change.
    pub async fn start(self) -> Result<UniversalOrchestrator, StartError> {
        if cfg!(panic = "abort") {
            return Err(StartError::PanicAbort);
        }
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let epoch = Epoch::now();
        self.config.validate()?;
        let wishes = wishes(&self.config);
        let mut sources = self.plugins;
        if self.use_linked {
            sources.extend(linked().into_iter().map(PluginSource::Descriptor));
        }
        let loaded = resolve(sources, wishes)?;
        let config = self.config;
        let plugins = Arc::new(PluginHost::new(loaded, &config.hooks));
        let recorder = self.recorder.unwrap_or_else(|| Arc::new(ProcessRecorder));
        let recorder = fan_out(recorder, plugins.recorders());
        let parts = Parts {
            epoch,
            wall: SharedWallClock(self.wall),
            policy: self
                .policy
                .unwrap_or_else(|| policy_of(config.routing.policy)),
            plugins,
            metrics: Arc::new(Metrics::new(recorder)),
            panic_when_lost: self.panic_when_lost,
        };
        let (shared, commands) = assemble(config, parts, runtime);
        let context = |section| {
            PluginContext::new(
                shared.control.clone(),
                Arc::clone(&shared.services),
                Arc::clone(&shared.metrics.recorder),
                section,
                shared.config.mode,
                Arc::clone(&shared.wall.0),
            )
        };
        if let Err((name, source)) = shared.plugins.start(context).await {
            return Err(StartError::Plugin { name, source });
        }
        let weak = Arc::downgrade(&shared);
        shared.spawner.spawn(
            Kind::Background,
            background::run(weak.clone(), shared.stop.clone()),
        );
        shared.spawner.spawn(
            Kind::Control,
            control::run(weak, shared.stop.clone(), commands),
        );
        let took = shared.epoch.stamp().since(crate::clock::Stamp::default());
        shared.check_call(
            "max_system_initialization_ms",
            took,
            shared.config.max_system_initialization_ms,
            "start",
        );
        Ok(UniversalOrchestrator::new(
            shared,
            Principal::anonymous().clone(),
        ))
    }
}

impl std::fmt::Debug for OrchestratorBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrchestratorBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

struct Parts {
    epoch: Epoch,
    wall: SharedWallClock,
    policy: Arc<dyn RoutingPolicy>,
    plugins: Arc<PluginHost>,
    metrics: Arc<Metrics>,
    panic_when_lost: bool,
}

fn assemble(
    config: OrchestratorConfig,
    parts: Parts,
    runtime: tokio::runtime::Handle,
) -> (Arc<Shared>, crate::orchestrator::shared::Commands) {
    let (sender, commands) = mpsc::channel(config.hooks.control_depth_max.max(1));
    let events = Arc::new(EventBus::new(config.events.capacity));
    let ledger = Arc::new(Ledger::default());
    ledger.open(AccountId::Global, limits_of(&config.budget.global));
    let settings = EngineSettings::new(&config, config.seed.unwrap_or_else(random_seed));
    let shared = Arc::new_cyclic(|own: &std::sync::Weak<Shared>| {
        let engine = Engine::new(EngineParts {
            settings,
            epoch: parts.epoch,
            wall: parts.wall.clone(),
            policy: parts.policy,
            plugins: Arc::clone(&parts.plugins),
            metrics: Arc::clone(&parts.metrics),
            events: Arc::clone(&events),
            ledger: Arc::clone(&ledger),
            host: own.clone(),
        });
        Shared {
            name: next_name(),
            config,
            epoch: parts.epoch,
            wall: parts.wall,
            engine: Mutex::new(engine),
            plugins: parts.plugins,
            services: Arc::default(),
            control: Control::new(sender, own.clone()),
            events,
            metrics: parts.metrics,
            ledger,
            alerts: Alerts::default(),
            resources: Resources::default(),
            spawner: Spawner(runtime),
            task_ids: AtomicU64::new(0),
            rearm: Notify::new(),
            stop: CancellationToken::new(),
            room_waiters: AtomicUsize::new(0),
            room: Notify::new(),
            room_turn: tokio::sync::Mutex::new(()),
            draining: AtomicBool::new(false),
            drained: Notify::new(),
            ending: Ending::default(),
            panic_when_lost: parts.panic_when_lost,
            own: own.clone(),
        }
    });
    (shared, commands)
}

fn policy_of(name: RoutingPolicyName) -> Arc<dyn RoutingPolicy> {
    match name {
        RoutingPolicyName::LeastLoaded => Arc::new(LeastLoaded),
        RoutingPolicyName::RoundRobin => Arc::new(RoundRobin),
        RoutingPolicyName::Fastest => Arc::new(Fastest),
        RoutingPolicyName::Cheapest => Arc::new(Cheapest),
    }
}

fn wishes(config: &OrchestratorConfig) -> PluginWishes {
    let names: BTreeSet<&str> = ["performance", "security", "context", "automation"]
        .into_iter()
        .chain(config.plugins.required.iter().map(String::as_str))
        .chain(config.plugins.sections.keys().map(String::as_str))
        .collect();
    let switched = |wanted: bool| {
        let names = names
            .iter()
            .filter(|name| config.plugin_switch(name) == Some(wanted));
        names.map(|name| (*name).to_owned()).collect()
    };
    PluginWishes {
        required: switched(true),
        disabled: switched(false),
        sections: config
            .plugins
            .sections
            .keys()
            .map(|name| (name.clone(), config.plugins.settings(name)))
            .collect(),
    }
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    foldhash::fast::RandomState::default()
        .build_hasher()
        .finish()
}

/// Unique in the process.
fn next_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("orchestrator-{}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
