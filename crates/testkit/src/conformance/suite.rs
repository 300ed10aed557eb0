//! Runs the checks.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::runtime::Handle;
use universal_orchestrator::plugin::{
    HookPoint, HookSet, Plugin, PluginDescriptor, PluginError, PluginManifest, PluginSection,
    Stage, linked,
};
use universal_orchestrator::{OrchestratorConfig, UniversalOrchestrator};

use super::check::{Check, Report, Violation};
use super::flow::{HEALTH_CHECK, TICK, exercise};
use super::probe::{Log, Probe, is_snake_case};
use crate::{TestWallClock, settle, test_builder};

/// What an orchestrator may take to start, its plugins included: the default of `max_system_initialization_ms`.
const START_LIMIT: Duration = Duration::from_secs(2);
/// A task that the plugin submitted may take this long after the flow.
const END_LIMIT: Duration = Duration::from_secs(60);
const UNKNOWN_KEY: &str = "no_such_key_in_any_plugin";

type Build = Box<dyn Fn(&PluginSection) -> Result<Box<dyn Plugin>, PluginError>>;

/// The conformance suite of one plugin.
#[must_use = "call run"]
pub struct Suite {
    manifest: PluginManifest,
    build: Build,
    hook_limit: Duration,
    linked: bool,
}

impl Suite {
    /// Checks what a plugin crate links in.
    pub fn of(descriptor: &'static PluginDescriptor) -> Self {
        Self::new(*descriptor.manifest(), |section| descriptor.build(section))
    }

    /// Checks a plugin that is built by a closure.
    pub fn new(
        manifest: PluginManifest,
        build: impl Fn(&PluginSection) -> Result<Box<dyn Plugin>, PluginError> + 'static,
    ) -> Self {
        let hooks = OrchestratorConfig::default().hooks;
        Self {
            manifest,
            build: Box::new(build),
            hook_limit: Duration::from_millis(hooks.timeout_ms),
            linked: false,
        }
    }

    /// Also checks that it is linked into this program, once. The test names the plugin's crate: `use its_crate as _;`.
    pub const fn linked(mut self) -> Self {
        self.linked = true;
        self
    }

    /// With another time limit than the default of `hooks.timeout_ms`; whole milliseconds, at least one.
    pub const fn hook_limit(mut self, limit: Duration) -> Self {
        self.hook_limit = limit;
        self
    }

