//! The keys at the top.

use std::time::{Duration, Instant};

use universal_orchestrator::plugin::{HookPoint, HookSet, LinkError};
use universal_orchestrator::{
    HealthStatus, Mode, OrchestratorConfig, RegisterRefusal, RetryPolicy, StartError,
    UniversalOrchestrator,
};

use crate::common::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn a_mode_is_told_in_the_status_and_brings_its_defaults() {
    for mode in Mode::ALL {
        let o = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .config(OrchestratorConfig::for_mode(mode))
            .start()
            .await
            .unwrap();
        assert_eq!(o.status().mode, mode.as_str());
        for n in 0..10 {
            o.register_agent(external(&n.to_string(), &["x"]))
                .await
                .unwrap();
        }
        let eleventh = o.register_agent(external("11", &["x"])).await;
        assert_eq!(eleventh.is_err(), mode == Mode::Sandbox, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn max_agents_refuses_one_more_until_one_leaves() {
    let o = with_config(|c| c.max_agents = 2).await;
    for id in ["a", "b"] {
        o.register_agent(external(id, &["x"])).await.unwrap();
    }
    let refused = o.register_agent(external("c", &["x"])).await.unwrap_err();
    let full = RegisterRefusal::TooMany { max: 2 };
    assert_eq!(refused.reason(), &full);
    o.deregister_agent(&aid("a")).await.unwrap();
    o.register_agent(external("c", &["x"])).await.unwrap();
}

/// A target is exceeded by a call that waits for a slow guard; what it measures goes on all the same.
async fn slow_call(
    point: HookPoint,
    millis: u64,
    change: fn(&mut OrchestratorConfig),
) -> UniversalOrchestrator {
    let slow = |c: &mut OrchestratorConfig| {
        c.hooks.timeout_ms = 10_000;
        change(c);
    };
    let plugins = vec![(guard_at(point), slow_guard(millis))];
    let o = with_plugins(slow, plugins).await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    o.delegate_task(task("x")).await.unwrap();
    o
}

#[tokio::test(start_paused = true)]
async fn targets_of_calls_are_counted_and_refuse_nothing() {
    const REGISTRATION: &str = "max_agent_registration_ms";
    const DELEGATION: &str = "max_task_delegation_ms";
    let by_default: fn(&mut OrchestratorConfig) = |_| {};
    let lower: fn(&mut OrchestratorConfig) = |c| {
        c.max_agent_registration_ms = 20;
        c.max_task_delegation_ms = 20;
    };
    let off: fn(&mut OrchestratorConfig) = |c| {
        c.max_agent_registration_ms = 0;
        c.max_task_delegation_ms = 0;
    };
    for (point, target, other, limit) in [
        (HookPoint::Register, REGISTRATION, DELEGATION, 100),
        (HookPoint::Delegate, DELEGATION, REGISTRATION, 500),
    ] {
        for (change, millis, count) in [
            (by_default, limit - 1, 0),
            (by_default, limit + 2, 1),
            (lower, 18, 0),
            (lower, 22, 1),
            (off, 5_000, 0),
        ] {
            let o = slow_call(point, millis, change).await;
            assert_eq!(exceeded(&o, target), count, "{target}, {millis} ms");
            assert_eq!(exceeded(&o, other), 0, "{target}, {millis} ms");
            let alerts = o.status().alerts;
            assert_eq!(alerts.len() as u64, count);
            assert!(alerts.iter().all(|a| a.text.contains(target)), "{alerts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_exceeds_max_system_initialization_ms() {
    const TARGET: &str = "max_system_initialization_ms";
    for (limit, takes, count) in [
        (2_000, 1_990, 0),
        (2_000, 2_010, 1),
        (50, 60, 1),
        (0, 9_000, 0),
    ] {
        let slow = Hooked::new().start_takes(ms(takes));
        let o = with_plugins(
            |c| c.max_system_initialization_ms = limit,
            vec![(manifest("slow", HookSet::none()), slow)],
        )
        .await;
        assert_eq!(exceeded(&o, TARGET), count, "{limit}, {takes}");
    }
}

#[tokio::test(start_paused = true)]
async fn memory_targets_are_looked_at_in_the_health_check() {
    for (process, machine, counts) in [
        (1, 0.001, (1, 1)),
        (1, 100.0, (1, 0)),
        (1_000_000, 0.001, (0, 1)),
        (0, 0.0, (0, 0)),
    ] {
        let o = with_config(|c| {
            c.max_memory_mb = process;
            c.max_memory_percent = machine;
            c.health_check_interval_ms = 1_000;
        })
        .await;
        assert_eq!(exceeded(&o, "max_memory_mb"), 0, "not looked at yet");
        tokio::time::sleep(ms(1_500)).await;
        let told = (
            exceeded(&o, "max_memory_mb"),
            exceeded(&o, "max_memory_percent"),
        );
        assert_eq!(told, counts, "{process} MB, {machine} %");
    }
}

#[tokio::test(start_paused = true)]
async fn max_cpu_percent_is_looked_at_in_the_health_check() {
    for (limit, expected) in [(0.000_001, true), (0.0, false)] {
        let o = with_config(|c| {
            c.max_cpu_percent = limit;
            c.health_check_interval_ms = 1_000;
        })
        .await;
        let mut read = 0;
        // Processor use is that between two readings, so the machine must do something meanwhile.
        for _ in 0..20 {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(60) {
                std::hint::spin_loop();
            }
            tokio::time::sleep(ms(1_000)).await;
            read += usize::from(o.status().performance.cpu_usage_percent > Some(0.0));
            if read > 1 {
                break;
            }
        }
        assert!(read > 1, "no processor use was read");
        assert_eq!(exceeded(&o, "max_cpu_percent") > 0, expected, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_high_error_rate_is_an_alert_and_unhealthy() {
    for (limit, failed, unhealthy) in [
        (5.0, 1, true),
        (10.0, 1, false),
        (0.0, 1, true),
        (0.0, 0, false),
        (100.0, 10, false),
    ] {
        let o = with_config(|c| {
            c.max_error_rate_percent = limit;
            c.health_check_interval_ms = 1_000;
        })
        .await;
        o.register_agent(worker("w", &["x"], flaky()))
            .await
            .unwrap();
        for n in 0..10 {
            let failures = if n < failed { 9 } else { 0 };
            let task = task("x").payload(failures).retry(RetryPolicy::never());
            drop(o.execute(task).await.unwrap());
        }
        tokio::time::sleep(ms(1_500)).await;
        let what = format!("{failed} of 10 with {limit} %");
        let health = if unhealthy {
            HealthStatus::Unhealthy
        } else {
            HealthStatus::Healthy
        };
        assert_eq!(o.status().health_status, health, "{what}");
        let told = exceeded(&o, "max_error_rate_percent");
        assert_eq!(told, u64::from(unhealthy), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn periodic_hooks_come_as_often_as_configured_or_not_at_all() {
    let quiet = |c: &mut OrchestratorConfig| {
        c.tick_interval_ms = 0;
        c.health_check_interval_ms = 0;
    };
    for (tick, health, counts) in [
        (100, 0, (10, 0)),
        (250, 500, (4, 2)),
        (0, 200, (0, 5)),
        (0, 0, (0, 0)),
    ] {
        let (o, recorder) = recorded(|c| {
            quiet(c);
            c.tick_interval_ms = tick;
            c.health_check_interval_ms = health;
        })
        .await;
        tokio::time::sleep(ms(1_010)).await;
        let seen = (
            recorder.count(HookPoint::Tick),
            recorder.count(HookPoint::Health),
        );
        assert_eq!(seen, counts, "{tick}, {health}");
        drop(o);
    }
}

#[tokio::test(start_paused = true)]
async fn the_clean_up_drops_what_is_past_its_time() {
    for (interval, retained) in [(1_000, 0), (0, 1)] {
        let o = with_config(|c| {
            c.cleanup_interval_ms = interval;
            c.tasks.result_retention_ms = 5_000;
        })
        .await;
        o.register_agent(worker("w", &["x"], echo())).await.unwrap();
        drop(o.execute(task("x").payload(1)).await.unwrap());
        tokio::time::sleep(ms(4_500)).await;
        assert_eq!(o.status().tasks.retained, 1);
        tokio::time::sleep(ms(2_000)).await;
        assert_eq!(o.status().tasks.retained, retained, "each {interval} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn the_four_switches_require_a_plugin_keep_it_out_or_leave_it() {
    type Switch = fn(&mut OrchestratorConfig, Option<bool>);
    let switches: [(&'static str, Switch); 4] = [
        ("performance", |c, on| c.enable_performance_plugin = on),
        ("security", |c, on| c.enable_security_plugin = on),
        ("context", |c, on| c.enable_context_plugin = on),
        ("automation", |c, on| c.enable_automation_plugin = on),
    ];
    for (name, switch) in switches {
        for on in [None, Some(true), Some(false)] {
            let plugins = || vec![(manifest(name, HookSet::none()), Hooked::new())];
            let o = with_plugins(|c| switch(c, on), plugins()).await;
            let there = o.plugins().iter().any(|plugin| plugin.name == name);
            assert_eq!(there, on != Some(false), "{name} {on:?}, linked");

            let mut config = OrchestratorConfig::default();
            switch(&mut config, on);
            let builder = UniversalOrchestrator::builder().without_linked_plugins();
            let started = builder.config(config).start().await;
            let wanted = match &started {
                Err(StartError::Link(LinkError::Required { name, .. })) => Some(name.as_str()),
                Err(other) => unreachable!("{other}"),
                Ok(_) => None,
            };
            let expected = (on == Some(true)).then_some(name);
            assert_eq!(wanted, expected, "{name} {on:?}, not linked");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_the_jitter() {
    let delays = async |seed: Option<u64>| {
        let o = with_config(|c| {
            c.seed = seed;
            c.retry.jitter = 1.0;
            c.retry.max_attempts = 6;
        })
        .await;
        retries::delays(&o).await
    };
    let first = delays(Some(1)).await;
    assert_eq!(first.len(), 5);
    assert_eq!(delays(Some(1)).await, first);
    assert_ne!(delays(Some(2)).await, first);
    assert_ne!(delays(None).await, delays(None).await, "unset is random");
}
