//! Which agent gets a task, and the explanation of it.

use serde_json::json;
use universal_orchestrator::config::RoutingPolicyName;
use universal_orchestrator::{
    AgentFigures, AgentRole, AgentSpec, CandidateVerdict, Capability, Refusal, RoutingPolicy, Task,
    UniversalOrchestrator,
};

use crate::common::*;

#[tokio::test(start_paused = true)]
async fn roles_and_labels_narrow_and_refusals_tell_why() {
    let o = plain().await;
    let eu = AgentSpec::new("eu", AgentRole::Specialist)
        .capabilities(["x"])
        .label("zone", "eu");
    o.register_agent(eu).await.unwrap();
    o.register_agent(external("plain", &["x"])).await.unwrap();
    let role = |role| task("x").role(role);
    let d = o.delegate_task(role(AgentRole::Specialist)).await.unwrap();
    assert_eq!(d.agent().as_str(), "eu");
    assert!(matches!(
        o.delegate_task(role(AgentRole::Specialist))
            .await
            .unwrap_err()
            .reason(),
        Refusal::AllBusy {
            capable: 1,
            busy: 1
        }
    ));
    assert!(matches!(
        o.delegate_task(role(AgentRole::Monitor))
            .await
            .unwrap_err()
            .reason(),
        Refusal::NoCapableAgent { .. }
    ));
    o.complete_task(&d, 1).await.unwrap();
    let d = o
        .delegate_task(task("x").require_label("zone", "eu"))
        .await
        .unwrap();
    assert_eq!(d.agent().as_str(), "eu");
    assert!(
        o.delegate_task(task("x").require_label("zone", "us"))
            .await
            .is_err()
    );
    let d = o.delegate_task(Task::new("anything")).await.unwrap();
    assert_eq!(d.agent().as_str(), "plain", "nothing required: anybody");
}

async fn three(policy: RoutingPolicyName) -> UniversalOrchestrator {
    let o = with_config(|c| c.routing.policy = policy).await;
    for (id, slots, cost) in [("a", 4, 30), ("b", 2, 10), ("c", 2, 20)] {
        o.register_agent(external(id, &["x"]).concurrency(slots).cost(cost))
            .await
            .expect("a new agent");
    }
    o
}

async fn choices(o: &UniversalOrchestrator, count: usize) -> String {
    let mut chosen = String::new();
    for _ in 0..count {
        let d = o.delegate_task(task("x")).await.expect("a slot is free");
        chosen.push_str(d.agent().as_str());
    }
    chosen
}

#[tokio::test(start_paused = true)]
async fn each_policy_chooses_as_it_says() {
    let o = three(RoutingPolicyName::LeastLoaded).await;
    // Ties: the least recently assigned, then the first registered.
    assert_eq!(choices(&o, 8).await, "abcabcaa");
    assert!(o.delegate_task(task("x")).await.is_err());
    let o = three(RoutingPolicyName::RoundRobin).await;
    assert_eq!(choices(&o, 8).await, "abcabcaa");
    let o = three(RoutingPolicyName::Cheapest).await;
    assert_eq!(choices(&o, 8).await, "bbccaaaa");
}

