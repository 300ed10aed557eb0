//! apalis with its memory backend: a worker that takes tasks from a queue.

use std::convert::Infallible;
use std::sync::Arc;

use apalis::prelude::*;
use futures::SinkExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::lock::Mutex;
use tokio::sync::oneshot;

use crate::RoundTrip;

/// One call of the no-op.
#[derive(Debug)]
struct NoOp {
    input: u64,
    reply: oneshot::Sender<u64>,
}

async fn no_op(NoOp { input, reply }: NoOp) -> Result<(), Infallible> {
    // A caller that no longer waits needs no answer.
    let _ = reply.send(input);
    Ok(())
}

/// Pushes tasks to one worker with a concurrency limit.
///
/// Configuration: one worker with `concurrency(n)`, as in apalis' README. Two things differ from
/// it, both forced.
///
/// * Callers send into the backend's own channel, and not through `MemorySink`: its `start_send`
///   does `try_lock().unwrap()` on a lock that the worker takes too (apalis-core 1.0.0,
///   `backend/impls/memory.rs`), and so panics as soon as a caller meets the worker. The channel
///   is handed in by the documented `MemoryStorage::new_with`; a task gets its id as the sink
///   would give it.
/// * No `parallelize(tokio::spawn)`: a worker built with it does not compile inside
///   `tokio::spawn`. A no-op is quicker without.
#[derive(Debug, Clone)]
pub struct ApalisMemory {
    tasks: UnboundedSender<Task<NoOp>>,
}

impl ApalisMemory {
    /// Starts a worker that runs up to `concurrency` tasks at once. Runs inside the runtime.
    #[must_use]
    pub fn setup(concurrency: usize) -> Self {
        let (tasks, receiver) = unbounded();
        let sink = tasks.clone().sink_map_err(MemoryStorageError::from);
        let sink = MemorySink::new(Arc::new(Mutex::new(Box::new(sink))));
        let storage = MemoryStorage::new_with(sink, Box::pin(receiver));
        let worker = WorkerBuilder::new("no-op")
            .backend(storage)
            .concurrency(concurrency)
            .build(no_op);
        tokio::spawn(worker.run());
        Self { tasks }
    }
}

impl RoundTrip for ApalisMemory {
    async fn call(&mut self, input: u64) -> u64 {
        let (reply, answer) = oneshot::channel();
        let task = TaskBuilder::new(NoOp { input, reply })
            .task_id(TaskId::from_string(RandomId::default()))
            .build();
        self.tasks
            .unbounded_send(task)
            .expect("the worker lives as long as the runtime");
        answer.await.expect("the worker answers")
    }
}
