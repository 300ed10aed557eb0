//! Who gets in: nobody without a token that holds.

mod common;

use std::time::{Duration, SystemTime};

use common::*;
use universal_orchestrator::{Mode, Principal, Task, json};
use universal_orchestrator_security::BearerToken;

#[tokio::test(start_paused = true)]
async fn in_production_nothing_anonymous_gets_in_by_any_door() {
    let f = fleet().await;
    f.register_pool_agent().await;
    let named = f.orchestrator.as_principal("ann").unwrap();
    for caller in [&f.orchestrator, &named] {
        assert_eq!(submit_code(caller, build()).await, "unauthenticated");
        let refused = caller.delegate_task(build()).await.unwrap_err();
        assert_eq!(code_of(refused.reason()), "unauthenticated");
        let refused = caller.execute(build()).await.unwrap_err();
        assert_eq!(code_of(refused.reason()), "unauthenticated");
        let code = register_code(caller, worker("pool-2", &["rust"])).await;
        assert_eq!(code, "unauthenticated");
    }
    assert_eq!(f.orchestrator.status().agents.total, 1);
    assert_eq!(f.orchestrator.status().tasks.active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_holds_lets_its_owner_register_delegate_and_complete() {
    let f = fleet().await;
    let agent = f.register_pool_agent().await;
    let ci = f.as_identity("ci");
    for _ in 0..3 {
        let delegation = ci.delegate_task(build()).await.unwrap();
        assert_eq!(delegation.agent(), &agent);
        f.orchestrator
            .complete_task(&delegation, json!(1))
            .await
            .unwrap();
    }
    assert_eq!(f.orchestrator.status().tasks.active, 0);
    assert_eq!(f.orchestrator.plugins()[0].vetoes, 0);
}

#[tokio::test(start_paused = true)]
async fn the_other_modes_let_callers_in_without_a_token_but_not_under_the_name_of_an_identity() {
    for mode in [Mode::Development, Mode::Testing, Mode::Sandbox] {
        let f = start(mode, FLEET).await;
        let code = register_code(&f.orchestrator, worker("any", &["rust"])).await;
        assert_eq!(code, "ok", "{mode:?}");
        assert_eq!(submit_code(&f.orchestrator, build()).await, "ok");
        let claimed = f.orchestrator.as_principal("ci").unwrap();
        assert_eq!(submit_code(&claimed, build()).await, "unauthenticated");
        // A credential that is shown has to hold in every mode.
        let forged = f.with_text("ann", "nobody.nothing");
        assert_eq!(submit_code(&forged, build()).await, "invalid_token");
        f.orchestrator.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_require_authentication_wins_over_the_mode() {
    let required = start(Mode::Testing, "require_authentication = true").await;
    let code = submit_code(&required.orchestrator, build()).await;
    assert_eq!(code, "unauthenticated");
    let open = start(Mode::Production, "require_authentication = false").await;
    let code = register_code(&open.orchestrator, worker("any", &["rust"])).await;
    assert_eq!(code, "ok");
}

#[tokio::test(start_paused = true)]
async fn forged_malformed_and_unknown_tokens_are_refused_and_look_the_same() {
    let f = fleet().await;
    let issued = f.service.issue("ci", HOUR).unwrap();
    let (id, secret) = issued.token.expose().split_once('.').unwrap();
    let long = "x".repeat(100_000);
    let mut almost = secret.to_owned();
    let last = if almost.pop() == Some('A') { 'B' } else { 'A' };
    almost.push(last);
    let texts = [
        String::new(),
        ".".to_owned(),
        "x".repeat(64),
        format!("{id}."),
        format!("{id}.{}", "A".repeat(43)),
        format!("{id}.{almost}"),
        format!("{id}.{secret} "),
        format!("{id}.{secret}.{secret}"),
        format!("other.{secret}"),
        format!("../{id}.{secret}"),
        format!("{id}.{long}"),
        "ünïcödé.secret".to_owned(),
        issued.hash.clone(),
        format!("{id}.{}", issued.hash),
    ];
    let mut answers = Vec::new();
    for text in &texts {
        let caller = f.with_text("ci", text);
        let refused = caller.submit_task(build()).await.unwrap_err();
        assert_eq!(code_of(refused.reason()), "invalid_token", "{text:.80}");
        answers.push(refused.to_string());
        let code = register_code(&caller, worker("pool-9", &["rust"])).await;
        assert_eq!(code, "invalid_token", "{text:.80}");
    }
    answers.dedup();
    assert_eq!(
        answers.len(),
        1,
        "no answer tells how close it was: {answers:?}"
    );
}

/// D15 of the original: any token of 32 characters or more was accepted with every permission.
#[tokio::test(start_paused = true)]
async fn a_long_token_that_was_never_issued_gets_nothing() {
    let f = fleet().await;
    for length in [31, 32, 33, 64, 128, 512] {
        for letter in ["a", "A", "0", "_"] {
            let caller = f.with_text("ci", &letter.repeat(length));
            assert_eq!(submit_code(&caller, build()).await, "invalid_token");
            let code = register_code(&caller, worker("pool-1", &["rust"])).await;
            assert_eq!(code, "invalid_token");
        }
    }
    assert_eq!(f.orchestrator.status().agents.total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_proves_the_name_that_it_was_issued_for_and_no_other() {
    let f = fleet().await;
    f.register_pool_agent().await;
    for name in ["pool", "ci2", "CI", "anonymous"] {
        let issued = f.service.issue("ci", HOUR).unwrap();
        let caller = f.with_token(name, issued.token);
        assert_eq!(submit_code(&caller, build()).await, "token_of_another");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_orchestrator_is_unknown_even_after_it_was_verified_there() {
    let (here, there) = (fleet().await, fleet().await);
    here.register_pool_agent().await;
    let issued = here.service.issue("ci", HOUR).unwrap();
    let principal = Principal::new("ci").unwrap().with_credential(issued.token);
    let ci = here.orchestrator.as_principal(&principal).unwrap();
    assert_eq!(submit_code(&ci, build()).await, "ok");
    let stranger = there.orchestrator.as_principal(&principal).unwrap();
    assert_eq!(submit_code(&stranger, build()).await, "invalid_token");
    assert_eq!(submit_code(&ci, build()).await, "ok");
    here.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_expires_by_the_wall_clock_and_does_not_come_back_with_it() {
    let f = fleet().await;
    f.register_pool_agent().await;
    let before = f.clock.clone();
    let ci = f.as_identity("ci");
    f.clock.advance(HOUR - Duration::from_millis(1));
    assert_eq!(submit_code(&ci, build()).await, "ok");
    f.clock.advance(Duration::from_millis(1));
    assert_eq!(submit_code(&ci, build()).await, "token_expired");
    before.set(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    assert_eq!(
        submit_code(&ci, build()).await,
        "token_expired",
        "the clock was set back"
    );
    let health = &f.orchestrator.plugins()[0].health;
    assert!(
        health.detail.as_ref().unwrap().contains("wall clock"),
        "{health:?}"
    );
    f.clock.set(SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    let fresh = f.with_text("ci", "x.y");
    assert_eq!(submit_code(&fresh, build()).await, "clock_unusable");
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_refused_from_the_next_call_on() {
    let f = fleet().await;
    f.register_pool_agent().await;
    let issued = f.service.issue("ci", HOUR).unwrap();
    let id = issued.id.clone();
    let ci = f.with_token("ci", issued.token);
    assert_eq!(submit_code(&ci, build()).await, "ok");
    f.service.revoke(&id).unwrap();
    assert_eq!(submit_code(&ci, build()).await, "token_revoked");
    assert!(f.service.tokens().iter().any(|t| t.id == id && t.revoked));
    assert!(f.service.revoke("unknown").is_err());
    // Neither a reconfiguration nor a rotation brings it back.
    let section = format!("{KEY}{FLEET}");
    f.orchestrator
        .reconfigure_plugin("security", &section)
        .unwrap();
    assert_eq!(submit_code(&ci, build()).await, "token_revoked");
    assert!(f.service.rotate(&id, HOUR, HOUR).is_err());
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_under_a_revoked_token_does_not_run() {
    let f = fleet().await;
    f.register_pool_agent().await;
    f.orchestrator.pause_queue();
    let issued = f.service.issue("ci", HOUR).unwrap();
    let ci = f.with_token("ci", issued.token);
    let waiting = ci.submit_task(build()).await.unwrap();
    let expiring = f.as_identity("ci").submit_task(build()).await.unwrap();
    f.service.revoke(&issued.id).unwrap();
    f.clock.advance(HOUR * 2);
    f.orchestrator.resume_queue();
    let agent = "pool-1".try_into().unwrap();
    // The token of this one has expired since; it was accepted in time.
    let pulled = f
        .orchestrator
        .next_task(&agent, Duration::ZERO)
        .await
        .unwrap();
    let pulled = pulled.expect("one of the two");
    assert_eq!(pulled.delegation().task(), expiring.id());
    f.orchestrator
        .complete_task(pulled.delegation(), json!(1))
        .await
        .unwrap();
    let outcome = waiting.outcome().await.unwrap();
    assert!(!outcome.is_success());
    let text = outcome.failure().unwrap().message().to_owned();
    assert!(text.contains("token_revoked"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn both_tokens_hold_during_a_rotation_and_the_old_one_ends_after_it() {
    let f = fleet().await;
    f.register_pool_agent().await;
    let old = f.service.issue("ci", HOUR).unwrap();
    let old_id = old.id.clone();
    let with_old = f.with_token("ci", old.token);
    assert_eq!(submit_code(&with_old, build()).await, "ok");
    let minute = Duration::from_secs(60);
    let new = f.service.rotate(&old_id, minute, HOUR).unwrap();
    let with_new = f.with_token("ci", new.token);
    assert_eq!(submit_code(&with_old, build()).await, "ok");
    assert_eq!(submit_code(&with_new, build()).await, "ok");
    f.clock.advance(minute);
    assert_eq!(submit_code(&with_old, build()).await, "token_expired");
    assert_eq!(submit_code(&with_new, build()).await, "ok");
    assert!(f.service.rotate(&old_id, minute, HOUR).is_err());
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_in_the_configuration_holds_by_its_hash_until_it_expires() {
    let f = fleet().await;
    let issued = f.service.issue("ci", HOUR).unwrap();
    let text = issued.token.expose().to_owned();
    let (id, hash) = (&issued.id, &issued.hash);
    let token = format!(
        "[[identities.tokens]]\nid = \"{id}\"\nhash = \"{hash}\"\nexpires_at = \"2027-06-01T00:00:00Z\"\n"
    );
    let section = FLEET.replacen(
        "[[identities]]\nname = \"pool\"",
        &format!("{token}\n[[identities]]\nname = \"pool\""),
        1,
    );
    let restarted = start(Mode::Production, &format!("{KEY}{section}")).await;
    restarted.register_pool_agent().await;
    let ci = restarted.with_text("ci", &text);
    assert_eq!(submit_code(&ci, build()).await, "ok");
    let view = restarted
        .service
        .tokens()
        .into_iter()
        .find(|t| t.id == *id)
        .unwrap();
    assert!(!view.issued && view.expires_at.is_some());
    restarted
        .clock
        .set(SystemTime::UNIX_EPOCH + Duration::from_secs(1_811_808_000));
    assert_eq!(submit_code(&ci, build()).await, "token_expired");
    // With another server key the same hash fits nothing.
    let other = "key_inline = \"another server key, also 32 bytes or more\"\n";
    let other = start(Mode::Production, &format!("{other}{section}")).await;
    assert_eq!(
        submit_code(&other.with_text("ci", &text), build()).await,
        "invalid_token"
    );
    restarted.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn children_of_a_task_come_under_the_same_token() {
    let section = format!(
        "{KEY}{}",
        FLEET
            .replace("\"c_*\"]", "\"c_*\", \"plan\"]")
            .replace("[\"rust\"]\n\n", "[\"rust\", \"plan\"]\n\n")
    );
    let f = start(Mode::Production, &section).await;
    let pool = f.as_identity("pool");
    let planner = universal_orchestrator::agent_fn(
        async |kind: String, context: universal_orchestrator::TaskContext| {
            let child = Task::new(kind).requires(["rust"]);
            match context.execute_child(child).await {
                Ok(outcome) => {
                    Ok::<_, universal_orchestrator::AgentError>(json!(outcome.is_success()))
                }
                Err(refused) => Ok(json!(refused.to_string())),
            }
        },
    );
    pool.register_agent(worker("pool-p", &["plan"]).in_process(planner))
        .await
        .unwrap();
    let echo = universal_orchestrator_testkit::ScriptedAgent::succeeds(1);
    pool.register_agent(worker("pool-r", &["rust"]).in_process(echo))
        .await
        .unwrap();
    let ci = f.as_identity("ci");
    let plan = |kind: &str| Task::new("build").requires(["plan"]).payload(kind);
    let outcome = ci.execute(plan("test_unit")).await.unwrap();
    assert_eq!(outcome.result(), &json!(true));
    let outcome = ci.execute(plan("deploy")).await.unwrap();
    let text = outcome.result().as_str().unwrap().to_owned();
    assert!(text.contains("task_type_not_granted"), "{text}");
}

#[test]
fn a_token_is_not_shown() {
    let token = BearerToken::new("ci-1.very-secret");
    let principal = Principal::new("ci").unwrap().with_credential(token);
    assert!(!format!("{principal:?}").contains("very-secret"));
    let shown = format!("{:?}", principal.credential::<BearerToken>());
    assert_eq!(shown, "Some(BearerToken(<redacted>))");
}