#[tokio::test(start_paused = true)]
async fn fastest_follows_the_recent_past_and_forgets_it() {
    let o = with_config(|c| {
        c.routing.policy = RoutingPolicyName::Fastest;
        c.routing.window_ms = 10_000;
    })
    .await;
    for id in ["slow", "quick"] {
        o.register_agent(external(id, &["x"]).concurrency(9))
            .await
            .unwrap();
    }
    for _ in 0..2 {
        let d = o.delegate_task(task("x")).await.unwrap();
        let takes = if d.agent().as_str() == "slow" {
            500
        } else {
            50
        };
        tokio::time::sleep(ms(takes)).await;
        o.complete_task(&d, 1).await.unwrap();
    }
    for _ in 0..5 {
        let d = o.delegate_task(task("x")).await.unwrap();
        assert_eq!(d.agent().as_str(), "quick");
    }
    tokio::time::sleep(secs(25)).await;
    let d = o.delegate_task(task("x")).await.unwrap();
    assert_eq!(
        d.agent().as_str(),
        "slow",
        "without a call in the window it is tried again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_the_users_own_is_asked() {
    struct Contrary;
    impl RoutingPolicy for Contrary {
        fn name(&self) -> &str {
            "contrary"
        }
        fn rank(&self, agent: &AgentFigures) -> u64 {
            u64::MAX - agent.cost
        }
    }
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .routing_policy(Contrary)
        .start()
        .await
        .unwrap();
    for (id, cost) in [("cheap", 1), ("dear", 9)] {
        o.register_agent(external(id, &["x"]).cost(cost))
            .await
            .unwrap();
    }
    assert_eq!(o.explain_routing(&task("x")).policy, "contrary");
    assert_eq!(
        o.delegate_task(task("x")).await.unwrap().agent().as_str(),
        "dear"
    );
}

#[tokio::test(start_paused = true)]
async fn affinity_sticks_and_spills() {
    let o = plain().await;
    for n in 0..8 {
        o.register_agent(external(&format!("a{n}"), &["x"]))
            .await
            .unwrap();
    }
    let sticky = || task("x").affinity_key("session-1");
    let home = o.explain_routing(&sticky()).chosen.unwrap();
    for _ in 0..4 {
        let d = o.delegate_task(sticky()).await.unwrap();
        assert_eq!(d.agent(), &home);
        o.complete_task(&d, 1).await.unwrap();
    }
    let first = o.delegate_task(sticky()).await.unwrap();
    let spilled = o.delegate_task(sticky()).await.unwrap();
    assert_ne!(spilled.agent(), &home, "it is busy");
    o.complete_task(&first, 1).await.unwrap();
    o.complete_task(&spilled, 1).await.unwrap();
    o.sleep_agent(&home).await.unwrap();
    let away = o.delegate_task(sticky()).await.unwrap();
    assert_eq!(
        away.agent(),
        spilled.agent(),
        "the second choice is stable too"
    );
    o.wake_agent(&home).await.unwrap();
    let d = o.delegate_task(sticky()).await.unwrap();
    assert_eq!(d.agent(), &home);
    o.deregister_agent(&aid("a7")).await.unwrap();
    let homes: std::collections::BTreeSet<_> = (0..64)
        .filter_map(|n| {
            o.explain_routing(&task("x").affinity_key(format!("k{n}")))
                .chosen
        })
        .collect();
    assert!(homes.len() > 3, "keys are spread: {homes:?}");
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_every_candidate_and_changes_nothing() {
    let o = plain().await;
    for id in [
        "busy",
        "chosen",
        "draining",
        "quarantined",
        "second",
        "sleeping",
    ] {
        o.register_agent(external(id, &["x"])).await.unwrap();
    }
    o.register_agent(external("silent", &["x"]).heartbeat_every(secs(1)))
        .await
        .unwrap();
    o.register_agent(external("other", &["y"])).await.unwrap();
    o.register_agent(AgentSpec::new("monitor", AgentRole::Monitor).capabilities(["x"]))
        .await
        .unwrap();
    tokio::time::sleep(secs(4)).await;
    let d = o.delegate_task(task("x")).await.unwrap();
    assert_eq!(d.agent().as_str(), "busy");
    o.drain_agent(&aid("draining")).await.unwrap();
    o.sleep_agent(&aid("sleeping")).await.unwrap();
    o.quarantine_agent(&aid("quarantined"), "odd")
        .await
        .unwrap();
    let before = serde_json::to_value(o.status().tasks).unwrap();
    let asked = task("x").role(AgentRole::Worker);
    let explanation = o.explain_routing(&asked);
    assert_eq!((explanation.agents, explanation.capable), (9, 7));
    assert_eq!(explanation.chosen, Some(aid("chosen")));
    assert_eq!(explanation.candidates[0].agent, aid("chosen"));
    let verdict = |id: &str| {
        explanation
            .candidates
            .iter()
            .find(|c| c.agent.as_str() == id)
            .map(|c| c.verdict.clone())
            .unwrap()
    };
    for (id, expected) in [
        ("chosen", CandidateVerdict::Chosen),
        ("second", CandidateVerdict::RanksLower),
        ("busy", CandidateVerdict::Busy),
        ("draining", CandidateVerdict::Draining),
        ("sleeping", CandidateVerdict::Sleeping),
        ("quarantined", CandidateVerdict::Quarantined),
        ("silent", CandidateVerdict::Unreachable),
        ("monitor", CandidateVerdict::OtherRole),
        (
            "other",
            CandidateVerdict::LacksCapability {
                capability: Capability::new("x").unwrap(),
            },
        ),
    ] {
        assert_eq!(verdict(id), expected, "{id}");
    }
    let labelled = o.explain_routing(&task("x").require_label("zone", "eu"));
    assert_eq!((labelled.chosen, labelled.capable), (None, 0));
    assert_eq!(serde_json::to_value(o.status().tasks).unwrap(), before);
    assert_eq!(
        o.delegate_task(asked).await.unwrap().agent().as_str(),
        "chosen"
    );
}

#[tokio::test(start_paused = true)]
async fn equal_runs_route_equally() {
    let mut runs = Vec::new();
    for _ in 0..3 {
        let o = with_config(|c| c.seed = Some(7)).await;
        for n in 0..5 {
            o.register_agent(worker(&format!("w{n}"), &["x"], flaky()).concurrency(2))
                .await
                .unwrap();
        }
        let mut handles = Vec::new();
        for n in 0..40u32 {
            handles.push(o.submit_task(task("x").payload(n % 3)).await.unwrap());
        }
        let mut routes = Vec::new();
        for handle in handles {
            let outcome = handle.outcome().await.unwrap();
            routes.push(json!([
                outcome.agent(),
                outcome.attempts(),
                outcome.queue_wait().as_millis() as u64
            ]));
        }
        runs.push(routes);
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[1], runs[2]);
}
