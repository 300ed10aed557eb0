//! Runs attempts of in-process agents.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use serde_json::Value;

use crate::agent::{AgentError, TaskContext};
use crate::engine::{Launch, Phase, Report, RunEnd, Signal};
use crate::orchestrator::hooks::refusal_failure;
use crate::orchestrator::shared::Shared;
use crate::plugin::{HeldCommands, HookPoint, panic_message};
use crate::task::{
    BoundsExceeded, FailureKind, Refusal, TaskEvent, TaskFailure, TaskOutcome, bounded,
};

type Ended = Result<Result<Value, AgentError>, Box<dyn std::any::Any + Send>>;
type Work = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// An attempt at work. Dropped before its end, it gives its slot back and its task is lost or waits again.
pub(crate) struct Run {
    shared: Arc<Shared>,
    launch: Launch,
    begun: bool,
    ended: bool,
}

/// What the first poll of an agent's future brought.
pub(crate) enum First {
    /// The task is over.
    Over(TaskOutcome),
    /// The task goes on elsewhere: retried, vetoed, or ended by somebody else.
    Elsewhere(Option<Arc<Signal>>),
    /// The agent is at work. In a box: what ends at its first poll does not move it around.
    AtWork(Box<(Run, AtWork)>),
}

/// The rest of an agent's future.
pub(crate) struct AtWork(Work);

impl Drop for Run {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if !self.begun {
            // Only a runtime that is gone drops what it has never polled. Another attempt would fare no better.
            self.shared.end_with_runtime();
        }
        let launch = &self.launch;
        self.shared.with_engine(|e, now| match launch.phase {
            Phase::Running => {
                e.run_dropped(launch.task, launch.agent, launch.delegation.attempt(), now)
            }
            Phase::Reserved | Phase::Assigned => e.unbind(launch, now),
        });
    }
}

impl Run {
    pub(crate) fn new(shared: Arc<Shared>, launch: Launch) -> Self {
        Self {
            shared,
            launch,
            begun: false,
            ended: false,
        }
    }

    /// Asks the hooks that have not been asked and commits; `false` when the attempt does not take place.
    async fn prepare(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        if self.launch.phase == Phase::Reserved {
            let mut commands = HeldCommands::default();
            if shared.plugins.decides(HookPoint::Delegate) {
                match shared.ask_delegate(&self.launch).await {
                    Ok(answer) => (self.launch.record, commands) = answer,
                    Err(refusal) => return self.reject(&refusal),
                }
            }
            let launch = &mut self.launch;
            let committed = shared.with_engine(|e, now| {
                e.still_eligible(launch, now) && e.commit_assign(launch, now)
            });
            if !committed {
                return false;
            }
            commands.release();
        }
        if self.launch.phase == Phase::Assigned {
            let mut commands = HeldCommands::default();
            if shared.plugins.decides(HookPoint::Start) {
                match shared.ask_start(&self.launch).await {
                    Ok(answer) => (self.launch.record, commands) = answer,
                    Err(refusal) => return self.reject(&refusal),
                }
            }
            let launch = &mut self.launch;
            if !shared.with_engine(|e, now| e.commit_start(launch, now)) {
                return false;
            }
            commands.release();
        }
        self.launch.cell.is_some()
    }

    /// A hook refused a task that had been accepted.
    fn reject(&mut self, refusal: &Refusal) -> bool {
        self.ended = true;
        let failure = refusal_failure(refusal);
        let launch = &self.launch;
        self.shared.with_engine(|e, now| {
            if e.is_current(launch) {
                e.finish(launch.task, TaskEvent::Reject, None, Some(failure), now);
            }
        });
        false
    }

    /// Begins the agent's work and polls it once: work that needs no waiting ends here, without a task of its own.
    pub(crate) async fn begin(mut self) -> (First, Option<Launch>) {
        self.begun = true;
        if self.launch.phase != Phase::Running && !self.prepare().await {
            return (First::Elsewhere(None), None);
        }
        let (Some(agent), Some(cell)) = (self.launch.runs.clone(), self.launch.cell.clone()) else {
            return (First::Elsewhere(None), None);
        };
        let context = TaskContext::new(cell);
        let span = tracing::info_span!(
            "task.run",
            task = %self.launch.delegation.task(),
            agent = %self.launch.delegation.agent(),
            attempt = self.launch.delegation.attempt(),
        );
        let run = async move { agent.run(context).await };
        let mut work: Work = if span.is_disabled() {
            Box::pin(AssertUnwindSafe(run).catch_unwind())
        } else {
            Box::pin(AssertUnwindSafe(tracing::Instrument::instrument(run, span)).catch_unwind())
        };
        let first = std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
        match first {
            Poll::Pending => (First::AtWork(Box::new((self, AtWork(work)))), None),
            Poll::Ready(ended) => {
                drop(work);
                self.end(ended)
            }
        }
    }