    /// Runs every check.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn run(self) -> Report {
        let mut report = Report {
            plugin: self.manifest.name(),
            violations: Vec::new(),
            not_called: Vec::new(),
        };
        self.check_manifest(&mut report);
        self.check_linked(&mut report);
        self.check_unknown_key(&mut report);
        let mut called = BTreeSet::new();
        let example = self.manifest.example_section();
        for (check, section) in [(Check::Defaults, ""), (Check::Example, example)] {
            if check == Check::Defaults || !section.trim().is_empty() {
                self.check_section(check, section, &mut report, &mut called)
                    .await;
            }
        }
        let hooks = self.manifest.hooks().iter();
        let missing = hooks.filter(|(s, p)| !called.contains(&(*s as u8, *p as u8)));
        report.not_called = missing.collect();
        report
    }

    fn check_manifest(&self, report: &mut Report) {
        let (name, summary) = (self.manifest.name(), self.manifest.summary());
        // The list of required plugins has this key in the configuration.
        if !is_snake_case(name) || name == "required" {
            let text = format!("the name {name:?} is not lower-case words joined by `_`");
            report.add(Violation::new(Check::Manifest, text));
        }
        if summary.trim().is_empty() || summary.contains('\n') {
            let text = format!("the summary {summary:?} is not one line about it");
            report.add(Violation::new(Check::Manifest, text));
        }
    }

    fn check_linked(&self, report: &mut Report) {
        let name = self.manifest.name();
        let times = linked()
            .into_iter()
            .filter(|one| one.manifest().name() == name)
            .count();
        if self.linked && times != 1 {
            let text = format!(
                "it is linked {times} times: write `register_plugin!` once, and `use its_crate as _;` in the test"
            );
            report.add(Violation::new(Check::Linked, text));
        }
    }

    fn section(&self, toml: &str) -> Result<PluginSection, PluginError> {
        PluginSection::from_toml(self.manifest.name(), toml)
    }

    fn with_unknown_key(toml: &str) -> String {
        // Before the rest: at the end it could fall into a table.
        format!("{UNKNOWN_KEY} = 1\n{toml}")
    }

    fn check_unknown_key(&self, report: &mut Report) {
        let build = |toml: &str| self.section(toml).and_then(|s| (self.build)(&s));
        let sections = [self.manifest.example_section(), ""];
        let Some(toml) = sections.into_iter().find(|toml| build(toml).is_ok()) else {
            return;
        };
        let text = match build(&Self::with_unknown_key(toml)) {
            Ok(_) => "it is built from a section with a key that it does not know".to_owned(),
            Err(error) if !error.to_string().contains(UNKNOWN_KEY) => {
                format!("its refusal of an unknown key does not name the key: {error}")
            }
            Err(_) => return,
        };
        report.add(Violation::new(Check::UnknownKey, text));
    }

    /// Builds the plugin from a section, twice, and lets both run.
    async fn check_section(
        &self,
        check: Check,
        toml: &str,
        report: &mut Report,
        called: &mut BTreeSet<(u8, u8)>,
    ) {
        let alive_before = alive();
        let logs = [Log::default(), Log::default()];
        let mut running = Vec::new();
        for log in &logs {
            let built = self.section(toml).and_then(|s| (self.build)(&s));
            let plugin = match built {
                Ok(plugin) => plugin,
                Err(error) => {
                    report.add(Violation::new(check, format!("it is not built: {error}")));
                    continue;
                }
            };
            match self.start(plugin, toml, log).await {
                Ok(orchestrator) => running.push((orchestrator, log)),
                Err(text) => report.add(Violation::new(Check::Start, text)),
            }
        }
        let mut traces = Vec::new();
        for (orchestrator, log) in running {
            self.go_through(&orchestrator, toml, report).await;
            orchestrator.shutdown().await;
            drop(orchestrator);
            settle().await;
            let deeds = log.take();
            if !deeds.stopped {
                let text = "stop panicked, or did not end within hooks.timeout_ms";
                report.add(Violation::new(Check::Stop, text));
            }
            let fed_itself = deeds.violations.iter().any(|v| v.check == Check::WorkEnds);
            deeds.violations.into_iter().for_each(|v| report.add(v));
            called.extend(deeds.trace.iter().map(|(s, p, _)| (*s as u8, *p as u8)));
            // The second one ticks while the first goes through the flow.
            let of_the_flow =
                |point: HookPoint| !matches!(point, HookPoint::Tick | HookPoint::Health);
            let trace = deeds.trace.into_iter().filter(|(_, p, _)| of_the_flow(*p));
            // One that was cut short says nothing about the other.
            if !fed_itself {
                traces.push(trace.collect::<Vec<_>>());
            }
        }
        if let [first, second] = &traces[..]
            && let Some(text) = first_difference(first, second)
        {
            report.add(Violation::new(Check::Isolation, text));
        }
        let left = alive().saturating_sub(alive_before);
        if left > 0 {
            let text = format!("{left} tasks run on after it was stopped");
            report.add(Violation::new(Check::TasksLeft, text));
        }
    }

    async fn start(
        &self,
        plugin: Box<dyn Plugin>,
        toml: &str,
        log: &Log,
    ) -> Result<UniversalOrchestrator, String> {
        let mut config = OrchestratorConfig::default();
        config.tick_interval_ms = TICK.as_millis() as u64;
        config.health_check_interval_ms = HEALTH_CHECK.as_millis() as u64;
        config.hooks.timeout_ms = u64::try_from(self.hook_limit.as_millis()).unwrap_or(u64::MAX);
        // What is not TOML was refused when the plugin was built.
        let section = toml.parse().unwrap_or_default();
        let name = self.manifest.name().to_owned();
        config.plugins.sections.insert(name, section);
        let clock = TestWallClock::at(Duration::from_secs(1_800_000_000));
        let mut builder = test_builder(config)
            .wall_clock(clock)
            .plugin(self.manifest, Probe::new(plugin, log, self.hook_limit));
        for name in self.manifest.comes_after() {
            let stand_in = PluginManifest::new(name, "stands in for another", HookSet::none());
            builder = builder.plugin(stand_in, StandIn);
        }
        match tokio::time::timeout(START_LIMIT, builder.start()).await {
            Ok(Ok(orchestrator)) => Ok(orchestrator),
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error);
                let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
                Err(format!("{error}{cause}"))
            }
            Err(_) => Err(format!("it did not start within {START_LIMIT:?}")),
        }
    }

    /// The flow, and what can be asked of a plugin after it.
    async fn go_through(&self, o: &UniversalOrchestrator, toml: &str, report: &mut Report) {
        exercise(o).await;
        let _ = o.plugins();
        let name = self.manifest.name();
        let not = |error: &PluginError| matches!(error, PluginError::NotReconfigurable);
        if let Err(error) = o.reconfigure_plugin(name, toml)
            && !not(&error)
        {
            let text = format!("it does not take the section that it was built from: {error}");
            report.add(Violation::new(Check::Reconfigure, text));
        }
        if o.reconfigure_plugin(name, &Self::with_unknown_key(toml))
            .is_ok()
        {
            let text = "it takes a section with a key that it does not know";
            report.add(Violation::new(Check::Reconfigure, text));
        }
        // What the plugin submitted by itself has its time, and then there is nothing left.
        tokio::time::sleep(END_LIMIT).await;
        let status = o.status();
        let (live, busy) = (status.tasks.active, status.agents.busy);
        if live > 0 || busy > 0 || status.agents.zombies > 0 {
            let text = format!(
                "{live} tasks are live and {busy} agents busy {END_LIMIT:?} after all that was asked for had ended"
            );
            report.add(Violation::new(Check::WorkEnds, text));
            self.end_what_is_left(o).await;
        }
    }

    async fn end_what_is_left(&self, o: &UniversalOrchestrator) {
        // Switched off, it starts nothing new; an unknown name cannot be.
        let _ = o.disable_plugin(self.manifest.name());
        settle().await;
        for task in o.tasks(&universal_orchestrator::TaskFilter::all()) {
            // Most of them are over.
            let _ = o.cancel_task(&task.id).await;
        }
    }
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Suite").field(&self.manifest).finish()
    }
}

/// Takes the place of a plugin that the one under test comes after.
struct StandIn;

impl Plugin for StandIn {}

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Says where two runs part.
fn first_difference(
    first: &[(Stage, HookPoint, String)],
    second: &[(Stage, HookPoint, String)],
) -> Option<String> {
    let describe = |call: Option<&(Stage, HookPoint, String)>| match call {
        Some((stage, point, answer)) if answer.is_empty() => format!("{stage:?} {point:?}"),
        Some((stage, point, answer)) => format!("{stage:?} {point:?}: {answer}"),
        None => "nothing".to_owned(),
    };
    let longest = first.len().max(second.len());
    let at = (0..longest).find(|at| first.get(*at) != second.get(*at))?;
    Some(format!(
        "two of it in one process part at call {}: {} and {}",
        at + 1,
        describe(first.get(at)),
        describe(second.get(at))
    ))
}
