//! Runs hooks: in order, timed, isolated from panics, counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use parking_lot::Mutex;

use crate::agent::AgentSpec;
use crate::config::HooksConfig;
use crate::id::{AgentId, PrincipalName, shortened};
use crate::metrics::SharedRecorder;
use crate::plugin::{
    GuardCall, HealthStatus, HookContext, HookPoint, HookSet, Observed, Plugin, PluginContext,
    PluginError, PluginHealth, PluginManifest, PluginSection, PluginStatus, Shape, ShapeCall,
    Stage, Verdict,
};
use crate::task::{Delegation, TaskRecord, Veto};

/// A plugin in its place.
pub(crate) struct Loaded {
    pub(crate) manifest: PluginManifest,
    plugin: Box<dyn Plugin>,
    section: Mutex<PluginSection>,
    enabled: AtomicBool,
    switched_off: AtomicU64,
    faults_of_hook: [AtomicU32; 48],
    faults: AtomicU64,
    vetoes: AtomicU64,
}

impl Loaded {
    pub(crate) fn new(
        manifest: PluginManifest,
        plugin: Box<dyn Plugin>,
        section: PluginSection,
    ) -> Self {
        Self {
            manifest,
            plugin,
            section: Mutex::new(section),
            enabled: AtomicBool::new(true),
            switched_off: AtomicU64::new(0),
            faults_of_hook: [const { AtomicU32::new(0) }; 48],
            faults: AtomicU64::new(0),
            vetoes: AtomicU64::new(0),
        }
    }

    fn active_hooks(&self) -> HookSet {
        if !self.enabled.load(Ordering::Acquire) {
            return HookSet::none();
        }
        let off = self.switched_off.load(Ordering::Acquire);
        HookSet::from_bits(self.manifest.hooks.bits() & !off)
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Loaded").field(&self.manifest.name).finish()
    }
}

