//! Load shedding and the concurrency of agents.

use std::sync::atomic::{AtomicU32, Ordering};

use universal_orchestrator::plugin::{HookPoint, Stage};
use universal_orchestrator::{AgentError, TaskContext, agent_fn};
use universal_orchestrator_testkit::{Meddler, Mischief};

use crate::common::*;

async fn codes(o: &UniversalOrchestrator) -> Vec<bool> {
    let mut taken = Vec::new();
    for priority in Priority::ALL {
        match o.submit_task(task("x").priority(priority)).await {
            Ok(handle) => {
                taken.push(true);
                handle.cancel();
            }
            Err(refused) => {
                assert_eq!(veto_code(&refused), "shed");
                taken.push(false);
            }
        }
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn less_urgent_tasks_are_shed_while_too_much_waits() {
    let section = "[shedding]\nenabled = true\ndepth_low = 10\ndepth_medium = 20\ndepth_high = 30\nresume_percent = 50";
    let (o, _) = with(section).await;
    agent(&o, spec("a", "x")).await;
    let mut handles = Vec::new();
    let mut fill = async |to: usize| {
        while handles.len() < to {
            let critical = task("x").priority(Priority::Critical);
            handles.push(o.submit_task(critical).await.unwrap());
        }
        while handles.len() > to {
            handles.pop().unwrap().cancel();
        }
    };
    // Critical, high, medium, low; no tick has to come before too much is refused.
    let steps = [
        (9, [true, true, true, true]),
        (10, [true, true, true, false]),
        (20, [true, true, false, false]),
        (30, [true, false, false, false]),
    ];
    for (depth, expected) in steps {
        fill(depth).await;
        assert_eq!(codes(&o).await, expected, "{depth}");
    }
    tick().await;
    let status = o.status();
    assert_eq!(status.plugins[0].health.details["shedding_level"], 3);
    assert!(
        status
            .alerts
            .iter()
            .any(|a| a.source == "automation" && a.text.contains("are shed"))
    );
    fill(16).await;
    tick().await;
    assert_eq!(
        codes(&o).await,
        [true, false, false, false],
        "16 is above half of 30"
    );
    fill(14).await;
    tick().await;
    assert_eq!(codes(&o).await, [true, true, false, false]);
    fill(4).await;
    tick().await;
    assert_eq!(codes(&o).await, [true, true, true, true]);
    fill(30).await;
    tick().await;
    o.disable_plugin("automation").unwrap();
    assert_eq!(codes(&o).await, [true, true, true, true]);
    o.shutdown_within(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn what_others_refuse_fills_no_queue_and_sheds_nothing() {
    let config = config_with("[shedding]\nenabled = true\ndepth_low = 10");
    let meddler = Meddler::new();
    let o = test_builder(config)
        .plugin_descriptor(&AUTOMATION)
        .plugin(Meddler::MANIFEST, meddler.clone())
        .start()
        .await
        .unwrap();
    agent(&o, spec("a", "x")).await;
    let low = || task("x").priority(Priority::Low);
    for _ in 0..50 {
        meddler.plan(Stage::Guard, HookPoint::Submit, Mischief::Veto);
        let refused = o.submit_task(low()).await.unwrap_err();
        assert_eq!(veto_code(&refused), "meddled");
        // Nor what the orchestrator itself has nobody for.
        assert!(o.delegate_task(task("y")).await.is_err());
    }
    assert_eq!(codes(&o).await, [true; 4], "nothing waits");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_sheds_as_well() {
    let waits = "[shedding]\nenabled = true\nwait_low_ms = 3000\nwait_medium_ms = 6000\nwait_high_ms = 9000";
    for (seconds, expected) in [
        (1, [true, true, true, true]),
        (4, [true, true, true, false]),
        (7, [true, true, false, false]),
        (10, [true, false, false, false]),
    ] {
        let (o, _) = with(waits).await;
        agent(&o, spec("a", "x")).await;
        let handle = o.submit_task(task("x")).await.unwrap();
        tokio::time::sleep(ms(seconds * 1_000 + 100)).await;
        assert_eq!(codes(&o).await, expected, "{seconds} s");
        handle.cancel();
        o.shutdown().await;
    }
}

/// Takes a tenth of a second while at most four work at once, and more the more there are.
fn crowded() -> impl universal_orchestrator::Agent {
    let at_work = Arc::new(AtomicU32::new(0));
    agent_fn(move |_: (), _: TaskContext| {
        let at_work = Arc::clone(&at_work);
        async move {
            let many = at_work.fetch_add(1, Ordering::SeqCst) + 1;
            let takes = if many <= 4 {
                100
            } else {
                100 * u64::from(many)
            };
            tokio::time::sleep(ms(takes)).await;
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, AgentError>(())
        }
    })
}

async fn under_load(section: &str, start: u32, opted_in: bool) -> (Vec<u32>, usize) {
    let (o, _) = with(section).await;
    let mut spec = spec("a", "x").concurrency(start).in_process(crowded());
    if opted_in {
        spec = spec.label("automation_concurrency", "auto");
    }
    let a = agent(&o, spec).await;
    let mut seen = Vec::new();
    let mut handles = Vec::new();
    for _ in 0..60 {
        while o.status().queue.depth < 200 {
            handles.push(o.submit_task(task("x")).await.unwrap());
        }
        tokio::time::sleep(ms(1_000)).await;
        seen.push(o.agent(&a).unwrap().concurrency);
    }
    let done = handles.iter().filter(|h| h.try_outcome().is_some()).count();
    o.shutdown_within(Duration::ZERO).await;
    (seen, done)
}

#[tokio::test(start_paused = true)]
async fn concurrency_follows_run_times_and_only_of_those_who_take_part() {
    let on = "[limiter]\nenabled = true";
    let aimd = format!("{on}\nalgorithm = \"aimd\"\nslow_ms = 300");
    let cases = [on.to_owned(), aimd.clone()];
    for section in &cases {
        let (seen, done) = under_load(section, 1, true).await;
        assert!(seen.iter().max() > Some(&2), "it grows: {section} {seen:?}");
        let (fixed, done_fixed) = under_load("", 64, true).await;
        assert!(fixed.iter().all(|slots| *slots == 64), "{fixed:?}");
        assert!(done > done_fixed, "{section}: {done} and {done_fixed}");
    }
    let (seen, _) = under_load(&aimd, 40, true).await;
    assert!(seen.last() < Some(&20), "it shrinks: {seen:?}");
    let bounds = format!("{on}\nconcurrency_min = 2\nconcurrency_max = 3");
    let (seen, _) = under_load(&bounds, 1, true).await;
    assert!(
        seen[5..].iter().all(|slots| (2..=3).contains(slots)),
        "{seen:?}"
    );
    let (seen, _) = under_load(on, 1, false).await;
    assert!(seen.iter().all(|slots| *slots == 1), "no label: {seen:?}");
    let by_capability = format!("{on}\ncapabilities = [\"x\"]");
    let (seen, _) = under_load(&by_capability, 1, false).await;
    assert!(seen.iter().max() > Some(&1), "{seen:?}");
}
