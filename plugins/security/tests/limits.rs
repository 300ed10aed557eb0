//! How much and how often: rate limits, payloads, blocks and rules.

mod common;

use std::time::Duration;

use common::*;
use universal_orchestrator::{Mode, Task, json};
use universal_orchestrator_security::SecurityService;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_principal_has_its_burst_and_then_its_rate() {
    let limits = "[rate_limits]\nsubmits_per_minute = 60\nburst = 3\n";
    let f = start(Mode::Testing, limits).await;
    f.orchestrator
        .register_agent(worker("w", &["rust"]))
        .await
        .unwrap();
    let caller = |name: &str| f.orchestrator.as_principal(name).unwrap();
    let (ann, bob) = (caller("ann"), caller("bob"));
    for _ in 0..3 {
        assert_eq!(submit_code(&ann, build()).await, "ok");
    }
    let refused = ann.delegate_task(build()).await.unwrap_err();
    assert_eq!(code_of(refused.reason()), "rate_limited");
    let text = refused.to_string();
    assert!(
        text.contains("60 tasks per minute is reached: wait 1001 ms"),
        "{text}"
    );
    assert_eq!(
        submit_code(&bob, build()).await,
        "ok",
        "others are not limited by it"
    );
    tokio::time::advance(SECOND).await;
    assert_eq!(submit_code(&ann, build()).await, "ok", "the limit refills");
    assert_eq!(submit_code(&ann, build()).await, "rate_limited");
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_type_of_task_has_a_limit_of_all_principals_together() {
    let limits = "[[rate_limits.task_types]]\npattern = \"test_*\"\nper_minute = 60\nburst = 1\n";
    let f = start(Mode::Testing, limits).await;
    f.orchestrator
        .register_agent(worker("w", &[]))
        .await
        .unwrap();
    let ann = f.orchestrator.as_principal("ann").unwrap();
    assert_eq!(
        submit_code(&f.orchestrator, Task::new("test_a")).await,
        "ok"
    );
    assert_eq!(submit_code(&ann, Task::new("test_b")).await, "rate_limited");
    assert_eq!(submit_code(&ann, Task::new("build")).await, "ok");
    tokio::time::advance(SECOND).await;
    assert_eq!(submit_code(&ann, Task::new("test_b")).await, "ok");
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_normal_fleet_is_not_limited_by_default() {
    let f = start(Mode::Testing, "").await;
    f.orchestrator
        .register_agent(worker("w", &["rust"]))
        .await
        .unwrap();
    for _ in 0..1_000 {
        let delegation = f.orchestrator.delegate_task(build()).await.unwrap();
        f.orchestrator
            .complete_task(&delegation, json!(1))
            .await
            .unwrap();
    }
    assert_eq!(f.orchestrator.plugins()[0].vetoes, 0);
}

#[tokio::test(start_paused = true)]
async fn payloads_are_limited_in_depth_and_keys() {
    let f = start(Mode::Testing, "payload_depth_max = 2\npayload_keys_max = 3").await;
    f.orchestrator
        .register_agent(worker("w", &["rust"]))
        .await
        .unwrap();
    for (payload, code) in [
        (json!({"a": [1], "b": 2, "c": 3}), "ok"),
        (json!([[[1]]]), "payload_too_deep"),
        (
            json!({"a": {"b": 1, "c": 2, "d": 3}}),
            "payload_too_many_keys",
        ),
    ] {
        let shown = payload.to_string();
        let code_now = submit_code(&f.orchestrator, build().payload(payload)).await;
        assert_eq!(code_now, code, "{shown}");
    }
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_block_ends_by_itself_or_is_lifted() {
    let f = fleet().await;
    f.register_pool_agent().await;
    let ci = f.as_identity("ci");
    f.service
        .block("ci", SECOND * 10, "password=hunter2 seen")
        .unwrap();
    let refused = ci.submit_task(build()).await.unwrap_err();
    assert_eq!(code_of(refused.reason()), "blocked");
    let blocked = f.service.blocked();
    assert_eq!((blocked.len(), blocked[0].principal.as_str()), (1, "ci"));
    assert!(!blocked[0].reason.contains("hunter2"));
    // A jump of the wall clock lifts no block.
    f.clock.advance(SECOND * 60);
    assert_eq!(submit_code(&ci, build()).await, "blocked");
    tokio::time::advance(SECOND * 10).await;
    assert_eq!(submit_code(&ci, build()).await, "ok");
    f.service.block("ci", SECOND * 10, "").unwrap();
    assert_eq!(submit_code(&ci, build()).await, "blocked");
    assert!(f.service.unblock("ci").unwrap());
    assert!(!f.service.unblock("ci").unwrap());
    assert_eq!(submit_code(&ci, build()).await, "ok");
    for time in [Duration::ZERO, SECOND * 40_000_000] {
        assert!(f.service.block("ci", time, "").is_err());
    }
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_block_of_a_gateway_holds_under_every_name_that_it_uses() {
    let section = format!("{KEY}{FLEET}act_as = [\"user-*\"]\n");
    let f = start(Mode::Production, &section).await;
    let issued = f.service.issue("pool", HOUR).unwrap();
    let user = f.with_token("user-7", issued.token);
    f.service.block("pool", SECOND, "").unwrap();
    assert_eq!(submit_code(&user, build()).await, "blocked");
}

/// One rule, as a section.
fn rule(event: &str, action: &str) -> String {
    format!(
        "[[rules]]\nname = \"r\"\nevent = \"{event}\"\ncount = 2\nwindow_s = 60\nseverity = \"critical\"\naction = \"{action}\"\nblock_s = 30\n"
    )
}

#[tokio::test(start_paused = true)]
async fn a_rule_blocks_who_was_refused_too_often_and_the_block_ends() {
    let section = format!("{KEY}{FLEET}{}", rule("grant_refused", "block"));
    let f = start(Mode::Production, &section).await;
    f.register_pool_agent().await;
    let ci = f.as_identity("ci");
    for _ in 0..3 {
        assert_eq!(
            submit_code(&ci, Task::new("deploy")).await,
            "task_type_not_granted"
        );
    }
    assert_eq!(submit_code(&ci, build()).await, "blocked");
    assert_eq!(f.orchestrator.status().critical_alerts, 1);
    tokio::time::advance(SECOND * 30).await;
    assert_eq!(submit_code(&ci, build()).await, "ok");
    tokio::time::advance(SECOND * 30).await;
    assert_eq!(f.orchestrator.status().critical_alerts, 0);
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_alerts_once_in_its_window() {
    let section = format!("{KEY}{FLEET}{}", rule("auth_failure", "alert"));
    let f = start(Mode::Production, &section).await;
    let forged = f.with_text("ci", "x.y");
    for _ in 0..20 {
        assert_eq!(submit_code(&forged, build()).await, "invalid_token");
    }
    universal_orchestrator_testkit::settle().await;
    let alerts = f.orchestrator.status().alerts;
    let of_it: Vec<_> = alerts
        .iter()
        .filter(|a| a.text.contains("auth_failure"))
        .collect();
    assert_eq!(of_it.len(), 1, "{alerts:?}");
    assert!(
        of_it[0]
            .text
            .starts_with("ci: rule r: 3 of auth_failure within 60 s"),
        "{alerts:?}"
    );
    // The owner of the name is not locked out by it.
    f.register_pool_agent().await;
    assert_eq!(submit_code(&f.as_identity("ci"), build()).await, "ok");
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_puts_the_agents_of_a_principal_in_quarantine() {
    let section = format!("{KEY}{FLEET}{}", rule("grant_refused", "quarantine"));
    let f = start(Mode::Production, &section).await;
    let pool = f.as_identity("pool");
    pool.register_agent(worker("pool-1", &["rust"]))
        .await
        .unwrap();
    let ci = f.as_identity("ci");
    assert!(ci.delegate_task(build()).await.is_ok());
    for _ in 0..3 {
        let code = register_code(&pool, worker("pool-2", &["root"])).await;
        assert_eq!(code, "capability_not_granted");
    }
    universal_orchestrator_testkit::settle().await;
    let agent = f.orchestrator.agent(&"pool-1".try_into().unwrap()).unwrap();
    assert!(agent.quarantine_reason.unwrap().contains("rule r"));
    assert!(ci.delegate_task(build()).await.is_err());
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_other_events_are_counted_too() {
    for (event, task) in [
        ("rate_limited", build()),
        ("payload_refused", build().payload(json!([[1]]))),
        ("execution", build()),
    ] {
        let rate = match event {
            "rate_limited" => "[rate_limits]\nsubmits_per_minute = 1\n",
            _ => "",
        };
        let section = format!("payload_depth_max = 1\n{}{rate}", rule(event, "block"));
        let f = start(Mode::Testing, &section).await;
        f.orchestrator
            .register_agent(worker("w", &["rust"]))
            .await
            .unwrap();
        let mut codes = Vec::new();
        for _ in 0..5 {
            codes.push(submit_code(&f.orchestrator, task.clone()).await);
        }
        assert_eq!(codes.last().unwrap(), "blocked", "{event}: {codes:?}");
        assert_ne!(codes[2], "blocked", "{event}: {codes:?}");
        f.orchestrator.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_and_their_lives_are_bounded() {
    let section = format!("{KEY}tokens_max = 2\ntoken_lifetime_max_s = 60\n{FLEET}");
    let f = start(Mode::Production, &section).await;
    let service: &dyn SecurityService = f.service.as_ref();
    assert!(service.issue("ci", SECOND * 61).is_err());
    assert!(service.issue("ci", Duration::ZERO).is_err());
    assert!(service.issue("nobody", SECOND).is_err());
    let first = service.issue("ci", SECOND * 60).unwrap();
    let second = service.issue("ci", SECOND * 60).unwrap();
    assert_ne!(first.token.expose(), second.token.expose());
    let error = service.issue("ci", SECOND * 60).unwrap_err();
    assert!(error.to_string().contains("tokens_max"), "{error}");
}
