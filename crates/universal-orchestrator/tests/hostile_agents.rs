//! Calls about agents, plugins, runs, pauses and the configuration with what nobody should send: a typed error, and nothing changed.

mod common;
mod hostile;

use std::time::Duration;

use common::{
    Hooked, Log, aid, echo, external, manifest, plain, secs, settle, task, tid, with_config,
    with_plugins, worker,
};
use hostile::{MEGABYTE, bad_texts, check_text, standing};
use serde_json::json;
use universal_orchestrator::config::RoutingPolicyName;
use universal_orchestrator::plugin::HookSet;
use universal_orchestrator::{
    AgentCallError, AgentChange, AgentFilter, AgentRole, AgentSpec, Amount, Capability,
    CapabilitySet, FailureKind, Labels, Limits, Principal, Refusal, RegisterRefusal, RunId, Task,
};

/// What is wrong with an agent, and what its refusal must say.
fn malformed() -> Vec<(AgentSpec, Vec<&'static str>)> {
    let fine = || external("new", &["a"]);
    let mut cases = Vec::new();
    for (text, says) in bad_texts() {
        let worker = AgentRole::Worker;
        cases.extend([
            (AgentSpec::new(&text, worker), vec!["agent id", says]),
            (external("new", &["a", &text]), vec!["capability", says]),
            (fine().label(&text, "v"), vec!["label name", says]),
        ]);
    }
    let mut labelled = fine();
    for i in 0..5_000 {
        labelled = labelled.label(&format!("l{i}"), "v");
    }
    let range = "outside 1 to agents.concurrency_max 65535";
    cases.extend([
        (labelled, vec!["labels", "5000", "tasks.labels_max is 32"]),
        (
            fine().capabilities((0..5_000).map(|i| format!("c{i}"))),
            vec!["capabilities", "5000", "agents.capabilities_max is 64"],
        ),
        (
            fine().label("l", &"x".repeat(MEGABYTE)),
            vec!["label value", "1048576 bytes", "256"],
        ),
        (
            fine().label("l", "a\rb"),
            vec!["label value", "control character '\\r' at byte 1"],
        ),
        (fine().concurrency(0), vec!["concurrency 0 is", range]),
        (
            fine().concurrency(u32::MAX),
            vec!["concurrency 4294967295 is", range],
        ),
        (
            fine().heartbeat_every(Duration::ZERO),
            vec!["heartbeat interval is zero", "leave it out"],
        ),
        (
            fine().metadata("x".repeat(MEGABYTE)),
            vec!["1048578 bytes", "agents.metadata_bytes_max is 65536"],
        ),
    ]);
    cases
}

