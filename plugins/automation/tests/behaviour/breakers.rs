//! Circuit breakers by task type.

use universal_orchestrator::BreakerState;
use universal_orchestrator::plugin::{
    GuardCall, HookContext, HookPoint, HookSet, Plugin, PluginManifest, Verdict,
};

use crate::common::*;

const SECTION: &str =
    "[breakers]\nenabled = true\nminimum_calls = 4\nfailure_rate_percent = 50\nopen_ms = 10000";

async fn end(o: &UniversalOrchestrator, succeeds: bool) {
    let failure = (!succeeds).then(|| TaskFailure::permanent("no"));
    report(o, task("x"), failure).await;
}

/// Opens the breaker of the type `work`.
async fn opened(section: &str) -> (UniversalOrchestrator, Service) {
    let (o, service) = with(section).await;
    agent(&o, spec("a", "x").concurrency(9)).await;
    for succeeds in [true, true, false, false] {
        end(&o, succeeds).await;
    }
    assert_eq!(service.breakers()[0].state, BreakerState::Open);
    (o, service)
}

#[tokio::test(start_paused = true)]
async fn it_opens_probes_and_closes_on_real_outcomes() {
    let (o, service) = opened(SECTION).await;
    let refused = o.delegate_task(task("x")).await.unwrap_err();
    assert_eq!(veto_code(&refused), "breaker_open");
    assert!(
        refused.to_string().contains("come back in 10000 ms"),
        "{refused}"
    );
    assert!(o.submit_task(task("x")).await.is_err());
    let other = Task::new("other").requires(["x"]);
    report(&o, other, None).await;
    let details = o.plugins()[0].health.details.clone();
    assert_eq!(details["breakers"][0]["task_type"], "work");

    tokio::time::sleep(ms(10_001)).await;
    let probe = o.delegate_task(task("x")).await.unwrap();
    let second = o.delegate_task(task("x")).await.unwrap_err();
    assert_eq!(veto_code(&second), "breaker_open", "one probe at a time");
    o.fail_task(&probe, TaskFailure::permanent("no"))
        .await
        .unwrap();
    assert_eq!(service.breakers()[0].opened, 2);
    assert!(o.delegate_task(task("x")).await.is_err());

    tokio::time::sleep(ms(10_001)).await;
    end(&o, true).await;
    assert!(
        service.breakers().is_empty(),
        "a probe that succeeds closes it"
    );
    for _ in 0..3 {
        end(&o, true).await;
    }
    o.shutdown().await;
}

/// Refuses what carries a note, after the plugin has let it in.
struct Refuses;

