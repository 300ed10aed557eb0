//! The conformance suite itself: good plugins pass, whatever they refuse or rewrite, and for each check a bad plugin fails that check and no other.

#![expect(clippy::panic, reason = "plugins that panic are what is tested")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]
#![expect(
    clippy::disallowed_methods,
    reason = "bad plugins spawn what nobody stops"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use universal_orchestrator::plugin::{
    GuardCall, HealthStatus, HookContext, HookFault, HookPoint, HookSet, Observed, Plugin,
    PluginContext, PluginDescriptor, PluginError, PluginHealth, PluginManifest, PluginSection,
    Stage, Verdict,
};
use universal_orchestrator::{Principal, RetryPolicy, Task, TaskPatch, async_trait};
use universal_orchestrator_testkit::conformance::{Check, Report, Suite};
use universal_orchestrator_testkit::{Meddler, Mischief};

/// Reads a section in which only `limit` is known.
fn read(section: &PluginSection) -> Result<BTreeMap<Known, u64>, PluginError> {
    section.parse()
}

#[derive(Debug, serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Known {
    Limit,
}

struct Null;

impl Plugin for Null {}

static NULL: PluginDescriptor = PluginDescriptor::new(
    PluginManifest::new("null", "does nothing", HookSet::none()).example("limit = 1"),
    |section| read(section).map(|_| Box::new(Null) as Box<dyn Plugin>),
);

static TWICE: PluginDescriptor = PluginDescriptor::new(
    PluginManifest::new("twice", "is linked twice", HookSet::none()),
    |section| read(section).map(|_| Box::new(Null) as Box<dyn Plugin>),
);

universal_orchestrator::register_plugin!(NULL);
universal_orchestrator::register_plugin!(TWICE);
universal_orchestrator::register_plugin!(TWICE);

#[tokio::test(start_paused = true)]
async fn a_null_plugin_conforms() {
    let report = Suite::of(&NULL).linked().run().await;
    report.assert_conforms();
    assert_eq!((report.failed(), report.not_called()), (vec![], &[][..]));
    assert_eq!(report.to_string(), "plugin \"null\" conforms");
}

/// Meddles in the first call of one hook, in each of its instances.
async fn meddle(stage: Stage, point: HookPoint, mischief: Mischief) -> Report {
    let suite = Suite::new(Meddler::MANIFEST, move |section| {
        let meddler = Meddler::new();
        meddler.plan(stage, point, mischief.clone());
        read(section).map(|_| Box::new(meddler) as Box<dyn Plugin>)
    });
    suite.hook_limit(Duration::from_millis(100)).run().await
}

#[tokio::test(start_paused = true)]
async fn the_flow_reaches_every_hook_and_what_does_nothing_in_them_conforms() {
    let report = meddle(Stage::Guard, HookPoint::Submit, Mischief::Nothing).await;
    report.assert_conforms();
    assert_eq!(
        report.not_called(),
        [],
        "hooks that the flow does not reach"
    );
}

#[tokio::test(start_paused = true)]
async fn vetoes_and_patches_conform_and_what_they_keep_from_being_reached_is_told() {
    for (stage, point) in Meddler::MANIFEST.hooks().iter() {
        let mischief = match stage {
            Stage::Guard => Mischief::Veto,
            Stage::Shape => Mischief::Patch(Box::new(TaskPatch {
                payload: Some("rewritten".into()),
                ..TaskPatch::default()
            })),
            Stage::Observe => continue,
        };
        meddle(stage, point, mischief).await.assert_conforms();
    }
    let report = Suite::new(Meddler::MANIFEST, |section| {
        let meddler = Meddler::new();
        for _ in 0..100 {
            meddler.plan(Stage::Guard, HookPoint::Register, Mischief::Veto);
        }
        read(section).map(|_| Box::new(meddler) as Box<dyn Plugin>)
    });
    let report = report.run().await;
    report.assert_conforms();
    assert!(
        report
            .not_called()
            .contains(&(Stage::Observe, HookPoint::Complete)),
        "{:?}",
        report.not_called()
    );
}

#[tokio::test(start_paused = true)]
async fn harm_at_any_hook_is_found_and_named() {
    let too_long = Duration::from_millis(110);
    for (stage, point) in Meddler::MANIFEST.hooks().iter() {
        for (mischief, check) in [
            (Mischief::Panic, Check::HookPanic),
            (Mischief::Block(too_long), Check::HookTime),
            (Mischief::Fault, Check::HookFault),
            (Mischief::Stall, Check::HookTime),
            (Mischief::Wait(too_long), Check::HookTime),
        ] {
            let answers = matches!(mischief, Mischief::Panic | Mischief::Block(_));
            if stage == Stage::Observe && !answers {
                continue;
            }
            let what = format!("{stage:?} {point:?} {mischief:?}");
            let report = meddle(stage, point, mischief).await;
            assert_eq!(report.failed(), [check], "{what}: {report}");
            let named = format!("{stage:?} {point:?}");
            let text = &report.violations()[0].text;
            assert!(text.starts_with(&named), "{what}: {text}");
        }
    }
}

