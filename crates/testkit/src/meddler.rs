//! A plugin that does harm where it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use universal_orchestrator::plugin::{
    GuardCall, HookContext, HookFault, HookPoint, HookSet, Observed, Plugin, PluginManifest, Shape,
    ShapeCall, Stage, Verdict,
};
use universal_orchestrator::{TaskPatch, Veto};

/// What a [`Meddler`] does at one call of a hook.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Mischief {
    /// Nothing: goes on, keeps, allows.
    Nothing,
    /// Refuses with the code `meddled`. Guards only.
    Veto,
    /// Panics.
    Panic,
    /// Says that it failed. Shapes and guards only.
    Fault,
    /// Answers never. Shapes and guards only.
    Stall,
    /// Waits on tokio's clock, then allows or keeps. Shapes and guards only.
    Wait(Duration),
    /// Blocks the thread. Any hook.
    Block(Duration),
    /// Rewrites the task. Shapes only.
    Patch(Box<TaskPatch>),
}

type Script = BTreeMap<(u8, u8), VecDeque<Mischief>>;

/// A plugin with every hook there is, that does harm by script: at each call of a hook the next mischief in line, then nothing. Clones share the script.
#[derive(Debug, Clone, Default)]
pub struct Meddler {
    script: Arc<Mutex<Script>>,
}

const EVERYTHING: HookSet = HookSet::none()
    .shape(HookPoint::Submit)
    .shape(HookPoint::Delegate)
    .shape(HookPoint::Start)
    .guard(HookPoint::Register)
    .guard(HookPoint::Submit)
    .guard(HookPoint::Delegate)
    .guard(HookPoint::Start)
    .guard(HookPoint::Retry)
    .observe_all();

impl Meddler {
    /// Name and hooks, for the builder.
    pub const MANIFEST: PluginManifest =
        PluginManifest::new("meddler", "does harm where it is told to", EVERYTHING);

    /// A meddler that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what it does at the next call of a hook that has nothing in line.
    pub fn plan(&self, stage: Stage, point: HookPoint, mischief: Mischief) {
        let mut script = self.script.lock();
        let line = script.entry((stage as u8, point as u8)).or_default();
        line.push_back(mischief);
    }

    fn next(&self, stage: Stage, point: HookPoint) -> Mischief {
        let mut script = self.script.lock();
        let line = script.get_mut(&(stage as u8, point as u8));
        line.and_then(VecDeque::pop_front)
            .unwrap_or(Mischief::Nothing)
    }
}

/// What every hook can do: the rest is left to the stage.
fn begin(mischief: &Mischief) {
    match mischief {
        Mischief::Panic => std::panic::panic_any("meddler was told to panic"),
        Mischief::Block(time) => std::thread::sleep(*time),
        _ => {}
    }
}

impl Plugin for Meddler {
    fn shape(&self, _context: &HookContext<'_>, call: &ShapeCall<'_>) -> Shape {
        let point = match call {
            ShapeCall::Submit { .. } => HookPoint::Submit,
            ShapeCall::Delegate { .. } => HookPoint::Delegate,
            _ => HookPoint::Start,
        };
        let mischief = self.next(Stage::Shape, point);
        begin(&mischief);
        match mischief {
            Mischief::Fault => Shape::Fault(HookFault::new("meddler was told to fail")),
            Mischief::Stall => Shape::later(std::future::pending()),
            Mischief::Wait(time) => Shape::later(async move {
                tokio::time::sleep(time).await;
                Ok(TaskPatch::default())
            }),
            Mischief::Patch(patch) => Shape::Patch(patch),
            _ => Shape::Keep,
        }
    }

    fn guard(&self, _context: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        let point = match call {
            GuardCall::Register { .. } => HookPoint::Register,
            GuardCall::Submit { .. } => HookPoint::Submit,
            GuardCall::Delegate { .. } => HookPoint::Delegate,
            GuardCall::Retry { .. } => HookPoint::Retry,
            _ => HookPoint::Start,
        };
        let mischief = self.next(Stage::Guard, point);
        begin(&mischief);
        match mischief {
            Mischief::Veto => Verdict::veto("meddled", "meddler was told to refuse"),
            Mischief::Fault => Verdict::Fault(HookFault::new("meddler was told to fail")),
            Mischief::Stall => Verdict::later(std::future::pending::<Result<(), Veto>>()),
            Mischief::Wait(time) => Verdict::later(async move {
                tokio::time::sleep(time).await;
                Ok(())
            }),
            _ => Verdict::Allow,
        }
    }

    fn observe(&self, _context: &HookContext<'_>, what: &Observed<'_>) {
        begin(&self.next(Stage::Observe, crate::conformance::point_of(what)));
    }
}
