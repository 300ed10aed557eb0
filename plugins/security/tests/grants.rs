//! What an identity may do: what its roles grant, and nothing else.

mod common;

use common::*;
use universal_orchestrator::{AgentRole, AgentSpec, Mode, Task};
use universal_orchestrator_security::Request;

#[tokio::test(start_paused = true)]
async fn an_agent_cannot_register_what_its_identity_lacks() {
    let f = fleet().await;
    let pool = f.as_identity("pool");
    for (agent, code) in [
        (worker("pool-1", &["rust", "c_plus"]), "ok"),
        (worker("pool-2", &[]), "ok"),
        (
            worker("pool-3", &["rust", "root"]),
            "capability_not_granted",
        ),
        (worker("pool-4", &["Rust"]), "capability_not_granted"),
        (worker("pool-5", &["c"]), "capability_not_granted"),
        (worker("other", &["rust"]), "agent_id_not_granted"),
        (
            AgentSpec::new("pool-6", AgentRole::Security).capabilities(["rust"]),
            "role_not_granted",
        ),
    ] {
        let shown = format!("{agent:?}");
        assert_eq!(register_code(&pool, agent).await, code, "{shown}");
    }
    assert_eq!(f.orchestrator.status().agents.total, 2);
    let ci = f.as_identity("ci");
    let code = register_code(&ci, worker("pool-7", &["rust"])).await;
    assert_eq!(code, "role_not_granted", "a submitter registers nothing");
}

#[tokio::test(start_paused = true)]
async fn a_submitter_submits_and_requires_what_its_role_grants() {
    let f = fleet().await;
    let pool = f.as_identity("pool");
    pool.register_agent(worker("pool-1", &["rust", "c_plus"]))
        .await
        .unwrap();
    let ci = f.as_identity("ci");
    for (task, code) in [
        (Task::new("build").requires(["rust"]), "ok"),
        (Task::new("test_unit"), "ok"),
        (Task::new("test"), "task_type_not_granted"),
        (
            Task::new("deploy").requires(["rust"]),
            "task_type_not_granted",
        ),
        (
            Task::new("build").requires(["c_plus"]),
            "capability_not_granted",
        ),
        (
            Task::new("build").requires(["c_plus", "rust"]),
            "capability_not_granted",
        ),
    ] {
        let shown = format!("{task:?}");
        assert_eq!(submit_code(&ci, task.clone()).await, code, "{shown}");
        match ci.delegate_task(task).await {
            Ok(_) => assert_eq!(code, "ok", "{shown}"),
            Err(refused) => assert_eq!(code_of(refused.reason()), code, "{shown}"),
        }
    }
    assert_eq!(submit_code(&pool, build()).await, "task_type_not_granted");
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_calls_under_the_names_that_act_as_grants() {
    let section = format!("{KEY}{FLEET}act_as = [\"user-*\"]\n");
    let f = start(Mode::Production, &section).await;
    for (name, code) in [
        ("user-7", "task_type_not_granted"),
        ("user", "token_of_another"),
        ("ci", "token_of_another"),
    ] {
        let issued = f.service.issue("pool", HOUR).unwrap();
        let caller = f.with_token(name, issued.token);
        assert_eq!(submit_code(&caller, build()).await, code, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_without_a_token_get_what_unauthenticated_roles_grant() {
    let section = format!("unauthenticated_roles = [\"workers\"]\n{FLEET}");
    let f = start(Mode::Testing, &section).await;
    let nobody = &f.orchestrator;
    assert_eq!(
        register_code(nobody, worker("pool-1", &["rust"])).await,
        "ok"
    );
    let code = register_code(nobody, worker("pool-2", &["root"])).await;
    assert_eq!(code, "capability_not_granted");
    assert_eq!(submit_code(nobody, build()).await, "task_type_not_granted");
}

#[tokio::test(start_paused = true)]
async fn a_reconfiguration_changes_what_is_granted_at_once() {
    let f = fleet().await;
    f.register_pool_agent().await;
    let ci = f.as_identity("ci");
    assert_eq!(submit_code(&ci, build()).await, "ok");
    let without = format!("{KEY}{}", FLEET.replace("\"build\", ", ""));
    f.orchestrator
        .reconfigure_plugin("security", &without)
        .unwrap();
    assert_eq!(submit_code(&ci, build()).await, "task_type_not_granted");
    let gone = format!(
        "{KEY}{}",
        FLEET.replace("name = \"ci\"", "name = \"other\"")
    );
    f.orchestrator
        .reconfigure_plugin("security", &gone)
        .unwrap();
    assert_eq!(submit_code(&ci, build()).await, "invalid_token");
    // What does not fit changes nothing.
    let wrong = format!("{KEY}tokens_max = 0\n{FLEET}");
    assert!(
        f.orchestrator
            .reconfigure_plugin("security", &wrong)
            .is_err()
    );
    let other_key = "key_inline = \"another server key, also 32 bytes or more\"\n";
    for section in [FLEET.to_owned(), format!("{other_key}{FLEET}")] {
        let error = f
            .orchestrator
            .reconfigure_plugin("security", &section)
            .unwrap_err();
        assert!(error.to_string().contains("restart"), "{error}");
    }
    f.orchestrator.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_decision_explains_itself() {
    let f = fleet().await;
    let explain = |who: &str, request: Request| f.service.explain(who, &request).unwrap();
    let granted = explain("ci", Request::submit("test_unit", ["rust"]));
    assert!(granted.granted);
    assert_eq!(
        granted.reasons,
        [
            "\"test_unit\": granted by \"test_*\" in submit_types of role submitter",
            "\"rust\": granted by \"rust\" in require_capabilities of role submitter",
        ]
    );
    let refused = explain(
        "pool",
        Request::register("pool-1", "worker", ["rust", "root"]),
    );
    assert!(!refused.granted);
    assert_eq!(
        refused.reasons.last().unwrap(),
        "\"root\": not in register_capabilities: roles workers do not grant it"
    );
    assert!(!explain("pool", Request::submit("build", ["rust"])).granted);
    assert!(
        f.service
            .explain("nobody", &Request::submit("build", ["rust"]))
            .is_err()
    );
}
