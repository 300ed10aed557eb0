//! What holds for any planner, any deadline, and whenever a run is cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryFutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use universal_orchestrator::{
    AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, agent_fn,
};
use universal_orchestrator_patterns::{
    Adaptive, Assignment, Fallback, NamedStep, OrchestrationContext, Parallel, Quorum, Race,
    Sequential, SharedStep, Specialist, Step as _, StepContext, StepFailure, WaveLimits,
    WavePlanner, Waves,
};

use crate::common::{Behaviour, after, attempt, context, orchestrator};

/// Asks whatever a list says, over and over, with keys new or old.
struct Any {
    script: Vec<Vec<u8>>,
    confidence: f64,
    step: SharedStep<u32, u32>,
}

impl WavePlanner for Any {
    type Start = u32;
    type Input = u32;
    type Output = u32;

    fn next(&self, start: &u32, found: &[NamedStep<u32>]) -> Vec<Assignment<u32, u32>> {
        let Some(keys) = self.script.get(found.len() % self.script.len().max(1)) else {
            return Vec::new();
        };
        // Half of the keys are new ones for ever.
        let key = |k: &u8| {
            if k.is_multiple_of(2) {
                k.to_string()
            } else {
                format!("{k}/{}", found.len())
            }
        };
        keys.iter()
            .map(|k| Assignment::new(key(k), Arc::clone(&self.step), *start))
            .collect()
    }

    fn confidence(&self, _: &[NamedStep<u32>]) -> f64 {
        self.confidence
    }
}

fn block_on<R>(work: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn waves_terminate_whatever_the_planner_asks(
        script in vec(vec(any::<u8>(), 0..6), 0..5),
        confidence in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), -1.0..2.0],
        waves_max in 0_usize..6,
        steps_max in 0_usize..20,
        at_most in 0_usize..4,
    ) {
        let limits = WaveLimits { confidence: 0.8, waves_max, steps_max, at_most };
        block_on(async {
            let o = orchestrator().await;
            let planner = Any { script, confidence, step: Arc::new(after("x", 5, 1)) };
            let report = Waves::new("any", planner).limits(limits).report(&context(&o), 1).await;
            assert!(report.decisions().len() <= waves_max);
            assert!(report.steps().len() <= steps_max);
            let mut keys: Vec<_> = report.steps().iter().map(NamedStep::name).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), report.steps().len(), "each key is asked once");
            o.shutdown().await;
        });
    }

    #[test]
    fn a_deadline_fires_within_one_tick(
        times in vec(0_u64..2_000, 1..8),
        deadline_ms in 0_u64..2_000,
        at_most in 1_usize..4,
    ) {
        block_on(async {
            let o = orchestrator().await;
            let root = context(&o);
            let within = || root.child().deadline_in(Duration::from_millis(deadline_ms)).build().unwrap();
            let mut parallel = Parallel::new("p").at_most(at_most);
            let mut sequential = Sequential::new("s");
            for (n, ms) in times.iter().enumerate() {
                parallel = parallel.step(after(&n.to_string(), *ms, 1));
                sequential = sequential.step(after(&n.to_string(), *ms, 1));
            }
            let reports = [parallel.report(&within(), 1).await, sequential.report(&within(), 1).await];
            for report in reports {
                assert!(report.duration() <= Duration::from_millis(deadline_ms + 1), "{:?}", report.duration());
                let whole = report.is_complete();
                assert_eq!(whole, report.stopped().is_none(), "{:?} {:?}", report.stopped(), report.missing());
            }
            o.shutdown().await;
        });
    }
}

/// What one step of a run that is cancelled does.
#[derive(Debug, Clone, Copy)]
struct Plan {
    is_agent: bool,
    behaviour: Behaviour,
    ms: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let behaviour = prop_oneof![
        Just(Behaviour::Healthy),
        Just(Behaviour::Failing),
        Just(Behaviour::Slow),
        Just(Behaviour::Hanging),
    ];
    (any::<bool>(), behaviour, 0_u64..50).prop_map(|(is_agent, behaviour, ms)| Plan {
        is_agent,
        behaviour,
        ms,
    })
}

/// The step, and how many of its calls are at work.
async fn step(
    o: &UniversalOrchestrator,
    name: &str,
    plan: Plan,
    at_work: &Arc<AtomicUsize>,
) -> Specialist<u32, u32> {
    let at_work = Arc::clone(at_work);
    let work = move || {
        let at_work = AtWork::new(&at_work);
        async move {
            let _at_work = at_work;
            tokio::time::sleep(Duration::from_millis(plan.ms)).await;
            attempt(plan.behaviour, &AtomicU32::new(0)).await
        }
    };
    if !plan.is_agent {
        return Specialist::function(name, move |_: u32, _: StepContext| {
            work().map_err(StepFailure::permanent)
        });
    }
    let agent = agent_fn(move |_: u32, _: TaskContext| work().map_err(AgentError::permanent));
    let spec = AgentSpec::new(name, AgentRole::Specialist).capabilities([name]);
    o.register_agent(spec.in_process(agent)).await.unwrap();
    Specialist::agent(name, Task::new(name).requires([name]))
}

/// Counts itself while it lives.
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs the plans by one of the strategies.
async fn run(strategy: usize, context: &OrchestrationContext, steps: Vec<Specialist<u32, u32>>) {
    let steps = steps.into_iter();
    match strategy {
        0 => drop(
            steps
                .fold(Parallel::new("p"), Parallel::step)
                .at_most(3)
                .report(context, 1)
                .await,
        ),
        1 => drop(
            steps
                .fold(Sequential::new("s"), Sequential::step)
                .report(context, 1)
                .await,
        ),
        2 => drop(
            steps
                .fold(Adaptive::new("a"), Adaptive::step)
                .report(context, 1)
                .await,
        ),
        3 => drop(
            steps
                .fold(Fallback::new("f"), Fallback::step)
                .report(context, 1)
                .await,
        ),
        4 => drop(steps.fold(Race::new("r"), Race::step).run(context, 1).await),
        _ => drop(
            steps
                .fold(Quorum::new("q", 2), Quorum::step)
                .run(context, 1)
                .await,
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_that_is_cancelled_or_dropped_leaves_nothing_running(
        plans in vec(plan(), 1..8),
        strategy in 0_usize..6,
        after_ms in 0_u64..60,
        drops in any::<bool>(),
    ) {
        block_on(async {
            let o = orchestrator().await;
            let context = context(&o);
            let at_work = Arc::new(AtomicUsize::new(0));
            let mut steps = Vec::new();
            for (n, plan) in plans.iter().enumerate() {
                steps.push(step(&o, &format!("s{n}"), *plan, &at_work).await);
            }
            let mut running = Box::pin(run(strategy, &context, steps));
            let time = Duration::from_millis(after_ms);
            if tokio::time::timeout(time, &mut running).await.is_err() && !drops {
                context.cancel();
                let ended = tokio::time::timeout(Duration::from_millis(1), &mut running).await;
                assert!(ended.is_ok(), "it ends within a tick");
            }
            drop(running);
            // Agents have their grace.
            tokio::time::sleep(Duration::from_secs(60)).await;
            let tasks = o.status().tasks;
            assert_eq!((at_work.load(Ordering::SeqCst), tasks.running, tasks.queued), (0, 0, 0));
            o.shutdown().await;
        });
    }
}
