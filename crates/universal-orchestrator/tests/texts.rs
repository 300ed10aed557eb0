//! What errors and views say to people: true, short, and with the remedy.

mod common;

use common::{external, plain, task, with_config, worker};
use universal_orchestrator::{AgentError, AgentRole, Task, agent_fn};

#[tokio::test(start_paused = true)]
async fn a_refusal_for_want_of_an_agent_names_all_that_was_asked_for() {
    let o = plain().await;
    let says = |task: Task| {
        let refused = o.delegate_task(task);
        async move { refused.await.unwrap_err().reason().to_string() }
    };
    assert_eq!(
        says(Task::new("t")).await,
        "no agent is registered that fits: register one"
    );
    o.register_agent(external("a", &["python", "straße"]))
        .await
        .unwrap();
    for (task, expected) in [
        (
            task("python").role(AgentRole::Security),
            "python with role security",
        ),
        (
            task("python").require_label("zone", "eu"),
            "python with label zone=eu",
        ),
        (
            task("python")
                .role(AgentRole::Security)
                .require_label("zone", "eu"),
            "python with role security and label zone=eu",
        ),
        (
            Task::new("t")
                .role(AgentRole::Monitor)
                .require_label("b", "2")
                .require_label("a", "1"),
            "role monitor and labels a=1, b=2",
        ),
        (
            task("Python"),
            "Python (names are case-sensitive: there is \"python\")",
        ),
        (
            task("STRAßE"),
            "STRAßE (names are case-sensitive: there is \"straße\")",
        ),
        (
            Task::new("t").requires(["python", "rust"]),
            "python, rust (nobody has \"rust\")",
        ),
    ] {
        assert_eq!(
            says(task).await,
            format!("no agent registered has {expected}: register one")
        );
    }
    let long = "x".repeat(250);
    let text = says(
        task(&long)
            .require_label(&long, &long)
            .role(AgentRole::Monitor),
    )
    .await;
    assert!(text.len() < 500 && text.contains('…'), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_nobody_fitted_in_time_says_what_it_asked_for() {
    let o = with_config(|c| {
        c.queue.queue_unroutable = true;
        c.queue.unroutable_ttl_ms = 50;
    })
    .await;
    for (task, demand) in [
        (Task::new("t"), "the task"),
        (task("x").role(AgentRole::Monitor), "x with role monitor"),
    ] {
        let outcome = o.execute(task).await.unwrap();
        assert_eq!(
            outcome.failure().unwrap().message(),
            format!("no registered agent fitted {demand} for queue.unroutable_ttl_ms 50")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_agent_is_called_one_once() {
    let o = plain().await;
    let agent = agent_fn(|text: bool, _| async move {
        if text {
            std::panic::panic_any("told to");
        }
        std::panic::panic_any(7);
        #[expect(unreachable_code, reason = "it says what the future returns")]
        Ok::<(), AgentError>(())
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    for (text, expected) in [
        (true, "panicked: told to"),
        (false, "panicked: the agent gave no text"),
    ] {
        let outcome = o.execute(task("x").payload(text)).await.unwrap();
        assert_eq!(outcome.failure().unwrap().to_string(), expected);
    }
}