impl Plugin for Refuses {
    fn guard(&self, _: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
        let (GuardCall::Submit { task } | GuardCall::Delegate { task, .. }) = call else {
            return Verdict::Allow;
        };
        let at = match call {
            GuardCall::Submit { .. } => "submit",
            _ => "delegate",
        };
        match task.task().metadata_value("refuse") == Some(at) {
            true => Verdict::veto("noted", "take the note away"),
            false => Verdict::Allow,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_given_back_on_every_ending() {
    let hooks = HookSet::none()
        .guard(HookPoint::Submit)
        .guard(HookPoint::Delegate);
    let manifest = PluginManifest::new("zz_refuses", "refuses what is noted", hooks);
    let builder = test_builder(config_with(SECTION)).plugin_descriptor(&AUTOMATION);
    let o = builder.plugin(manifest, Refuses).start().await.unwrap();
    let service = o.service::<dyn AutomationService>().unwrap();
    let a = agent(&o, spec("a", "x").concurrency(9)).await;
    for _ in 0..4 {
        end(&o, false).await;
    }
    tokio::time::sleep(ms(10_001)).await;
    assert_eq!(service.breakers()[0].state, BreakerState::HalfOpen);

    // Refused by a guard that comes later, and by the router.
    for at in ["submit", "delegate"] {
        assert!(
            o.delegate_task(task("x").metadata("refuse", at))
                .await
                .is_err()
        );
    }
    assert!(o.delegate_task(task("nobody has it")).await.is_err());
    // Cancelled while it waits, and while it is at work.
    let handle = o.submit_task(task("x")).await.unwrap();
    assert!(handle.cancel());
    let d = o.delegate_task(task("x")).await.unwrap();
    o.cancel_task(d.task()).await.unwrap();
    // Rejected after it was accepted.
    let rejected = o
        .submit_task(task("x").metadata("refuse", "delegate"))
        .await
        .unwrap();
    let pulled = o.next_task(&a, Duration::ZERO).await.unwrap();
    assert!(pulled.is_none());
    assert_eq!(
        rejected.try_outcome().unwrap().failure_kind(),
        Some(FailureKind::Vetoed)
    );
    // Not one of them kept the place of the only probe.
    assert_eq!(service.breakers()[0].state, BreakerState::HalfOpen);
    end(&o, true).await;
    assert!(service.breakers().is_empty());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_opened_is_no_probe() {
    let (o, service) = with(SECTION).await;
    agent(&o, spec("a", "x").concurrency(9)).await;
    let early = o.delegate_task(task("x")).await.unwrap();
    for _ in 0..4 {
        end(&o, false).await;
    }
    tokio::time::sleep(ms(10_001)).await;
    o.complete_task(&early, 1).await.unwrap();
    assert_eq!(service.breakers()[0].state, BreakerState::HalfOpen);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn retried_attempts_count_and_decisions_do_not() {
    let (o, service) = with(SECTION).await;
    agent(
        &o,
        spec("a", "x").in_process(ScriptedAgent::fails_then_succeeds(9, 1)),
    )
    .await;
    let retried = task("x").retry(RetryPolicy::immediate(3));
    for _ in 0..9 {
        let stalled = o.submit_task(task("x").delay(ms(999_999))).await.unwrap();
        assert!(stalled.cancel());
    }
    assert!(service.breakers().is_empty(), "cancelled tasks say nothing");
    let _ = o.execute(retried.clone()).await.unwrap();
    assert!(service.breakers().is_empty(), "three attempts");
    let _ = o.execute(retried).await.unwrap();
    assert_eq!(
        service.breakers()[0].state,
        BreakerState::Open,
        "the fourth"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_types_takes_the_places_of_others_no_longer_than_its_window() {
    let section = "[breakers]\nenabled = true\nminimum_calls = 2\nwindow_ms = 5000\ntypes_max = 3";
    let (o, service) = with(section).await;
    agent(&o, spec("a", "x").concurrency(9)).await;
    for n in 0..9 {
        let task = Task::new(format!("flood_{n}")).requires(["x"]);
        report(&o, task, Some(TaskFailure::permanent("no"))).await;
    }
    let fail = async || report(&o, task("x"), Some(TaskFailure::permanent("no"))).await;
    fail().await;
    fail().await;
    assert!(service.breakers().is_empty(), "there is no room yet");
    tokio::time::sleep(ms(5_001)).await;
    fail().await;
    fail().await;
    assert_eq!(service.breakers().len(), 1, "the type has a breaker again");
    assert_eq!(service.breakers()[0].task_type.as_str(), "work");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn each_setting_has_its_effect() {
    let cases = [
        ("minimum_calls = 5", false),
        ("failure_rate_percent = 51", false),
        ("window_ms = 10\nminimum_calls = 4", false),
        ("enabled = false", false),
        ("types_max = 1", true),
    ];
    for (keys, opens) in cases {
        let mut table: universal_orchestrator::Table = SECTION.parse().unwrap();
        let breakers = table["breakers"].as_table_mut().unwrap();
        breakers.extend(keys.parse::<universal_orchestrator::Table>().unwrap());
        let (o, service) = with(&table.to_string()).await;
        agent(&o, spec("a", "x").concurrency(9)).await;
        for succeeds in [true, true, false, false] {
            end(&o, succeeds).await;
            tokio::time::sleep(ms(20)).await;
        }
        assert_eq!(!service.breakers().is_empty(), opens, "{keys}");
        if keys.starts_with("types_max") {
            for _ in 0..9 {
                report(
                    &o,
                    Task::new("other").requires(["x"]),
                    Some(TaskFailure::permanent("no")),
                )
                .await;
            }
            assert_eq!(service.breakers().len(), 1, "no room for another type");
        }
        o.shutdown().await;
    }
    let slow = "[breakers]\nenabled = true\nminimum_calls = 2\nslow_call_ms = 500\nslow_rate_percent = 100\nhalf_open_probes = 2\nopen_ms = 5000";
    let (o, service) = with(slow).await;
    agent(&o, spec("a", "x").concurrency(9)).await;
    for _ in 0..2 {
        let d = o.delegate_task(task("x")).await.unwrap();
        tokio::time::sleep(ms(500)).await;
        o.complete_task(&d, 1).await.unwrap();
    }
    assert_eq!(
        service.breakers()[0].state,
        BreakerState::Open,
        "slow calls open it"
    );
    tokio::time::sleep(ms(5_001)).await;
    let first = o.delegate_task(task("x")).await.unwrap();
    let second = o.delegate_task(task("x")).await.unwrap();
    assert!(o.delegate_task(task("x")).await.is_err(), "two probes");
    o.complete_task(&first, 1).await.unwrap();
    assert_eq!(service.breakers().len(), 1);
    o.complete_task(&second, 1).await.unwrap();
    assert!(service.breakers().is_empty());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn other_settings_begin_with_closed_breakers() {
    let (o, service) = opened(SECTION).await;
    tokio::time::sleep(ms(10_001)).await;
    let probe = o.delegate_task(task("x")).await.unwrap();
    let other = SECTION.replace("minimum_calls = 4", "minimum_calls = 2");
    o.reconfigure_plugin("automation", &other).unwrap();
    assert!(service.breakers().is_empty());
    for _ in 0..2 {
        end(&o, false).await;
    }
    assert_eq!(service.breakers()[0].opened, 1);
    tokio::time::sleep(ms(10_001)).await;
    // The probe of the breaker that is no more closes nothing.
    o.complete_task(&probe, 1).await.unwrap();
    assert_eq!(service.breakers()[0].state, BreakerState::HalfOpen);
    end(&o, true).await;
    assert!(service.breakers().is_empty());
    o.shutdown().await;
}
