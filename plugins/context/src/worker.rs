//! What hooks hand over, done in order by one task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use universal_orchestrator::{CancellationToken, TaskOutcome, Value};

use crate::engine::Engine;
use crate::fragment::{FragmentRole, NewFragment};
use crate::metrics::Lost;
use crate::session::SessionId;
use crate::store::CreateError;

/// Something to do outside of a hook.
#[derive(Debug)]
pub(crate) enum Job {
    /// A task of a session ended.
    Ended {
        session: SessionId,
        outcome: TaskOutcome,
    },
    /// A session was named, or the configuration says so: the vocabulary will be needed.
    Load,
    /// Time to look for what is too old.
    Sweep,
    /// Tell when everything before it is done.
    Reached(oneshot::Sender<()>),
}

/// The way to the task that works, and the task.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    sender: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    stop: CancellationToken,
    /// Ends of tasks that are on their way into the store.
    pending: Arc<AtomicU64>,
}

impl Worker {
    pub(crate) fn start(&self, engine: &Arc<Engine>) {
        let (sender, receiver) = mpsc::channel(engine.config().pending_max);
        *self.sender.lock() = Some(sender);
        let work = work(
            Arc::clone(engine),
            receiver,
            self.stop.clone(),
            Arc::clone(&self.pending),
        );
        *self.task.lock() = Some(tokio::spawn(work));
    }

    /// Ends the task after what it is at.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.sender.lock().take();
        let task = self.task.lock().take();
        if let Some(task) = task {
            // It ends by itself; only a panic in it could bring an error, and that was reported.
            let _ = task.await;
        }
    }

    /// Hands a job over; `false` when too many wait, or nothing works.
    pub(crate) fn send(&self, job: Job) -> bool {
        let is_end = matches!(job, Job::Ended { .. });
        let sender = self.sender.lock().clone();
        let Some(sender) = sender else {
            return false;
        };
        if is_end {
            self.pending.fetch_add(1, Ordering::AcqRel);
        }
        let sent = sender.try_send(job).is_ok();
        if is_end && !sent {
            self.pending.fetch_sub(1, Ordering::AcqRel);
        }
        sent
    }

    /// Resolves when all ends of tasks handed over so far are in the store; `None` when they are already.
    pub(crate) fn settled(&self) -> Option<oneshot::Receiver<()>> {
        if self.pending.load(Ordering::Acquire) == 0 {
            return None;
        }
        let (told, wait) = oneshot::channel();
        self.send(Job::Reached(told)).then_some(wait)
    }
}

async fn work(
    engine: Arc<Engine>,
    mut jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
    pending: Arc<AtomicU64>,
) {
    loop {
        let job = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            job = jobs.recv() => job,
        };
        match job {
            None => return,
            Some(Job::Ended { session, outcome }) => {
                store(&engine, &session, &outcome).await;
                pending.fetch_sub(1, Ordering::AcqRel);
            }
            // `None` when the runtime ends: then nothing needs it.
            Some(Job::Load) => drop(engine.aside(|_| ()).await),
            Some(Job::Sweep) => {
                let sweep = |engine: &Engine| {
                    let config = engine.config();
                    engine.store.sweep(&config);
                    engine.empty_windows_of_sleepers();
                    if let Some(metrics) = engine.metrics.get() {
                        metrics.store(&engine.store.stats(0));
                    }
                };
                sweep(&engine);
            }
            // Whoever waited may have given up.
            Some(Job::Reached(told)) => drop(told.send(())),
        }
    }
}

/// Makes a fragment of what a task produced, or of why it failed.
async fn store(engine: &Arc<Engine>, session: &SessionId, outcome: &TaskOutcome) {
    let config = engine.config();
    if !engine.store.exists(session) {
        if !config.open_sessions {
            engine.lost(Lost::Session);
            return;
        }
        match engine.store.create(session, &config) {
            Ok(()) | Err(CreateError::Exists { .. }) => {}
            Err(error) => {
                tracing::warn!(error = %error, "the result of a task is not stored");
                engine.lost(Lost::Session);
                return;
            }
        }
    }
    let Some(fragment) = fragment_of(outcome) else {
        return;
    };
    if let Err(refusal) = engine.add(session, &Arc::new(fragment)).await {
        tracing::warn!(error = %refusal, task = %outcome.task(), "the result of a task is not stored");
        engine.lost(Lost::Result);
    }
}

/// Failures are shown up to here.
const FAILURE_CHARS_MAX: usize = 500;

fn fragment_of(outcome: &TaskOutcome) -> Option<NewFragment> {
    let fragment = match (outcome.failure(), outcome.result()) {
        (Some(failure), _) => {
            let mut text = format!(
                "task {} of type {} failed: {failure}",
                outcome.task(),
                outcome.task_type()
            );
            if let Some((end, _)) = text.char_indices().nth(FAILURE_CHARS_MAX) {
                text.truncate(end);
                text.push_str("\n[...] the rest of the failure dropped");
            }
            NewFragment::new(text).role(FragmentRole::Failure)
        }
        (None, Value::Null) => return None,
        (None, Value::String(text)) => NewFragment::new(text).role(FragmentRole::Result),
        (None, value) => NewFragment::new(value.to_string()).role(FragmentRole::Result),
    };
    let fragment = match outcome.agent() {
        Some(agent) => fragment.agent(agent.clone()),
        None => fragment,
    };
    Some(fragment.task(outcome.task().clone()))
}