/// Does not keep what one check looks at.
struct Bad(Check, &'static str);

/// Those of its kind that were started in this process.
static STARTED: AtomicU32 = AtomicU32::new(0);

#[async_trait]
impl Plugin for Bad {
    async fn start(&self, _: PluginContext) -> Result<(), PluginError> {
        match (self.0, self.1) {
            (Check::Start, "error") => return Err(PluginError::failed("it is Monday")),
            (Check::Start, "panic") => panic!("it is Monday"),
            (Check::Start, _) => std::future::pending().await,
            (Check::Isolation, _) => drop(STARTED.fetch_add(1, Ordering::SeqCst)),
            (Check::TasksLeft, _) => drop(tokio::spawn(std::future::pending::<()>())),
            _ => {}
        }
        Ok(())
    }

    async fn stop(&self) {
        match (self.0, self.1) {
            (Check::Stop, "panic") => panic!("it is Friday"),
            (Check::Stop, _) => std::future::pending().await,
            _ => {}
        }
    }

    fn guard(&self, _: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        let GuardCall::Submit { task } = call else {
            return Verdict::Allow;
        };
        match (self.0, self.1) {
            (Check::HookPanic, "later") => Verdict::later(async { panic!("it is late") }),
            (Check::HookPanic, _) => panic!("it is early"),
            (Check::HookFault, _) => Verdict::Fault(HookFault::new("cannot")),
            (Check::HookTime, _) => Verdict::later(std::future::pending()),
            (Check::Veto, "code") => Verdict::veto("No!", "not today"),
            (Check::Veto, _) => Verdict::veto("not_today", " "),
            (Check::Isolation, _) if STARTED.load(Ordering::SeqCst).is_multiple_of(2) => {
                // What the first one saw stands in the way of the second.
                static SEEN: AtomicU32 = AtomicU32::new(0);
                match SEEN.fetch_add(1, Ordering::SeqCst) {
                    0..5 => Verdict::Allow,
                    _ => Verdict::veto("seen_enough", task.id().to_string()),
                }
            }
            _ => Verdict::Allow,
        }
    }

    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        let (Check::WorkEnds, Observed::Completed { task, .. }) = (self.0, what) else {
            return;
        };
        let again = match self.1 {
            "feeds itself" => Task::new("again").requires(["here"]),
            "feeds itself at once" => {
                let again = Task::new("again").requires(["here"]);
                again.retry(RetryPolicy::immediate(2))
            }
            _ if task.task().task_type().unwrap().as_str() == "conformance" => {
                Task::new("later").delay(Duration::from_secs(86_400))
            }
            _ => return,
        };
        let principal = Principal::new("bad").unwrap();
        // A full queue ends the chain as well.
        let _ = context.control.submit(again, &principal);
    }

    fn health(&self) -> PluginHealth {
        match (self.0, self.1) {
            (Check::Health, "panic") => panic!("it is ill"),
            (Check::Health, _) => PluginHealth::of(HealthStatus::Degraded, ""),
            _ => PluginHealth::healthy(),
        }
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        match (self.0, self.1) {
            (Check::Reconfigure, "panic") => panic!("it is stubborn"),
            (Check::Reconfigure, "refuses its own") => Err(PluginError::failed("no")),
            (Check::Reconfigure, _) => Ok(()),
            _ => read(section).map(drop),
        }
    }
}

const HOOKS: HookSet = HookSet::none()
    .guard(HookPoint::Submit)
    .observe(HookPoint::Complete);

/// The bad plugins of a check: at least one each, by what they do.
fn ways(check: Check) -> &'static [&'static str] {
    match check {
        Check::Manifest => &["Bad-Name", "_bad", "bad__name", "1st"],
        Check::Start => &["error", "panic", "hangs"],
        Check::HookPanic => &["at once", "later"],
        Check::Veto => &["code", "text"],
        Check::Health => &["panic", "no reason"],
        Check::Reconfigure => &["panic", "refuses its own", "takes anything"],
        Check::UnknownKey => &["takes it", "does not name it"],
        Check::WorkEnds => &["feeds itself", "feeds itself at once", "leaves a task"],
        Check::Stop => &["panic", "hangs"],
        _ => &["the one way"],
    }
}

fn suite_of(check: Check, way: &'static str) -> Suite {
    let name = if check == Check::Manifest { way } else { "bad" };
    let example = match check {
        Check::Example => "limit = \"five\"",
        _ => "limit = 5",
    };
    let manifest = PluginManifest::new(name, "keeps all but one thing", HOOKS).example(example);
    let suite = Suite::new(manifest, move |section| {
        match (check, way) {
            (Check::UnknownKey, "takes it") => {}
            (Check::UnknownKey, _) => {
                read(section).map_err(|_| PluginError::failed("something is wrong"))?;
            }
            (Check::Defaults, _) if section.is_empty() => {
                return Err(PluginError::failed("limit is missing"));
            }
            _ => drop(read(section)?),
        }
        Ok(Box::new(Bad(check, way)))
    });
    // Long, so that a machine that is busy with something else is not blamed on the plugin.
    let suite = suite.hook_limit(Duration::from_secs(2));
    match check {
        Check::Linked => suite.linked(),
        _ => suite,
    }
}

#[tokio::test(start_paused = true)]
async fn each_check_fails_for_a_plugin_that_does_not_keep_it_and_no_other_does() {
    for check in Check::ALL {
        for way in ways(check) {
            let report = suite_of(check, way).run().await;
            assert_eq!(report.failed(), [check], "{check:?} {way}: {report}");
            let panicked = std::panic::catch_unwind(|| report.assert_conforms());
            assert!(panicked.is_err(), "{check:?} {way}");
            assert!(report.to_string().contains(&format!("\n  {check:?}: ")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_is_linked_exactly_once() {
    let report = Suite::of(&TWICE).linked().run().await;
    assert_eq!(report.failed(), [Check::Linked], "{report}");
    assert!(report.to_string().contains("linked 2 times"), "{report}");
    Suite::of(&TWICE).run().await.assert_conforms();
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_comes_after_another_is_checked_without_it() {
    let manifest = PluginManifest::new("second", "comes after the first", HookSet::none());
    let suite = Suite::new(manifest.after(&["first"]), |section| {
        read(section).map(|_| Box::new(Null) as Box<dyn Plugin>)
    });
    suite.run().await.assert_conforms();
}
