//! For how long agents sleep, and who stays awake.

use crate::common::*;

#[tokio::test(start_paused = true)]
async fn sleeps_in_a_row_grow_longer_up_to_the_limit_until_a_task_succeeds() {
    let section = "[sleep]\nenabled = true\ninactivity_ms = 1000\nmin_awake = 0\nmin_ms = 60000\nstep_ms = 30000\nmax_ms = 100000";
    let (o, service) = with(section).await;
    let a = worker(&o, "a", "x").await;
    let mut lengths = Vec::new();
    for _ in 0..4 {
        while service.sleeping().is_empty() {
            tokio::time::sleep(ms(500)).await;
        }
        let sleeper = service.sleeping().remove(0);
        lengths.push(sleeper.length.unwrap().as_millis());
        if lengths.len() == 3 {
            done_by(&o, task("x")).await;
        }
        while !service.sleeping().is_empty() {
            tokio::time::sleep(ms(500)).await;
        }
    }
    assert_eq!(lengths, [60_000, 90_000, 100_000, 60_000]);
    assert_eq!(o.agent(&a).unwrap().completed, 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn some_of_each_capability_stay_awake() {
    let cases = [
        ("min_awake = 1", 2),
        ("min_awake = 0", 3),
        ("min_awake = 3", 0),
        ("min_awake = 0\nmin_awake_of = { x = 2 }", 1),
        ("min_awake = 0\nsleeping_max = 1", 1),
    ];
    for (keys, expected) in cases {
        let section = format!("[sleep]\nenabled = true\ninactivity_ms = 1000\n{keys}");
        let (o, service) = with(&section).await;
        for id in ["a", "b", "c"] {
            worker(&o, id, "x").await;
        }
        tokio::time::sleep(ms(4_500)).await;
        assert_eq!(service.sleeping().len(), expected, "{keys}");
        assert_eq!(o.status().agents.sleeping, expected, "{keys}");
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn triggers_that_are_off_pull_nobody() {
    let off = "inactivity_ms = 0\ncontext_window_tokens = 0\nslow_mean_ms = 0\nerror_rate_percent = 0\nminimum_calls = 1\nmin_awake = 0";
    for enabled in [true, false] {
        let (o, service) = with(&format!("[sleep]\nenabled = {enabled}\n{off}")).await;
        let steps = [
            Step::Charge(Amount::tokens(999_999)),
            Step::Wait(ms(9_000)),
            Step::FailPermanent,
        ];
        agent(&o, spec("a", "x").in_process(ScriptedAgent::steps(steps))).await;
        assert!(!o.execute(task("x")).await.unwrap().is_success());
        tokio::time::sleep(ms(2_000_000)).await;
        assert!(service.sleeping().is_empty());
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_tick_and_the_number_of_followed_agents_are_limits() {
    let section = "tick_ms = 60000\nagents_max = 1\n[sleep]\nenabled = true\ninactivity_ms = 1000\nmin_awake = 0";
    let (o, service) = with(section).await;
    for id in ["a", "b"] {
        worker(&o, id, "x").await;
    }
    tokio::time::sleep(ms(59_000)).await;
    assert!(service.sleeping().is_empty(), "no tick yet");
    tokio::time::sleep(ms(1_500)).await;
    assert_eq!(service.sleeping().len(), 1);
    let details = &o.plugins()[0].health.details;
    assert!(details["dropped"].as_u64().unwrap() >= 1, "{details}");
    assert_eq!(details["asleep"][0]["agent"], "a");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn checkpoints_beyond_the_limit_wait_for_a_later_tick() {
    struct Slow;
    #[universal_orchestrator::async_trait]
    impl universal_orchestrator_automation::SleepHooks for Slow {
        async fn checkpoint(&self, _: &AgentId, _: SleepReason) {
            tokio::time::sleep(ms(4_000)).await;
        }
    }
    let section = "jobs_max = 1\n[sleep]\nenabled = true\ninactivity_ms = 1000\nmin_awake = 0";
    let (o, service) = with(section).await;
    service.set_sleep_hooks(Arc::new(Slow));
    for id in ["a", "b", "c"] {
        worker(&o, id, "x").await;
    }
    tokio::time::sleep(ms(7_500)).await;
    assert_eq!(
        service.sleeping().len(),
        1,
        "one at work, one behind it, one refused"
    );
    tokio::time::sleep(ms(30_000)).await;
    assert_eq!(service.sleeping().len(), 3);
    assert!(o.plugins()[0].health.details["dropped"].as_u64().unwrap() > 0);
    o.shutdown().await;
}
