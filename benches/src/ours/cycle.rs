//! The control plane alone: delegate and complete.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use universal_orchestrator::{AgentSpec, Delegation, Task};

use crate::ours::{World, required};

/// Delegates and completes on external agents, of which a quarter have a task at any time.
#[derive(Debug)]
pub struct Cycle {
    world: Arc<World>,
    in_flight: VecDeque<Delegation>,
    next: u64,
}

impl Cycle {
    /// Registers `agents` agents and gives a quarter of them a task.
    ///
    /// # Panics
    ///
    /// Panics when an agent or a task is refused.
    pub async fn with_agents(
        world: Arc<World>,
        agents: usize,
        spec: impl Fn(usize) -> AgentSpec,
    ) -> Self {
        world.register((0..agents).map(spec)).await;
        let mut cycle = Self {
            world,
            in_flight: VecDeque::with_capacity(agents / 4 + 1),
            next: 0,
        };
        for _ in 0..agents / 4 {
            cycle.delegate().await;
        }
        cycle
    }

    /// Where it runs.
    #[must_use]
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    async fn delegate(&mut self) {
        let number = self.next;
        self.next += 1;
        let task = Task::new("bench")
            .requires_set(required(number))
            .payload(number);
        let delegation = self
            .world
            .orchestrator()
            .delegate_task(task)
            .await
            .expect("an agent is free");
        self.in_flight.push_back(delegation);
    }

    /// Delegates one task and completes the one that has been in flight for longest.
    ///
    /// # Panics
    ///
    /// Panics when the task or the report is refused.
    pub async fn step(&mut self) {
        self.delegate().await;
        if let Some(oldest) = self.in_flight.pop_front() {
            self.world
                .orchestrator()
                .complete_task(&oldest, self.next)
                .await
                .expect("the report names the current attempt");
        }
    }

    /// Makes `steps` steps, returns the time that they took, and tidies up after it.
    ///
    /// # Panics
    ///
    /// Panics when a step does, or the orchestrator has not counted every completion as a success.
    pub async fn run(&mut self, steps: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..steps {
            self.step().await;
        }
        let took = start.elapsed();
        let tasks = self.world.orchestrator().status().tasks;
        assert_eq!(
            tasks.succeeded + self.in_flight.len() as u64,
            self.next,
            "every task was completed or is in flight"
        );
        self.world.tidy();
        took
    }
}

/// Runs a cycle's steps in a task on the runtime, and puts the cycle back.
///
/// # Panics
///
/// Panics when a step does, or there is no cycle.
pub fn run_on(rt: &Runtime, cycle: &mut Option<Cycle>, steps: u64) -> Duration {
    let mut taken = cycle.take().expect("the last sample put it back");
    let (took, taken) = rt
        .block_on(rt.spawn(async move { (taken.run(steps).await, taken) }))
        .expect("a step must not panic");
    *cycle = Some(taken);
    took
}