#[tokio::test(start_paused = true)]
async fn no_malformed_agent_is_registered() {
    let o = plain().await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let before = standing(&o);
    for (spec, says) in malformed() {
        for refused in [
            o.register_agent(spec.clone()).await.unwrap_err(),
            o.register_agents(vec![spec.clone()])
                .await
                .remove(0)
                .unwrap_err(),
        ] {
            check_text(&refused, &says);
            assert!(matches!(refused.reason(), RegisterRefusal::Invalid(_)));
            let back = refused.into_spec();
            assert_eq!(back.id(), spec.id());
            assert_eq!(back.label_list(), spec.label_list());
        }
        assert_eq!(standing(&o), before, "{says:?}");
    }
    let twice = o.register_agent(external("e", &["b"])).await.unwrap_err();
    check_text(&twice, &["agent e is registered", "another id"]);
    assert_eq!(standing(&o), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_just_within_its_bounds_is_taken() {
    let o = with_config(|c| c.max_agents = 2).await;
    let mut largest = AgentSpec::new("🦀".repeat(64), AgentRole::Worker)
        .capabilities((0..64).map(|i| format!("{i:0>256}")))
        .concurrency(65_535)
        .heartbeat_every(Duration::MAX)
        .cost(u64::MAX)
        .metadata("x".repeat(65_534));
    for i in 0..32 {
        largest = largest.label(&format!("{i:0>256}"), &"v".repeat(256));
    }
    let id = o.register_agent(largest).await.unwrap();
    o.register_agent(external("\u{202e}", &[])).await.unwrap();
    let full = o.register_agent(external("third", &[])).await.unwrap_err();
    check_text(&full, &["max_agents 2", "raise the limit"]);
    let required = (0..64).map(|i| format!("{i:0>256}"));
    let d = o
        .delegate_task(Task::new("t").requires(required))
        .await
        .unwrap();
    assert_eq!(d.agent(), &id);
    // Nobody has these, and the refusal does not repeat 16 kilobytes.
    let others = (0..64).map(|i| format!("{i:1>256}"));
    let refused = o.delegate_task(Task::new("t").requires(others)).await;
    check_text(&refused.unwrap_err(), &["no agent registered has", "…"]);
}

#[tokio::test(start_paused = true)]
async fn every_call_about_an_unknown_agent_says_so() {
    let o = plain().await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let before = standing(&o);
    for id in ["nobody", "E", "e ", "e\u{301}", "\u{202e}"].map(aid) {
        let answers = [
            o.deregister_agent(&id).await,
            o.update_agent(&id, AgentChange::new().concurrency(2)).await,
            o.sleep_agent(&id).await,
            o.wake_agent(&id).await,
            o.drain_agent(&id).await,
            o.quarantine_agent(&id, "why").await,
            o.release_agent(&id).await,
            o.heartbeat(&id).await,
            o.next_task(&id, Duration::MAX).await.map(drop),
        ];
        for answer in answers {
            let error = answer.unwrap_err();
            assert_eq!(error, AgentCallError::Unknown { id: id.clone() });
            check_text(&error, &["register it first"]);
        }
        assert!(o.agent(&id).is_none());
    }
    assert_eq!(standing(&o), before);
    let inside = o.register_agent(worker("w", &[], echo())).await.unwrap();
    let error = o.next_task(&inside, secs(1)).await.unwrap_err();
    assert_eq!(error, AgentCallError::InProcess { id: inside });
}

#[tokio::test(start_paused = true)]
async fn a_change_that_does_not_fit_changes_nothing() {
    let o = with_config(|c| c.tasks.id_bytes_max = 10).await;
    let id = o.register_agent(external("e", &["a"])).await.unwrap();
    let before = standing(&o);
    let change = || AgentChange::new().metadata(json!("would change"));
    let many = (0..5_000).map(|i| format!("c{i}"));
    let many = CapabilitySet::new(many).unwrap();
    let long = CapabilitySet::new(["elevenbytes"]).unwrap();
    let label = |name: &str, value: &str| {
        let mut labels = Labels::none();
        labels.insert(name, value);
        labels
    };
    let mut labels = Labels::none();
    for i in 0..5_000 {
        labels.insert(&format!("l{i}"), "");
    }
    let mega = "x".repeat(MEGABYTE);
    let cases = [
        (change().concurrency(0), "concurrency 0"),
        (change().concurrency(u32::MAX), "concurrency 4294967295"),
        (change().capabilities(many), "agents.capabilities_max is 64"),
        (
            change().capabilities(long),
            "\"elevenbytes\" has 11 bytes, the limit tasks.id_bytes_max is 10",
        ),
        (change().labels(labels), "tasks.labels_max is 32"),
        (change().labels(label("", "v")), "label name is empty"),
        (
            change().labels(label("l", &mega)),
            "label value has 1048576",
        ),
        (change().labels(label("l", "\0")), "control character"),
        (
            AgentChange::new()
                .concurrency(2)
                .metadata(mega.as_str().into()),
            "agents.metadata_bytes_max is 65536",
        ),
    ];
    for (change, says) in cases {
        let error = o.update_agent(&id, change).await.unwrap_err();
        assert!(matches!(error, AgentCallError::Invalid(_)), "{error}");
        check_text(&error, &[says]);
        assert_eq!(standing(&o), before, "{says}");
    }
    let error = o.quarantine_agent(&id, mega).await.unwrap_err();
    check_text(&error, &["reason", "1048576 bytes", "65536", "shorten"]);
    assert_eq!(standing(&o), before);
}

#[tokio::test(start_paused = true)]
async fn the_largest_and_the_smallest_numbers_of_an_agent_do_no_harm() {
    for policy in [
        RoutingPolicyName::LeastLoaded,
        RoutingPolicyName::RoundRobin,
        RoutingPolicyName::Fastest,
        RoutingPolicyName::Cheapest,
    ] {
        let o = with_config(|c| c.routing.policy = policy).await;
        for (id, cost) in [("dear", u64::MAX), ("free", 0)] {
            let spec = worker(id, &["a"], echo()).cost(cost).concurrency(65_535);
            o.register_agent(spec).await.unwrap();
        }
        for n in 0..4 {
            let outcome = o.execute(task("a").payload(n)).await.unwrap();
            assert_eq!(outcome.result(), n, "{policy:?}");
        }
        let blink = external("blink", &["b"]).heartbeat_every(Duration::from_nanos(1));
        let blink = o.register_agent(blink).await.unwrap();
        tokio::time::sleep(secs(1)).await;
        assert_eq!(o.status().agents.unreachable, 1);
        o.heartbeat(&blink).await.unwrap();
        assert_eq!(o.status().agents.unreachable, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_below_zero_and_without_end_are_limits() {
    let o = plain().await;
    let negative = Limits::unlimited().with_money("-1".parse().unwrap());
    let poor = worker("poor", &["a"], echo()).budget(negative);
    o.register_agent(poor).await.unwrap();
    o.register_agent(worker("w", &["b"], echo())).await.unwrap();
    let of_agent = o.execute(task("a")).await.unwrap();
    assert_eq!(of_agent.failure_kind(), Some(FailureKind::OverBudget));
    let of_task = o.execute(task("b").budget(negative)).await.unwrap_err();
    let reason = of_task.reason();
    assert!(matches!(reason, Refusal::OverBudget(_)), "{reason}");
    check_text(&of_task, &["money", "of -1", "raise the limit"]);
    let run = RunId::new("endless").unwrap();
    let endless = Limits {
        tokens: Some(u64::MAX),
        calls: Some(u64::MAX),
        busy: Some(Duration::MAX),
        money: None,
    };
    o.open_run(&run, endless).unwrap();
    let all = Amount {
        tokens: u64::MAX,
        busy: Duration::MAX,
        ..Amount::default()
    };
    for _ in 0..3 {
        let most = task("b").run("endless").estimate(all);
        assert!(o.execute(most).await.unwrap().is_success());
    }
    let account = o.close_run(&run).unwrap();
    assert_eq!((account.spent.calls, account.spent.tokens), (3, 0));
    assert!(account.reserved.is_zero() && !account.overdrawn);
}

#[tokio::test(start_paused = true)]
async fn principals_pauses_and_filters_take_anything_without_harm() {
    let o = with_config(|c| c.status.list_max = 5).await;
    for (text, says) in bad_texts() {
        check_text(&o.as_principal(&text).unwrap_err(), &["principal", says]);
    }
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    for i in 0..1_000 {
        o.pause_capability(&Capability::new(format!("c{i}")).unwrap());
    }
    assert_eq!(o.status().queue.paused_capabilities.len(), 5);
    assert!(o.execute(task("a")).await.unwrap().is_success());
    for i in 0..1_000 {
        o.resume_capability(&Capability::new(format!("c{i}")).unwrap());
    }
    o.resume_capability(&Capability::new("never paused").unwrap());
    assert!(o.status().queue.paused_capabilities.is_empty());
    let mega = "x".repeat(MEGABYTE);
    let all = AgentFilter::all;
    assert_eq!(o.agents(&all().capability(mega)).len(), 0);
    assert_eq!(o.agents(&all().capability("")).len(), 0);
    assert_eq!(o.agents(&all().limit(0)).len(), 0);
    assert_eq!(o.agents(&all().limit(usize::MAX)).len(), 1);
    assert_eq!(o.agents(&all().after(aid("\u{10ffff}"))).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_about_plugins_refuse_unknown_names_and_broken_sections() {
    let seen = Log::default();
    let mendable = Hooked::new().on_reconfigure(&seen);
    let stiff = Hooked::new();
    let plugins = vec![
        (manifest("mendable", HookSet::none()), mendable),
        (manifest("stiff", HookSet::none()), stiff),
    ];
    let o = with_plugins(|_| {}, plugins).await;
    let before = standing(&o);
    for name in ["", "Mendable", "mendable\0", &"x".repeat(MEGABYTE)] {
        for error in [
            o.enable_plugin(name).unwrap_err(),
            o.disable_plugin(name).unwrap_err(),
            o.reconfigure_plugin(name, "limit = 1").unwrap_err(),
        ] {
            check_text(&error, &["no plugin", "known are mendable, stiff"]);
        }
    }
    let long = format!("limit = {}", "x".repeat(MEGABYTE));
    let deep = format!("limit = {}", "[".repeat(100_000));
    let nested = format!("limit = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for toml in [
        "limit",
        "limit = -1",
        "limit = 'x'",
        "\0",
        &long,
        &deep,
        &nested,
    ] {
        let error = o.reconfigure_plugin("mendable", toml).unwrap_err();
        check_text(&error, &["plugins.mendable"]);
        let error = o.reconfigure_plugin("stiff", toml).unwrap_err();
        assert!(
            error.to_string().len() < 1_000,
            "{:.200}",
            error.to_string()
        );
    }
    assert_eq!(standing(&o), before);
    assert!(seen.lines().is_empty(), "{:?}", seen.lines());
    o.reconfigure_plugin("mendable", "limit = 1").unwrap();
    assert_eq!(seen.lines(), [r#"{"limit": 1}"#]);
    assert!(o.service::<Log>().is_none());
}

#[tokio::test(start_paused = true)]
async fn commands_of_a_plugin_are_checked_like_calls() {
    let plugin = Hooked::new().on_start(|context| {
        let control = &context.control;
        let anybody = Principal::new("p")
            .map_err(|e| universal_orchestrator::plugin::PluginError::failed(e.to_string()))?;
        let nobody = aid("nobody");
        let sent = [
            control.sleep(&nobody),
            control.wake(&nobody),
            control.drain(&nobody),
            control.release(&nobody),
            control.quarantine(&nobody, "why"),
            control.cancel(&tid("nobody")),
            control.submit(Task::new("\0"), &anybody),
            control.submit(task("nobody has this"), &anybody),
            control.submit(task("a").payload("x".repeat(2 * MEGABYTE)), &anybody),
        ];
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        Ok(())
    });
    let o = with_plugins(|_| {}, vec![(manifest("p", HookSet::none()), plugin)]).await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let before = standing(&o);
    settle().await;
    assert_eq!(o.status().tasks.refused, 3);
    assert_eq!(standing(&o), before);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_quarantines_with_a_long_reason_is_obeyed() {
    let plugin = Hooked::new().on_start(|context| {
        let sent = context.control.quarantine(&aid("e"), "ü".repeat(MEGABYTE));
        assert!(sent.is_ok());
        Ok(())
    });
    let o = with_plugins(|_| {}, vec![(manifest("p", HookSet::none()), plugin)]).await;
    let e = o.register_agent(external("e", &["a"])).await.unwrap();
    settle().await;
    let reason = o.agent(&e).unwrap().quarantine_reason.unwrap();
    assert!(reason.starts_with("üü") && reason.ends_with('…'));
    assert!(reason.chars().count() <= 65_537, "{}", reason.len());
}

#[tokio::test(start_paused = true)]
async fn an_explanation_takes_any_task_and_changes_nothing() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    let before = standing(&o);
    let mega = "x".repeat(MEGABYTE);
    for odd in [
        task("nobody has this"),
        task("a").require_label(&mega, &mega),
        task("a").payload(mega.as_str()),
        task("a").id("").affinity_key("k").delay(Duration::MAX),
    ] {
        let explanation = o.explain_routing(&odd);
        assert_eq!(explanation.agents, 1);
        let text = serde_json::to_string(&explanation).unwrap();
        assert!(text.len() < 1_000, "{text}");
    }
    assert_eq!(standing(&o), before);
}
