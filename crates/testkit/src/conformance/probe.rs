//! Stands between the orchestrator and a plugin and writes down its calls.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use universal_orchestrator::plugin::{
    GuardCall, HealthStatus, HookContext, HookPoint, Observed, Plugin, PluginContext, PluginError,
    PluginHealth, PluginSection, Shape, ShapeCall, Stage, Verdict,
};
use universal_orchestrator::{Veto, async_trait};

use super::check::{Check, Violation};

/// A flow of a dozen tasks makes about a hundred calls; what makes so many feeds itself.
const CALLS_MAX: usize = 5_000;

/// What a plugin did.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub(super) violations: Vec<Violation>,
    /// Every call of a hook with its answer, in order.
    pub(super) trace: Vec<(Stage, HookPoint, String)>,
    pub(super) stopped: bool,
}

/// The deeds of one plugin, shared by the suite and the probe.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Deeds>>);

impl Log {
    pub(super) fn take(&self) -> Deeds {
        std::mem::take(&mut *self.0.lock())
    }

    fn blame(&self, check: Check, text: impl Into<String>) {
        self.0.lock().violations.push(Violation::new(check, text));
    }

    /// Notes a call; `false` when there were too many.
    fn calls(&self, stage: Stage, point: HookPoint) -> bool {
        let mut deeds = self.0.lock();
        if deeds.trace.len() >= CALLS_MAX {
            let text = "its hooks cause more and more calls of its hooks";
            deeds.violations.push(Violation::new(Check::WorkEnds, text));
            return false;
        }
        deeds.trace.push((stage, point, String::new()));
        true
    }

    /// Notes the answer of the latest call of a hook.
    fn answers(&self, stage: Stage, point: HookPoint, answer: impl Into<String>) {
        let mut deeds = self.0.lock();
        let call = deeds
            .trace
            .iter_mut()
            .rfind(|(s, p, _)| (*s, *p) == (stage, point));
        if let Some((_, _, text)) = call {
            *text = answer.into();
        }
    }
}

/// A plugin with its log.
pub(super) struct Probe {
    inner: Box<dyn Plugin>,
    log: Log,
    limit: Duration,
}

impl Probe {
    pub(super) fn new(inner: Box<dyn Plugin>, log: &Log, limit: Duration) -> Self {
        let log = log.clone();
        Self { inner, log, limit }
    }

    /// Calls a hook; `None` when it was called too often and is left alone.
    fn call<T>(
        &self,
        stage: Stage,
        point: HookPoint,
        hook: impl FnOnce(&dyn Plugin) -> T,
    ) -> Option<T> {
        if !self.log.calls(stage, point) {
            return None;
        }
        let begun = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| hook(self.inner.as_ref())));
        let took = begun.elapsed();
        // A panic takes its time to be printed.
        if took > self.limit && answer.is_ok() {
            let limit = self.limit;
            let text = format!("{stage:?} {point:?} took longer than {limit:?}");
            self.log.blame(Check::HookTime, text);
        }
        Some(answer.unwrap_or_else(|panic| {
            blame_panic(&self.log, stage, point, panic.as_ref());
            resume_unwind(panic)
        }))
    }

    fn waits(&self, stage: Stage, point: HookPoint) -> Waits {
        let log = self.log.clone();
        Waits {
            log,
            stage,
            point,
            answered: false,
        }
    }
}

fn blame_panic(log: &Log, stage: Stage, point: HookPoint, panic: &(dyn Any + Send)) {
    let text = format!("{stage:?} {point:?} panicked{}", text_of(panic));
    log.blame(Check::HookPanic, text);
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or_else(String::new, |text| format!(": {text}"))
}

/// Whether an identifier is lower-case words joined by `_`.
pub(super) fn is_snake_case(text: &str) -> bool {
    let word = |word: &str| {
        let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        !word.is_empty() && word.chars().all(part)
    };
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('_').all(word)
}

fn look_at_veto(log: &Log, point: HookPoint, veto: &Veto) {
    log.answers(Stage::Guard, point, format!("veto {}", veto.code));
    if !is_snake_case(&veto.code) {
        let text = format!(
            "the code {:?} of its veto at {point:?} is not lower-case words joined by `_`",
            veto.code
        );
        log.blame(Check::Veto, text);
    }
    if veto.text.trim().is_empty() {
        let text = format!("its veto {:?} at {point:?} has no text", veto.code);
        log.blame(Check::Veto, text);
    }
}

/// An answer that is waited for; dropped without one, the time limit has passed.
struct Waits {
    log: Log,
    stage: Stage,
    point: HookPoint,
    answered: bool,
}