    /// Waits for the rest of the work, or for the end of the grace after a cancellation.
    pub(crate) async fn go_on(self, AtWork(mut work): AtWork) -> (First, Option<Launch>) {
        let Some(cell) = self.launch.cell.clone() else {
            return (First::Elsewhere(None), None);
        };
        tokio::select! {
            biased;
            ended = &mut work => {
                drop(work);
                self.end(ended)
            }
            () = cell.abort_token().cancelled() => {
                // The future is dropped first, so that the slot is free only when nothing runs any more.
                drop(work);
                drop(self);
                (First::Elsewhere(None), None)
            }
        }
    }

    /// Reports how the attempt ended; hands on the next attempt for this slot.
    fn end(mut self, ended: Ended) -> (First, Option<Launch>) {
        self.ended = true;
        let report = self.report_of(ended);
        let (task, agent, attempt) = (
            self.launch.task,
            self.launch.agent,
            self.launch.delegation.attempt(),
        );
        let (first, next) = self.shared.with_engine_and_run(|e, now| {
            match e.run_ended(task, agent, attempt, report, now) {
                RunEnd::Over(outcome) => First::Over(outcome),
                RunEnd::GoesOn => First::Elsewhere(e.signal(task)),
                RunEnd::WasOver => match self.launch.cell.as_ref().and_then(|c| c.outcome()) {
                    Some(outcome) => First::Over(outcome.clone()),
                    None => First::Elsewhere(None),
                },
            }
        });
        (first, next)
    }

    fn report_of(&self, ended: Ended) -> Report {
        let limits = &self.shared.config.tasks;
        match ended {
            Ok(Ok(value)) => {
                match bounded(value, limits.result_bytes_max, limits.payload_depth_max) {
                    Ok(value) => Report::Done(value),
                    Err(exceeded) => Report::Failed(TaskFailure::new(
                        FailureKind::ResultRefused,
                        match exceeded {
                            BoundsExceeded::Bytes(bytes) => format!(
                                "result has at least {bytes} bytes of JSON, the limit tasks.result_bytes_max is {}: return a reference to the data instead",
                                limits.result_bytes_max
                            ),
                            BoundsExceeded::Depth => format!(
                                "result is nested deeper than tasks.payload_depth_max {}: flatten it",
                                limits.payload_depth_max
                            ),
                        },
                    )),
                }
            }
            Ok(Err(error)) => Report::Failed(error.into_failure()),
            Err(panic) => Report::Failed(TaskFailure::new(
                FailureKind::Panicked,
                panic_message(panic.as_ref()).unwrap_or("the agent gave no text"),
            )),
        }
    }

    pub(crate) fn outcome_from_outside(&self) -> Option<TaskOutcome> {
        self.launch.cell.as_ref()?.outcome().cloned()
    }
}

/// Attempts in a row before the runtime gets a chance to run something else.
const ATTEMPTS_PER_YIELD: u32 = 32;

/// Runs an attempt, made before it is spawned so that it gives its slot back even unpolled, and then whatever the freed slot brings, until there is nothing.
pub(crate) async fn drive(run: Run) {
    let shared = Arc::clone(&run.shared);
    let mut next = Some(run);
    let mut in_a_row = 0;
    while let Some(run) = next.take() {
        let (first, mut found) = run.begin().await;
        if let First::AtWork(at_work) = first {
            let (run, work) = *at_work;
            found = run.go_on(work).await.1;
        }
        next = found.map(|launch| Run::new(Arc::clone(&shared), launch));
        in_a_row += 1;
        if in_a_row % ATTEMPTS_PER_YIELD == 0 {
            tokio::task::yield_now().await;
        }
    }
}