/// Hears of faults and vetoes.
pub(crate) trait FaultSink: Send + Sync {
    fn fault(&self, plugin: &'static str, stage: Stage, point: HookPoint, text: &str);
    fn veto(&self, plugin: &'static str);
}

/// Where a shape hook fires, without the task that it may change.
#[derive(Clone, Copy)]
pub(crate) enum ShapePoint<'a> {
    Submit,
    Delegate(&'a AgentId),
    Start(&'a Delegation),
}

impl<'a> ShapePoint<'a> {
    const fn point(self) -> HookPoint {
        match self {
            Self::Submit => HookPoint::Submit,
            Self::Delegate(_) => HookPoint::Delegate,
            Self::Start(_) => HookPoint::Start,
        }
    }

    const fn call(self, task: &'a TaskRecord) -> ShapeCall<'a> {
        match self {
            Self::Submit => ShapeCall::Submit { task },
            Self::Delegate(agent) => ShapeCall::Delegate { task, agent },
            Self::Start(delegation) => ShapeCall::Start { task, delegation },
        }
    }
}

/// All plugins of one orchestrator.
#[derive(Debug)]
pub(crate) struct PluginHost {
    plugins: Vec<Loaded>,
    mask: AtomicU64,
    /// Held while the mask is made, so that an older one never replaces a newer.
    mask_turn: Mutex<()>,
    timeout: Duration,
    start_timeout: Duration,
    faults_max: u32,
}

impl PluginHost {
    pub(crate) fn new(plugins: Vec<Loaded>, limits: &HooksConfig) -> Self {
        let host = Self {
            plugins,
            mask: AtomicU64::new(0),
            mask_turn: Mutex::new(()),
            timeout: Duration::from_millis(limits.timeout_ms),
            start_timeout: Duration::from_millis(limits.start_timeout_ms),
            faults_max: limits.faults_max,
        };
        host.refresh_mask();
        host
    }

    /// The recorders that plugins offer. One that panics offers none; it will have more to say when it starts.
    pub(crate) fn recorders(&self) -> Vec<SharedRecorder> {
        let offered = |p: &Loaded| catch_unwind(AssertUnwindSafe(|| p.plugin.recorder()));
        self.plugins
            .iter()
            .filter_map(|p| offered(p).ok().flatten())
            .collect()
    }

    fn refresh_mask(&self) {
        let _turn = self.mask_turn.lock();
        let union = self
            .plugins
            .iter()
            .fold(HookSet::none(), |all, p| all.union(p.active_hooks()));
        self.mask.store(union.bits(), Ordering::Release);
    }

    /// Whether any plugin wants a hook: one load, all that an uninterested plugin costs.
    pub(crate) fn wants(&self, stage: Stage, point: HookPoint) -> bool {
        HookSet::from_bits(self.mask.load(Ordering::Acquire)).contains(stage, point)
    }

    /// Whether anything decides at this point.
    pub(crate) fn decides(&self, point: HookPoint) -> bool {
        self.wants(Stage::Shape, point) || self.wants(Stage::Guard, point)
    }

    fn wanting(&self, stage: Stage, point: HookPoint) -> impl Iterator<Item = &Loaded> {
        self.plugins
            .iter()
            .filter(move |p| p.active_hooks().contains(stage, point))
    }

    fn fault(
        &self,
        sink: &dyn FaultSink,
        plugin: &Loaded,
        stage: Stage,
        point: HookPoint,
        text: &str,
    ) {
        plugin.faults.fetch_add(1, Ordering::Relaxed);
        let slot = &plugin.faults_of_hook[16 * stage as usize + point as usize];
        let count = slot.fetch_add(1, Ordering::Relaxed) + 1;
        if stage != Stage::Guard && self.faults_max > 0 && count >= self.faults_max {
            let hook = match stage {
                Stage::Shape => HookSet::none().shape(point),
                _ => HookSet::none().observe(point),
            };
            plugin.switched_off.fetch_or(hook.bits(), Ordering::AcqRel);
            self.refresh_mask();
        }
        sink.fault(plugin.manifest.name, stage, point, text);
    }

    /// Calls a hook. A panic is a fault, and so is an answer that came too late; neither is an answer.
    /// The end of one hook is the beginning of the next: the clock is read once for each.
    fn timed<T>(
        &self,
        begun: &mut Instant,
        sink: &dyn FaultSink,
        plugin: &Loaded,
        stage: Stage,
        point: HookPoint,
        call: impl FnOnce(&dyn Plugin) -> T,
    ) -> Result<T, String> {
        let name = plugin.manifest.name;
        let _span = tracing::trace_span!("plugin.hook", plugin = name, ?stage, ?point).entered();
        let answer = catch_unwind(AssertUnwindSafe(|| call(plugin.plugin.as_ref())));
        let ended = Instant::now();
        let took = ended - std::mem::replace(begun, ended);
        let text = match answer {
            Ok(answer) if took <= self.timeout => return Ok(answer),
            Ok(_) => format!(
                "took {took:?}, the limit hooks.timeout_ms is {:?}",
                self.timeout
            ),
            Err(panic) => panic_text(panic.as_ref()),
        };
        self.fault(sink, plugin, stage, point, &text);
        Err(text)
    }

    async fn later<T>(&self, answer: impl Future<Output = T> + Send) -> Result<T, String> {
        match tokio::time::timeout(self.timeout, AssertUnwindSafe(answer).catch_unwind()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panic)) => Err(panic_text(panic.as_ref())),
            Err(_) => Err(format!(
                "no answer within hooks.timeout_ms {:?}",
                self.timeout
            )),
        }
    }

    /// Lets shape hooks rewrite a task. A hook that fails leaves it as it is.
    pub(crate) async fn shape(
        &self,
        sink: &dyn FaultSink,
        context: &HookContext<'_>,
        point: ShapePoint<'_>,
        record: &mut Arc<TaskRecord>,
    ) -> bool {
        let mut changed = false;
        let at = point.point();
        let mut begun = Instant::now();
        for plugin in self.wanting(Stage::Shape, at) {
            let answer = self.timed(&mut begun, sink, plugin, Stage::Shape, at, |p| {
                p.shape(context, &point.call(record))
            });
            let patch = match answer {
                Err(_) | Ok(Shape::Keep) => continue,
                Ok(Shape::Patch(patch)) => Ok(*patch),
                Ok(Shape::Fault(fault)) => Err(fault.to_string()),
                Ok(Shape::Later(answer)) => {
                    let answer = self.later(answer).await;
                    begun = Instant::now();
                    match answer {
                        Ok(answer) => answer.map_err(|fault| fault.to_string()),
                        Err(text) => Err(text),
                    }
                }
            };
            match patch {
                Ok(patch) => {
                    Arc::make_mut(record).task_mut().apply_patch(patch);
                    changed = true;
                }
                Err(text) => self.fault(sink, plugin, Stage::Shape, at, &text),
            }
        }
        changed
    }

    /// Asks guards. One that fails, panics or gives no answer in time refuses.
    pub(crate) async fn guard(
        &self,
        sink: &dyn FaultSink,
        context: &HookContext<'_>,
        call: &GuardCall<'_>,
    ) -> Result<(), Veto> {
        let at = guard_point(call);
        let mut begun = Instant::now();
        for plugin in self.wanting(Stage::Guard, at) {
            let answer = match self.timed(&mut begun, sink, plugin, Stage::Guard, at, |p| {
                p.guard(context, call)
            }) {
                Err(text) => Err(fail_closed(&text)),
                Ok(Verdict::Allow) => continue,
                Ok(Verdict::Veto(veto)) => Err(veto),
                Ok(Verdict::Fault(fault)) => {
                    self.fault(sink, plugin, Stage::Guard, at, &fault.to_string());
                    Err(fail_closed(&fault.to_string()))
                }
                Ok(Verdict::Later(answer)) => {
                    let answer = self.later(answer).await;
                    begun = Instant::now();
                    answer.unwrap_or_else(|text| {
                        self.fault(sink, plugin, Stage::Guard, at, &text);
                        Err(fail_closed(&text))
                    })
                }
            };
            if let Err(mut veto) = answer {
                veto.plugin = plugin.manifest.name.into();
                plugin.vetoes.fetch_add(1, Ordering::Relaxed);
                sink.veto(plugin.manifest.name);
                return Err(veto);
            }
        }
        Ok(())
    }

    /// Shows observers what was committed.
    pub(crate) fn observe(
        &self,
        sink: &dyn FaultSink,
        context: &HookContext<'_>,
        what: &Observed<'_>,
    ) {
        let at = observe_point(what);
        if !self.wants(Stage::Observe, at) {
            return;
        }
        let mut begun = Instant::now();
        for plugin in self.wanting(Stage::Observe, at) {
            // What went wrong was counted and told; an observer has no say.
            let _ = self.timed(&mut begun, sink, plugin, Stage::Observe, at, |p| {
                p.observe(context, what)
            });
        }
    }

    /// Starts all plugins in order; when one fails, those started are stopped.
    pub(crate) async fn start(
        &self,
        context: impl Fn(PluginSection) -> PluginContext,
    ) -> Result<(), (&'static str, PluginError)> {
        for (at, plugin) in self.plugins.iter().enumerate() {
            let section = plugin.section.lock().clone();
            let starts = AssertUnwindSafe(plugin.plugin.start(context(section))).catch_unwind();
            let error = match tokio::time::timeout(self.start_timeout, starts).await {
                Ok(Ok(Ok(()))) => continue,
                Ok(Ok(Err(error))) => error,
                Ok(Err(panic)) => PluginError::failed(panic_text(panic.as_ref())),
                Err(_) => PluginError::TooSlow {
                    limit: self.start_timeout,
                },
            };
            self.stop_first(at).await;
            return Err((plugin.manifest.name, error));
        }
        Ok(())
    }

    /// Stops all plugins in the opposite order; returns those that panicked or took too long.
    pub(crate) async fn stop(&self) -> Vec<&'static str> {
        self.stop_first(self.plugins.len()).await
    }

    async fn stop_first(&self, count: usize) -> Vec<&'static str> {
        let mut stuck = Vec::new();
        for plugin in self.plugins.iter().take(count).rev() {
            if self.later(plugin.plugin.stop()).await.is_err() {
                stuck.push(plugin.manifest.name);
            }
        }
        stuck
    }

