//! Groups of agents that grow and shrink.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use universal_orchestrator::{AgentFilter, Principal, async_trait};
use universal_orchestrator_automation::{
    AgentFactory, FactoryError, GroupView, ScalingError, ScalingGroup,
};

use crate::common::*;

#[derive(Default)]
struct Workshop {
    calls: AtomicU64,
    fails: AtomicBool,
    stalls: AtomicBool,
    retired: Mutex<Vec<String>>,
    puppet: PuppetAgent,
}

#[async_trait]
impl AgentFactory for Workshop {
    async fn create(&self, number: u64) -> Result<AgentSpec, FactoryError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Err(FactoryError::new("no more machines"));
        }
        if self.stalls.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(spec(&format!("w{number}"), "x").in_process(self.puppet.clone()))
    }

    async fn retired(&self, agent: &AgentId) {
        self.retired.lock().push(agent.to_string());
    }
}

impl Workshop {
    fn end_all(&self) {
        for (task, attempt) in self.puppet.at_work() {
            self.puppet.end(&task, attempt, Ending::Succeed(1.into()));
        }
    }
}

fn group(workshop: &Arc<Workshop>, min: usize, max: usize) -> ScalingGroup {
    let factory = Arc::<Workshop>::clone(workshop);
    ScalingGroup::new("g", factory)
        .capabilities(["x"])
        .between(min, max)
}

fn view(service: &Service) -> GroupView {
    service.groups().remove(0)
}

fn registered(o: &UniversalOrchestrator) -> usize {
    o.agents(&AgentFilter::all()).len()
}

