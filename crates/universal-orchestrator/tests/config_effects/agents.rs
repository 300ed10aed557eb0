//! `[agents]`, `[breaker]` and `[routing]`.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use universal_orchestrator::plugin::{GuardCall, HookPoint, Verdict};
use universal_orchestrator::{
    AgentSpec, Availability, FailureKind, OrchestratorConfig, Refusal, TaskFailure,
    UniversalOrchestrator,
};

use crate::common::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn what_an_agent_says_of_itself_is_limited() {
    let a = || external("a", &["x"]);
    let cases: [Set<(AgentSpec, AgentSpec)>; 6] = [
        (
            "agents.concurrency_max",
            |c| c.agents.concurrency_max = 4,
            (a().concurrency(4), a().concurrency(5)),
        ),
        (
            "agents.concurrency_max",
            |_| {},
            (a().concurrency(65_535), a().concurrency(65_536)),
        ),
        (
            "agents.capabilities_max",
            |c| c.agents.capabilities_max = 2,
            (external("a", &["x", "y"]), external("a", &["x", "y", "z"])),
        ),
        (
            "agents.metadata_bytes_max",
            |c| c.agents.metadata_bytes_max = 10,
            (a().metadata("12345678"), a().metadata("123456789")),
        ),
        (
            "agents.metadata_bytes_max",
            |c| c.agents.metadata_bytes_max = 0,
            (a(), a().metadata(1)),
        ),
        (
            "tasks.labels_max",
            |c| c.tasks.labels_max = 1,
            (a().label("k", "v"), a().label("k", "v").label("l", "w")),
        ),
    ];
    for (key, set, (fits, exceeds)) in cases {
        let o = with_config(set).await;
        let refused = o.register_agent(exceeds).await.unwrap_err().to_string();
        assert!(refused.contains(key), "{key}: {refused}");
        assert_eq!(o.status().agents.total, 0);
        o.register_agent(fits).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_missed_heartbeats_make_an_agent_unreachable() {
    for factor in [1, 3, 10] {
        let o = with_config(|c| c.agents.heartbeat_timeout_factor = factor).await;
        let agent = external("a", &["x"]).heartbeat_every(secs(10));
        o.register_agent(agent).await.unwrap();
        let stands = || o.agent(&aid("a")).unwrap().availability;
        tokio::time::sleep(secs(u64::from(factor) * 10) - ms(10)).await;
        assert_eq!(stands(), Availability::Available, "{factor}");
        tokio::time::sleep(ms(20)).await;
        assert_eq!(stands(), Availability::Unreachable, "{factor}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_lasts_as_long_as_configured() {
    for lease in [500, 90_000] {
        let o = with_config(|c| c.agents.lease_ms = lease).await;
        o.register_agent(external("e", &["x"])).await.unwrap();
        let never = universal_orchestrator::RetryPolicy::never();
        let handle = o.submit_task(task("x").retry(never)).await.unwrap();
        o.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
        let begun = tokio::time::Instant::now();
        let outcome = handle.outcome().await.unwrap();
        assert_eq!(outcome.failure_kind(), Some(FailureKind::AgentLost));
        let took = begun.elapsed();
        assert!(
            took >= ms(lease) && took < ms(lease + 5),
            "{lease}: {took:?}"
        );
    }
}

/// An orchestrator with a breaker that judges from four calls on and only by what `change` says.
async fn with_breaker(change: impl FnOnce(&mut OrchestratorConfig)) -> UniversalOrchestrator {
    let o = with_config(|c| {
        c.breaker.enabled = true;
        c.breaker.minimum_calls = 4;
        change(c);
    })
    .await;
    o.register_agent(external("e", &["x"]).concurrency(20))
        .await
        .unwrap();
    o
}

/// Ends calls: `f` fails, `s` succeeds, `w` succeeds slowly, after 100 ms; a number is a pause of so many seconds.
async fn calls(o: &UniversalOrchestrator, story: &str) {
    for call in story.chars() {
        if let Some(pause) = call.to_digit(10) {
            tokio::time::sleep(secs(pause.into())).await;
            continue;
        }
        let d = o.delegate_task(task("x")).await.unwrap();
        if call == 'w' {
            tokio::time::sleep(ms(100)).await;
        }
        match call {
            'f' => o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap(),
            _ => o.complete_task(&d, 1).await.unwrap(),
        }
    }
}

fn is_open(o: &UniversalOrchestrator) -> bool {
    o.status().agents.breaker_open == 1
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_as_its_keys_say() {
    let cases: [Set<(&str, bool)>; 14] = [
        ("as above", |_| {}, ("ffff", true)),
        (
            "enabled",
            |c| c.breaker.enabled = false,
            ("ffffffffffff", false),
        ),
        ("minimum_calls", |_| {}, ("fff", false)),
        (
            "minimum_calls",
            |c| c.breaker.minimum_calls = 6,
            ("fffff", false),
        ),
        (
            "minimum_calls",
            |c| c.breaker.minimum_calls = 6,
            ("ffffff", true),
        ),
        ("failure_rate_percent", |_| {}, ("ssff", true)),
        ("failure_rate_percent", |_| {}, ("sssff", false)),
        (
            "failure_rate_percent",
            |c| c.breaker.failure_rate_percent = 75.0,
            ("sfff", true),
        ),
        (
            "failure_rate_percent",
            |c| c.breaker.failure_rate_percent = 76.0,
            ("sfff", false),
        ),
        (
            "window_ms",
            |c| c.breaker.window_ms = 5_000,
            ("ff9ff", false),
        ),
        (
            "window_ms",
            |c| c.breaker.window_ms = 50_000,
            ("ff9ff", true),
        ),
        (
            "slow_call_ms",
            |c| c.breaker.slow_call_ms = 90,
            ("wwww", true),
        ),
        (
            "slow_call_ms",
            |c| c.breaker.slow_call_ms = 110,
            ("wwww", false),
        ),
        (
            "slow_call_ms 0",
            |c| c.breaker.slow_call_ms = 0,
            ("wwww", false),
        ),
    ];
    for (key, set, (story, open)) in cases {
        let o = with_breaker(set).await;
        calls(&o, story).await;
        assert_eq!(is_open(&o), open, "{key}: {story}");
        let next = o.delegate_task(task("x")).await;
        assert_eq!(next.is_err(), open, "{key}: {story}");
    }
    for (rate, open) in [(100.0, false), (50.0, true)] {
        let o = with_breaker(|c| {
            c.breaker.slow_call_ms = 90;
            c.breaker.slow_rate_percent = rate;
        })
        .await;
        calls(&o, "ssww").await;
        assert_eq!(is_open(&o), open, "slow_rate_percent {rate}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_stays_open_and_probes_as_its_keys_say() {
    for (open_ms, probes, last_fails) in [(5_000, 1, false), (20_000, 3, false), (20_000, 3, true)]
    {
        let o = with_breaker(|c| {
            c.breaker.open_ms = open_ms;
            c.breaker.half_open_probes = probes;
        })
        .await;
        calls(&o, "ffff").await;
        tokio::time::sleep(ms(open_ms - 10)).await;
        assert!(o.delegate_task(task("x")).await.is_err(), "{open_ms}");
        tokio::time::sleep(ms(20)).await;
        let mut let_through = Vec::new();
        while let Ok(d) = o.delegate_task(task("x")).await {
            let_through.push(d);
        }
        assert_eq!(let_through.len(), probes as usize);
        let last = let_through.pop().unwrap();
        for d in let_through {
            o.complete_task(&d, 1).await.unwrap();
        }
        match last_fails {
            true => {
                let failure = TaskFailure::permanent("no");
                o.fail_task(&last, failure).await.unwrap();
            }
            false => o.complete_task(&last, 1).await.unwrap(),
        }
        assert_eq!(is_open(&o), last_fails, "all probes must succeed");
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_other_agents_are_tried_when_hooks_overtake_the_choice() {
    for (max, tried) in [(0, 1), (2, 3), (3, 4), (9, 5)] {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        // Waits long enough for the test to put the chosen agent to sleep.
        let plugin = Hooked::new().guard(move |_, call| {
            let GuardCall::Delegate { .. } = call else {
                return Verdict::Allow;
            };
            counter.fetch_add(1, Ordering::SeqCst);
            Verdict::later(async {
                tokio::time::sleep(ms(10)).await;
                Ok(())
            })
        });
        let o = with_plugins(
            |c| c.routing.reroutes_max = max,
            vec![(guard_at(HookPoint::Delegate), plugin)],
        )
        .await;
        for n in 0..5 {
            o.register_agent(external(&n.to_string(), &["x"]))
                .await
                .unwrap();
        }
        let sleeps = async {
            for n in 0..5 {
                tokio::time::sleep(ms(5)).await;
                o.sleep_agent(&aid(&n.to_string())).await.unwrap();
                tokio::time::sleep(ms(5)).await;
            }
        };
        let (result, ()) = tokio::join!(o.delegate_task(task("x")), sleeps);
        let refused = result.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), tried, "{max}: {refused}");
        let expected = match tried {
            5 => "all_unavailable",
            _ => "overtaken",
        };
        assert_eq!(refused.reason().as_str(), expected, "{max}");
        if let Refusal::Overtaken { tries } = refused.reason() {
            assert_eq!(*tries, tried);
        }
        assert_eq!(o.status().agents.busy, 0);
        assert_eq!(refused.task().payload_value(), &json!(null));
    }
}