    fn find(&self, name: &str) -> Result<&Loaded, PluginError> {
        self.plugins
            .iter()
            .find(|p| p.manifest.name == name)
            .ok_or_else(|| PluginError::Unknown {
                name: shortened(name, 80),
                known: match self
                    .plugins
                    .iter()
                    .map(|p| p.manifest.name)
                    .collect::<Vec<_>>()
                {
                    names if names.is_empty() => "none".to_owned(),
                    names => names.join(", "),
                },
            })
    }

    /// Switches a plugin on, with all its hooks, or off.
    pub(crate) fn set_enabled(&self, name: &str, enabled: bool) -> Result<(), PluginError> {
        let plugin = self.find(name)?;
        plugin.enabled.store(enabled, Ordering::Release);
        if enabled {
            plugin.switched_off.store(0, Ordering::Release);
            for count in &plugin.faults_of_hook {
                count.store(0, Ordering::Relaxed);
            }
        }
        self.refresh_mask();
        Ok(())
    }

    pub(crate) fn reconfigure(&self, name: &str, toml: &str) -> Result<(), PluginError> {
        let plugin = self.find(name)?;
        let section = PluginSection::from_toml(name, toml)?;
        let begun = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| plugin.plugin.reconfigure(&section))) {
            Ok(done) => done?,
            Err(panic) => return Err(PluginError::failed(panic_text(panic.as_ref()))),
        }
        let took = begun.elapsed();
        if took > self.timeout {
            tracing::warn!(plugin = name, ?took, limit = ?self.timeout, "reconfiguring took longer than hooks.timeout_ms");
        }
        *plugin.section.lock() = section;
        Ok(())
    }

    pub(crate) fn status(&self) -> Vec<PluginStatus> {
        let limit = self.timeout;
        self.plugins.iter().map(|p| status_of(p, limit)).collect()
    }
}