#[tokio::test(start_paused = true)]
async fn a_scale_out_starts_agents_and_a_scale_in_drains_them() {
    let section = "[scaling]\nout_wait_ms = 2000\nout_cooldown_ms = 3000\nin_cooldown_ms = 5000\nin_utilization_percent = 40";
    let (o, service) = with(section).await;
    let workshop = Arc::new(Workshop::default());
    service.add_group(group(&workshop, 1, 3)).unwrap();
    settle().await;
    assert_eq!(registered(&o), 1, "the minimum is started at once");
    tick().await;
    assert_eq!(view(&service).agents.len(), 1);

    let mut handles = Vec::new();
    for _ in 0..8 {
        handles.push(o.submit_task(task("x")).await.unwrap());
    }
    tokio::time::sleep(ms(20_000)).await;
    assert_eq!(registered(&o), 3, "never above the maximum");
    assert_eq!(o.status().tasks.running, 3, "the new ones work");
    assert_eq!(view(&service).created, 3);

    while handles.iter().any(|handle| handle.try_outcome().is_none()) {
        workshop.end_all();
        settle().await;
    }
    let long = o.submit_task(task("x")).await.unwrap();
    settle().await;
    let worker = long.view().unwrap().agent.unwrap();
    tokio::time::sleep(ms(60_000)).await;
    assert_eq!(registered(&o), 2, "one of two busy is more than 40 percent");
    assert!(o.agent(&worker).is_some(), "who has work stays");
    assert!(
        handles
            .iter()
            .all(|handle| handle.try_outcome().unwrap().is_success())
    );
    workshop.end_all();
    assert!(long.outcome().await.unwrap().is_success());
    tokio::time::sleep(ms(60_000)).await;
    assert_eq!(registered(&o), 1, "never below the minimum");
    assert_eq!(workshop.retired.lock().len(), 2);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_leaving_agent_finishes_first_unless_it_takes_too_long() {
    for limit in [0_u64, 5_000] {
        let section = format!(
            "[scaling]\ndrain_timeout_ms = {limit}\n[[rules]]\nname = \"fewer\"\nwhen = \"task_cancelled\"\nthen = {{ action = \"scale\", group = \"g\", by = -9 }}\n[[rules]]\nname = \"more\"\nwhen = \"task_completed\"\nthen = {{ action = \"scale\", group = \"g\", by = 9 }}"
        );
        let (o, service) = with(&section).await;
        let workshop = Arc::new(Workshop::default());
        service.add_group(group(&workshop, 0, 2)).unwrap();
        agent(&o, spec("e", "e")).await;
        report(&o, task("e"), None).await;
        tick().await;
        tick().await;
        assert_eq!(view(&service).agents.len(), 2, "a rule asked for more");
        let long = o
            .submit_task(task("x").retry(RetryPolicy::never()))
            .await
            .unwrap();
        settle().await;
        let d = o.delegate_task(task("e")).await.unwrap();
        o.cancel_task(d.task()).await.unwrap();
        tokio::time::sleep(ms(4_500)).await;
        assert_eq!(
            view(&service).leaving.len(),
            1,
            "the idle one has left: {:?}",
            view(&service)
        );
        assert!(long.try_outcome().is_none());
        tokio::time::sleep(ms(60_000)).await;
        let lost = long.try_outcome().map(|outcome| outcome.failure_kind());
        match limit {
            0 => {
                assert_eq!(lost, None);
                workshop.end_all();
                assert!(long.outcome().await.unwrap().is_success());
            }
            _ => assert_eq!(lost, Some(Some(FailureKind::AgentLost))),
        }
        tokio::time::sleep(ms(3_000)).await;
        assert_eq!(view(&service).retired, 2);
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn busy_slots_make_a_group_grow_and_idle_ones_make_it_shrink() {
    let cases = [
        (
            "out_utilization_percent = 100\nin_utilization_percent = 0",
            1,
            2,
        ),
        (
            "out_utilization_percent = 100\nin_utilization_percent = 0",
            0,
            1,
        ),
    ];
    for (keys, load, expected) in cases {
        let section = format!(
            "[scaling]\nin_cooldown_ms = 0\nout_cooldown_ms = 0\nout_wait_ms = 999999\n{keys}"
        );
        let (o, service) = with(&section).await;
        let workshop = Arc::new(Workshop::default());
        service.add_group(group(&workshop, 1, 2)).unwrap();
        settle().await;
        for _ in 0..load {
            o.submit_task(task("x")).await.unwrap();
        }
        tokio::time::sleep(ms(5_000)).await;
        assert_eq!(view(&service).agents.len(), expected, "{keys} {load}");
        workshop.end_all();
        tokio::time::sleep(ms(30_000)).await;
        assert_eq!(view(&service).agents.len(), expected, "0 never shrinks");
        o.reconfigure_plugin("automation", "[scaling]\nin_cooldown_ms = 0")
            .unwrap();
        tokio::time::sleep(ms(10_000)).await;
        assert_eq!(view(&service).agents.len(), 1);
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_or_quarantined_agent_is_replaced() {
    let (o, service) = with("").await;
    let workshop = Arc::new(Workshop::default());
    service.add_group(group(&workshop, 2, 2)).unwrap();
    tick().await;
    let before = view(&service).agents;
    o.deregister_agent(&before[0]).await.unwrap();
    o.quarantine_agent(&before[1], "odd").await.unwrap();
    tokio::time::sleep(ms(4_000)).await;
    let after = view(&service);
    assert_eq!(after.agents.len(), 2);
    assert!(
        after.agents.iter().all(|id| !before.contains(id)),
        "{after:?}"
    );
    assert_eq!(registered(&o), 2);
    assert_eq!((after.created, after.retired), (4, 2));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_fails_or_stalls_is_asked_again_later() {
    for stalls in [false, true] {
        let section = "[scaling]\ncreate_timeout_ms = 1500\nout_cooldown_ms = 4000";
        let (o, service) = with(section).await;
        let workshop = Arc::new(Workshop::default());
        workshop.fails.store(!stalls, Ordering::SeqCst);
        workshop.stalls.store(stalls, Ordering::SeqCst);
        service.add_group(group(&workshop, 1, 1)).unwrap();
        tokio::time::sleep(ms(3_500)).await;
        assert_eq!(
            workshop.calls.load(Ordering::SeqCst),
            1,
            "not at every tick"
        );
        assert_eq!((view(&service).failed, registered(&o)), (1, 0));
        workshop.fails.store(false, Ordering::SeqCst);
        workshop.stalls.store(false, Ordering::SeqCst);
        tokio::time::sleep(ms(5_000)).await;
        assert_eq!(registered(&o), 1);
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_id_is_taken_or_that_is_refused_does_not_join() {
    let (o, service) = with("[scaling]\nout_cooldown_ms = 60000\ncreate_timeout_ms = 2000").await;
    agent(&o, spec("w1", "other")).await;
    let workshop = Arc::new(Workshop::default());
    service.add_group(group(&workshop, 1, 1)).unwrap();
    tokio::time::sleep(ms(5_000)).await;
    assert_eq!((view(&service).failed, view(&service).agents.len()), (1, 0));
    assert_eq!(registered(&o), 1, "the other one is left alone");
    o.shutdown().await;

    struct TooMuch;
    #[async_trait]
    impl AgentFactory for TooMuch {
        async fn create(&self, _: u64) -> Result<AgentSpec, FactoryError> {
            Ok(spec("w", "x").concurrency(0))
        }
    }
    let (o, service) = with("[scaling]\ncreate_timeout_ms = 2000").await;
    service
        .add_group(ScalingGroup::new("g", Arc::new(TooMuch)))
        .unwrap();
    tokio::time::sleep(ms(1_500)).await;
    assert_eq!((view(&service).starting, view(&service).failed), (1, 0));
    tokio::time::sleep(ms(2_000)).await;
    assert_eq!(view(&service).failed, 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn groups_are_checked_and_bounded() {
    let (o, service) = with("agents_max = 5\n[scaling]\ngroups_max = 2").await;
    let workshop = Arc::new(Workshop::default());
    for (min, max) in [(2, 1), (0, 0), (0, 6)] {
        let error = service.add_group(group(&workshop, min, max)).unwrap_err();
        assert!(
            matches!(error, ScalingError::Bounds { limit: 5, .. }),
            "{error}"
        );
    }
    let bad = group(&workshop, 1, 1).capabilities([""]);
    assert!(matches!(
        service.add_group(bad),
        Err(ScalingError::Capability { .. })
    ));
    let own = group(&workshop, 1, 1).principal(Principal::new("owner").unwrap());
    service.add_group(own).unwrap();
    let again = service.add_group(group(&workshop, 1, 1));
    assert!(matches!(again, Err(ScalingError::Duplicate { .. })));
    let factory = Arc::<Workshop>::clone(&workshop);
    service
        .add_group(ScalingGroup::new("second", factory.clone()).between(0, 1))
        .unwrap();
    let third = service.add_group(ScalingGroup::new("third", factory));
    assert!(matches!(third, Err(ScalingError::TooMany { max: 2 })));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_makes_an_empty_group_grow_step_by_step() {
    let mut config = config_with("[scaling]\nout_wait_ms = 3000\nout_cooldown_ms = 20000");
    config.queue.queue_unroutable = true;
    let (o, service) = start(config).await;
    let workshop = Arc::new(Workshop::default());
    service.add_group(group(&workshop, 0, 3)).unwrap();
    let mut handles = Vec::new();
    for _ in 0..9 {
        handles.push(o.submit_task(task("x")).await.unwrap());
    }
    // Without agents there are no slots to be busy: only the wait can ask for more.
    let expected = [(2_500, 0), (4_000, 1), (15_000, 1), (5_000, 2), (22_000, 3)];
    for (after, agents) in expected {
        tokio::time::sleep(ms(after)).await;
        settle().await;
        assert_eq!(registered(&o), agents, "{after}");
    }
    for handle in handles {
        handle.cancel();
    }
    o.shutdown().await;
}
