//! Who sleeps, who wakes, and that the router obeys.

use parking_lot::Mutex;
use universal_orchestrator::async_trait;
use universal_orchestrator_automation::SleepHooks;

use crate::common::*;

const IDLE: &str = "[sleep]\nenabled = true\ninactivity_ms = 5000\nmin_awake = 0";

#[tokio::test(start_paused = true)]
async fn an_agent_with_a_full_context_sleeps_and_the_router_obeys() {
    let (o, service) = with("[sleep]\nenabled = true\ncontext_window_tokens = 1000\ncontext_threshold_percent = 50\ninactivity_ms = 0").await;
    let eats = ScriptedAgent::steps([Step::Charge(Amount::tokens(250)), Step::Succeed(1.into())]);
    let a = agent(&o, spec("a", "x").in_process(eats)).await;
    assert_eq!(done_by(&o, task("x")).await, a);
    let b = worker(&o, "b", "x").await;
    tick().await;
    assert_eq!(stands(&o, &a), Availability::Available, "250 of 500 tokens");
    while o.agent(&a).unwrap().completed < 2 {
        done_by(&o, task("x")).await;
    }
    tick().await;
    assert_eq!(stands(&o, &a), Availability::Sleeping);
    let [sleeper] = &service.sleeping()[..] else {
        panic!("one sleeps")
    };
    assert_eq!((&sleeper.agent, sleeper.reason), (&a, SleepReason::Context));
    for _ in 0..4 {
        assert_eq!(done_by(&o, task("x")).await, b);
    }
    tokio::time::sleep(ms(301_000)).await;
    assert_eq!(
        stands(&o, &a),
        Availability::Available,
        "after five minutes"
    );
    assert!(service.sleeping().is_empty());
    tick().await;
    assert_eq!(
        stands(&o, &a),
        Availability::Available,
        "its tokens count anew"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn queued_work_wakes_the_agent_that_it_needs_at_once() {
    let (o, service) = with(IDLE).await;
    let first = worker(&o, "first", "x").await;
    tokio::time::sleep(ms(3_000)).await;
    let second = worker(&o, "second", "x").await;
    let other = worker(&o, "other", "y").await;
    tokio::time::sleep(ms(7_500)).await;
    for id in [&first, &second, &other] {
        assert_eq!(stands(&o, id), Availability::Sleeping);
    }
    assert_eq!(service.sleeping()[0].agent, first);
    let before = tokio::time::Instant::now();
    let done = done_by(&o, task("x")).await;
    assert_eq!(done, first, "who has slept longest");
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(stands(&o, &second), Availability::Sleeping);
    assert_eq!(stands(&o, &other), Availability::Sleeping);
    // A direct delegation binds now or refuses, but the next one finds the agent awake.
    let refused = o.delegate_task(task("y")).await.unwrap_err();
    assert!(
        matches!(refused.reason(), Refusal::AllUnavailable { .. }),
        "{refused}"
    );
    settle().await;
    assert!(o.delegate_task(task("y")).await.is_ok());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_wakes_an_agent_when_the_one_that_was_awake_drops_out() {
    let (o, service) = with("[sleep]\nenabled = true\ninactivity_ms = 5000\nmin_awake = 1").await;
    let a = worker(&o, "a", "x").await;
    let b = spec("b", "x")
        .label("is", "b")
        .in_process(PuppetAgent::new());
    let b = agent(&o, b).await;
    let long = task("x").require_label("is", "b");
    let long = o.submit_task(long).await.unwrap();
    tokio::time::sleep(ms(7_000)).await;
    assert_eq!(o.agent(&b).unwrap().in_flight, 1);
    assert_eq!(service.sleeping()[0].agent, a);
    let waiting = o.submit_task(task("x")).await.unwrap();
    tick().await;
    assert!(waiting.try_outcome().is_none(), "b is awake, and busy");
    o.quarantine_agent(&b, "odd").await.unwrap();
    tick().await;
    assert!(waiting.try_outcome().unwrap().is_success());
    assert_eq!(stands(&o, &a), Availability::Available);
    long.cancel();
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn labels_count_for_what_waits() {
    let (o, _) = with(IDLE).await;
    let eu = spec("eu", "x")
        .label("zone", "eu")
        .in_process(ScriptedAgent::succeeds(1));
    let eu = agent(&o, eu).await;
    tokio::time::sleep(ms(7_500)).await;
    assert_eq!(stands(&o, &eu), Availability::Sleeping);
    let us = spec("us", "x").label("automation_sleep", "never");
    let us = agent(&o, us.in_process(ScriptedAgent::succeeds(1))).await;
    let handle = o
        .submit_task(task("x").require_label("zone", "eu"))
        .await
        .unwrap();
    settle().await;
    assert!(
        handle.try_outcome().is_none(),
        "an agent with x is awake, so the next tick looks"
    );
    tick().await;
    assert!(handle.try_outcome().unwrap().is_success());
    tokio::time::sleep(ms(20_000)).await;
    assert_eq!(
        stands(&o, &us),
        Availability::Available,
        "its label says never"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn slow_and_failing_agents_sleep() {
    let section = "[sleep]\nenabled = true\nmin_awake = 0\nminimum_calls = 3\nslow_mean_ms = 2000\nerror_rate_percent = 60\nwindow_ms = 60000";
    let (o, service) = with(section).await;
    let slow = ScriptedAgent::steps([Step::Wait(ms(2_500)), Step::Succeed(1.into())]);
    let slow = agent(&o, spec("slow", "s").in_process(slow)).await;
    let failing = agent(&o, spec("failing", "f").in_process(ScriptedAgent::fails())).await;
    let fine = worker(&o, "fine", "o").await;
    for round in 0..3 {
        assert!(service.sleeping().is_empty(), "round {round}");
        assert!(o.execute(task("s")).await.unwrap().is_success());
        assert!(!o.execute(task("f")).await.unwrap().is_success());
        assert!(o.execute(task("o")).await.unwrap().is_success());
    }
    tick().await;
    let reasons: Vec<_> = service
        .sleeping()
        .iter()
        .map(|s| (s.agent.clone(), s.reason))
        .collect();
    assert!(
        reasons.contains(&(slow, SleepReason::Degradation)),
        "{reasons:?}"
    );
    assert!(
        reasons.contains(&(failing, SleepReason::ErrorRate)),
        "{reasons:?}"
    );
    assert_eq!(reasons.len(), 2);
    assert_eq!(stands(&o, &fine), Availability::Available);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_puts_to_sleep_and_wakes_by_the_wall_clock() {
    let section = "[sleep]\nenabled = true\nmin_awake = 0\ninactivity_ms = 0\n[[sleep.schedules]]\nsleep = \"0 22 * * *\"\nwake = \"0 6 * * *\"\ncapability = \"x\"";
    let day = ms(20_000 * 86_400_000);
    let hour = ms(3_600_000);
    let clock = TestWallClock::at(day + 21 * hour);
    let builder = test_builder(config_with(section)).wall_clock(clock.clone());
    let o = builder
        .plugin_descriptor(&AUTOMATION)
        .start()
        .await
        .unwrap();
    let service = o.service::<dyn AutomationService>().unwrap();
    let (x, y) = (worker(&o, "x", "x").await, worker(&o, "y", "y").await);
    tick().await;
    assert!(service.sleeping().is_empty(), "it is nine in the evening");
    clock.advance(hour);
    tick().await;
    assert_eq!(stands(&o, &x), Availability::Sleeping);
    assert_eq!(
        stands(&o, &y),
        Availability::Available,
        "the schedule is for x"
    );
    assert_eq!(
        (service.sleeping()[0].reason, service.sleeping()[0].length),
        (SleepReason::Schedule, None)
    );
    clock.set(std::time::UNIX_EPOCH + day);
    tick().await;
    assert_eq!(
        stands(&o, &x),
        Availability::Sleeping,
        "a clock that goes back fires nothing"
    );
    clock.advance(6 * hour);
    tick().await;
    assert_eq!(stands(&o, &x), Availability::Available);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn under_pressure_idle_agents_sleep_one_a_tick() {
    // Any host uses more than a thousandth of a percent of its memory.
    for key in ["memory_percent = 0.001", "cpu_percent = 100"] {
        let section = format!("[sleep]\nenabled = true\nmin_awake = 0\ninactivity_ms = 0\n{key}");
        let mut config = config_with(&section);
        config.health_check_interval_ms = 1_000;
        let (o, service) = start(config).await;
        let agents = [worker(&o, "a", "x").await, worker(&o, "b", "x").await];
        let pressed = key.starts_with("memory");
        // The sample of the host comes from another thread, so the ticks until then are not counted.
        while pressed && service.sleeping().is_empty() {
            tokio::time::sleep(ms(100)).await;
        }
        tokio::time::sleep(ms(1_000)).await;
        let asleep = service.sleeping();
        if pressed {
            assert_eq!(asleep.len(), agents.len());
            assert!(
                asleep
                    .iter()
                    .all(|one| one.reason == SleepReason::Resources)
            );
        }
        o.shutdown().await;
    }
}

#[derive(Default)]
struct Notes {
    said: Mutex<Vec<String>>,
    stalls: bool,
}

#[async_trait]
impl SleepHooks for Notes {
    async fn checkpoint(&self, agent: &AgentId, reason: SleepReason) {
        self.said
            .lock()
            .push(format!("checkpoint {agent} {reason:?}"));
        if self.stalls {
            std::future::pending::<()>().await;
        }
    }

    async fn prewarm(&self, agent: &AgentId) {
        self.said.lock().push(format!("prewarm {agent}"));
        if self.stalls {
            panic!("no warmth");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_comes_before_sleep_and_a_prewarm_before_waking() {
    for stalls in [false, true] {
        let (o, service) = with(&format!("{IDLE}\nhook_timeout_ms = 500")).await;
        let notes = Arc::new(Notes {
            stalls,
            ..Notes::default()
        });
        service.set_sleep_hooks(Arc::<Notes>::clone(&notes));
        let a = worker(&o, "a", "x").await;
        while notes.said.lock().is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
        settle().await;
        let stood = match stalls {
            true => Availability::Available,
            false => Availability::Sleeping,
        };
        assert_eq!(stands(&o, &a), stood);
        tokio::time::sleep(ms(501)).await;
        assert_eq!(
            stands(&o, &a),
            Availability::Sleeping,
            "with or without a checkpoint"
        );
        assert_eq!(done_by(&o, task("x")).await, a);
        assert_eq!(*notes.said.lock(), ["checkpoint a Inactivity", "prewarm a"]);
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_does_is_left_alone() {
    let (o, service) = with(&format!("{IDLE}\nmin_ms = 10000")).await;
    let theirs = agent(&o, spec("theirs", "t")).await;
    o.sleep_agent(&theirs).await.unwrap();
    let [woken, drained] = [
        worker(&o, "woken", "w").await,
        worker(&o, "drained", "d").await,
    ];
    tokio::time::sleep(ms(7_500)).await;
    assert_eq!(
        service.sleeping().len(),
        2,
        "not the one that an operator put to sleep"
    );
    o.wake_agent(&woken).await.unwrap();
    o.drain_agent(&drained).await.unwrap();
    // Work that needs it right then does not undo that.
    let handle = o.submit_task(task("d")).await.unwrap();
    settle().await;
    assert_eq!(stands(&o, &drained), Availability::Draining);
    handle.cancel();
    tick().await;
    assert!(
        service.sleeping().is_empty(),
        "who was taken over is forgotten"
    );
    tokio::time::sleep(ms(20_000)).await;
    assert_eq!(stands(&o, &theirs), Availability::Sleeping);
    assert_eq!(
        stands(&o, &drained),
        Availability::Draining,
        "waking would undo it"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn switched_off_at_run_time_it_wakes_whom_it_put_to_sleep() {
    let (o, service) = with(IDLE).await;
    let a = worker(&o, "a", "x").await;
    tokio::time::sleep(ms(7_000)).await;
    assert_eq!(stands(&o, &a), Availability::Sleeping);
    o.disable_plugin("automation").unwrap();
    tick().await;
    assert_eq!(stands(&o, &a), Availability::Available);
    tokio::time::sleep(ms(60_000)).await;
    assert_eq!(
        stands(&o, &a),
        Availability::Available,
        "it does nothing more"
    );
    o.enable_plugin("automation").unwrap();
    tokio::time::sleep(ms(7_000)).await;
    assert_eq!(service.sleeping().len(), 1);
    o.shutdown().await;
}

/// Hooks that panic when they are called, before there is anything to await.
struct PanicsWhenCalled;

type Doing<'f> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'f>>;

impl SleepHooks for PanicsWhenCalled {
    fn checkpoint<'s: 'f, 'a: 'f, 'f>(&'s self, _: &'a AgentId, _: SleepReason) -> Doing<'f> {
        panic!("called");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_when_it_is_called_keeps_nobody_awake() {
    let (o, service) = with(IDLE).await;
    service.set_sleep_hooks(Arc::new(PanicsWhenCalled));
    let a = worker(&o, "a", "x").await;
    tokio::time::sleep(ms(7_500)).await;
    assert_eq!(stands(&o, &a), Availability::Sleeping);
    assert_eq!(done_by(&o, task("x")).await, a);
    o.shutdown().await;
}
