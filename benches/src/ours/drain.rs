//! A queue that is filled and drained.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Notify;
use universal_orchestrator::{Agent, AgentError, Priority, Task, TaskContext, async_trait};

use crate::ours::{World, config, required, spec};

/// Queues tasks for in-process agents that count down.
#[derive(Debug, Clone)]
pub struct Drain {
    world: Arc<World>,
    countdown: Arc<Countdown>,
}

/// What is left of a round.
#[derive(Debug, Default)]
struct Countdown {
    left: AtomicUsize,
    sum: AtomicUsize,
    done: Notify,
}

struct Counting(Arc<Countdown>);

#[async_trait]
impl Agent for Counting {
    async fn run(&self, context: TaskContext) -> Result<Value, AgentError> {
        let number = context.payload().as_u64().expect("the payload is a number");
        self.0.sum.fetch_add(number as usize, Ordering::Relaxed);
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.done.notify_one();
        }
        Ok(context.payload().clone())
    }
}

impl Drain {
    /// Starts an orchestrator with `agents` agents and room for `tasks` tasks. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when it does not start.
    pub async fn setup(agents: usize, tasks: usize) -> Self {
        let world = World::start(config(agents, tasks)).await;
        let countdown = Arc::new(Countdown::default());
        let specs = (0..agents).map(|n| spec(n).in_process(Counting(Arc::clone(&countdown))));
        world.register(specs).await;
        Self { world, countdown }
    }

    /// Submits `tasks` tasks, spread over the priorities, and returns the time from the first submit until the last has been
    /// run.
    ///
    /// Runs in a task on the runtime, one round at a time.
    ///
    /// # Panics
    ///
    /// Panics when a task is refused, or the agents have not seen each payload once.
    pub async fn submit_drain(&self, tasks: usize) -> Duration {
        self.countdown.left.store(tasks, Ordering::Release);
        self.countdown.sum.store(0, Ordering::Release);
        let start = Instant::now();
        for number in 0..tasks {
            let task = Task::new("bench")
                .requires_set(required(number as u64))
                .priority(Priority::ALL[number % Priority::ALL.len()])
                .payload(number);
            let handle = self
                .world
                .orchestrator()
                .submit_task(task)
                .await
                .expect("the queue has room");
            // Nobody waits for a single task here; it goes on without its handle.
            drop(handle);
        }
        while self.countdown.left.load(Ordering::Acquire) > 0 {
            self.countdown.done.notified().await;
        }
        let took = start.elapsed();
        let sum = self.countdown.sum.load(Ordering::Acquire);
        assert_eq!(sum, tasks * (tasks - 1) / 2, "each payload was seen once");
        self.world.tidy();
        took
    }
}
