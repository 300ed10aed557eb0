//! What hooks hand over, done in order by one task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
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
}

/// The way to the task that works, and the task.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    sender: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    stop: CancellationToken,
    /// Jobs handed over so far.
    sent: AtomicU64,
    /// Jobs done so far.
    done: watch::Sender<u64>,
}

impl Worker {
    pub(crate) fn start(&self, engine: &Arc<Engine>) {
        let (sender, receiver) = mpsc::channel(engine.config().pending_max);
        *self.sender.lock() = Some(sender);
        let done = self.done.clone();
        let work = work(Arc::clone(engine), receiver, self.stop.clone(), done);
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
        let sender = self.sender.lock();
        let sent = sender
            .as_ref()
            .is_some_and(|sender| sender.try_send(job).is_ok());
        if sent {
            // Under the lock, so that who reads it has seen all that was sent before.
            self.sent.fetch_add(1, Ordering::AcqRel);
        }
        sent
    }

    /// Resolves when all that was handed over so far is done, or nothing works any more; `None` when it is done already.
    pub(crate) fn settled(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let target = self.sent.load(Ordering::Acquire);
        let mut done = self.done.subscribe();
        if *done.borrow() >= target {
            return None;
        }
        Some(async move {
            // An error says that nothing works any more, and then nothing is to be waited for.
            let _ = done.wait_for(|done| *done >= target).await;
        })
    }
}

async fn work(
    engine: Arc<Engine>,
    mut jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
    done: watch::Sender<u64>,
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
        }
        done.send_modify(|done| *done += 1);
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