fn status_of(plugin: &Loaded, limit: Duration) -> PluginStatus {
    let begun = Instant::now();
    let mut health =
        catch_unwind(AssertUnwindSafe(|| plugin.plugin.health())).unwrap_or_else(|panic| {
            PluginHealth::of(HealthStatus::Unhealthy, panic_text(panic.as_ref()))
        });
    let took = begun.elapsed();
    if took > limit && health.status == HealthStatus::Healthy {
        let text = format!("health took {took:?}, the limit hooks.timeout_ms is {limit:?}");
        health = PluginHealth::of(HealthStatus::Degraded, text);
    }
    let off = HookSet::from_bits(plugin.switched_off.load(Ordering::Acquire));
    PluginStatus {
        name: plugin.manifest.name.to_owned(),
        summary: plugin.manifest.summary.to_owned(),
        enabled: plugin.enabled.load(Ordering::Acquire),
        health,
        hooks: plugin.manifest.hooks.iter().collect(),
        switched_off: off.iter().collect(),
        faults: plugin.faults.load(Ordering::Relaxed),
        vetoes: plugin.vetoes.load(Ordering::Relaxed),
    }
}

fn fail_closed(text: &str) -> Veto {
    Veto::new(
        "guard_failed",
        format!("the guard failed ({text}) and refuses until it is mended or disabled"),
    )
}

const fn guard_point(call: &GuardCall<'_>) -> HookPoint {
    match call {
        GuardCall::Register { .. } => HookPoint::Register,
        GuardCall::Submit { .. } => HookPoint::Submit,
        GuardCall::Delegate { .. } => HookPoint::Delegate,
        GuardCall::Start { .. } => HookPoint::Start,
        GuardCall::Retry { .. } => HookPoint::Retry,
    }
}

const fn observe_point(what: &Observed<'_>) -> HookPoint {
    match what {
        Observed::Registered { .. } => HookPoint::Register,
        Observed::Deregistered { .. } => HookPoint::Deregister,
        Observed::Submitted { .. } => HookPoint::Submit,
        Observed::Delegated { .. } => HookPoint::Delegate,
        Observed::Started { .. } => HookPoint::Start,
        Observed::Completed { .. } => HookPoint::Complete,
        Observed::Failed { .. } => HookPoint::Fail,
        Observed::Retrying { .. } => HookPoint::Retry,
        Observed::Cancelled { .. } => HookPoint::Cancel,
        Observed::HealthCheck => HookPoint::Health,
        Observed::Tick => HookPoint::Tick,
        Observed::Shutdown => HookPoint::Shutdown,
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic_message(panic).map_or_else(|| "panicked".to_owned(), |text| format!("panicked: {text}"))
}

/// What a panic says, when it says something.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

/// A guard call for registrations, spelled once.
pub(crate) const fn register_call<'a>(
    agent: &'a AgentSpec,
    principal: &'a PrincipalName,
) -> GuardCall<'a> {
    GuardCall::Register { agent, principal }
}