impl Waits {
    /// Polls the plugin's future; a panic is written down and goes on.
    async fn run<T>(&mut self, mut answer: Pin<Box<dyn Future<Output = T> + Send>>) -> T {
        let answer = std::future::poll_fn(move |cx| {
            match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
                Ok(poll) => poll.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        })
        .await;
        self.answered = true;
        answer.unwrap_or_else(|panic| {
            blame_panic(&self.log, self.stage, self.point, panic.as_ref());
            resume_unwind(panic)
        })
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if !self.answered {
            let text = format!("{:?} {:?} gave no answer in time", self.stage, self.point);
            self.log.blame(Check::HookTime, text);
        }
    }
}

#[async_trait]
impl Plugin for Probe {
    async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
        self.inner.start(context).await
    }

    async fn stop(&self) {
        self.inner.stop().await;
        self.log.0.lock().stopped = true;
    }

    fn shape(&self, context: &HookContext<'_>, call: &ShapeCall<'_>) -> Shape {
        let point = match call {
            ShapeCall::Submit { .. } => HookPoint::Submit,
            ShapeCall::Delegate { .. } => HookPoint::Delegate,
            _ => HookPoint::Start,
        };
        let answer = self.call(Stage::Shape, point, |p| p.shape(context, call));
        match answer.unwrap_or(Shape::Keep) {
            Shape::Keep => Shape::Keep,
            Shape::Patch(patch) => {
                self.log.answers(Stage::Shape, point, "patch");
                Shape::Patch(patch)
            }
            Shape::Fault(fault) => {
                let text = format!("Shape {point:?} answered a fault: {fault}");
                self.log.blame(Check::HookFault, text);
                Shape::Fault(fault)
            }
            Shape::Later(answer) => {
                let mut waits = self.waits(Stage::Shape, point);
                Shape::later(async move {
                    let answer = waits.run(answer).await;
                    match &answer {
                        Ok(_) => waits.log.answers(Stage::Shape, point, "patch"),
                        Err(fault) => {
                            let text = format!("Shape {point:?} answered a fault: {fault}");
                            waits.log.blame(Check::HookFault, text);
                        }
                    }
                    answer
                })
            }
        }
    }

    fn guard(&self, context: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        let point = match call {
            GuardCall::Register { .. } => HookPoint::Register,
            GuardCall::Submit { .. } => HookPoint::Submit,
            GuardCall::Delegate { .. } => HookPoint::Delegate,
            GuardCall::Retry { .. } => HookPoint::Retry,
            _ => HookPoint::Start,
        };
        let answer = self.call(Stage::Guard, point, |p| p.guard(context, call));
        match answer.unwrap_or(Verdict::Allow) {
            Verdict::Allow => Verdict::Allow,
            Verdict::Veto(veto) => {
                look_at_veto(&self.log, point, &veto);
                Verdict::Veto(veto)
            }
            Verdict::Fault(fault) => {
                let text = format!("Guard {point:?} answered a fault: {fault}");
                self.log.blame(Check::HookFault, text);
                Verdict::Fault(fault)
            }
            Verdict::Later(answer) => {
                let mut waits = self.waits(Stage::Guard, point);
                Verdict::later(async move {
                    let answer = waits.run(answer).await;
                    if let Err(veto) = &answer {
                        look_at_veto(&waits.log, point, veto);
                    }
                    answer
                })
            }
        }
    }

    fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
        self.call(Stage::Observe, point_of(what), |p| p.observe(context, what));
    }

    fn health(&self) -> PluginHealth {
        let health = catch_unwind(AssertUnwindSafe(|| self.inner.health()));
        let health = health.unwrap_or_else(|panic| {
            let text = format!("health panicked{}", text_of(panic.as_ref()));
            self.log.blame(Check::Health, text);
            resume_unwind(panic)
        });
        let says_why = health.detail.as_deref().is_some_and(|why| !why.is_empty());
        if health.status != HealthStatus::Healthy && !says_why {
            let text = format!("it is {:?} and does not say why", health.status);
            self.log.blame(Check::Health, text);
        }
        health
    }

    fn reconfigure(&self, section: &PluginSection) -> Result<(), PluginError> {
        let done = catch_unwind(AssertUnwindSafe(|| self.inner.reconfigure(section)));
        done.unwrap_or_else(|panic| {
            let text = format!("reconfigure panicked{}", text_of(panic.as_ref()));
            self.log.blame(Check::Reconfigure, text);
            resume_unwind(panic)
        })
    }
}

/// The point of an observation.
pub(crate) fn point_of(what: &Observed<'_>) -> HookPoint {
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
        _ => HookPoint::Shutdown,
    }
}
