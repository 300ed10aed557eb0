//! What errors and views say to people: true, short, and with the remedy.

mod common;

use common::{aid, external, ms, plain, task, tid, with_config, worker};
use universal_orchestrator::plugin::PluginError;
use universal_orchestrator::{
    AgentError, AgentRole, Amount, CancellationToken, ConfigError, Decimal, IdError, Instant,
    OrchestratorConfig, Recorder, Refusal, StartError, Table, Task, TaskContext, TaskFault,
    UniversalOrchestrator, Value, agent_fn, json,
};

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

#[tokio::test(start_paused = true)]
async fn busy_agents_and_agents_that_are_away_are_told_apart() {
    let o = with_config(|c| {
        c.queue.queue_unroutable = true;
        c.max_concurrent_tasks = 2;
    })
    .await;
    let waits_for = |id: &str| {
        o.task(&tid(id))
            .unwrap()
            .view()
            .unwrap()
            .waiting_for
            .unwrap()
    };
    let queue = |id: &'static str| o.submit_task(task("x").id(id));
    let refusal = || async {
        let refused = o.delegate_task(task("x")).await.unwrap_err();
        refused.reason().to_string()
    };
    queue("1").await.unwrap();
    assert_eq!(waits_for("1"), "an agent with x: none is registered");
    o.submit_task(Task::new("t").id("any")).await.unwrap();
    assert_eq!(waits_for("any"), "an agent: none is registered");
    assert!(o.cancel_task(&tid("any")).await.is_ok());
    o.register_agent(external("a", &["x"])).await.unwrap();
    assert_eq!(waits_for("1"), "a capable agent to call next_task");
    let held = o.next_task(&aid("a"), ms(0)).await.unwrap().unwrap();
    queue("2").await.unwrap();
    assert_eq!(waits_for("2"), "a capable agent to be free (1 busy)");
    assert_eq!(
        refusal().await,
        "no capable agent is free (1 busy): submit_task queues, or register more agents"
    );
    o.register_agent(external("b", &["x"])).await.unwrap();
    o.sleep_agent(&aid("b")).await.unwrap();
    queue("3").await.unwrap();
    assert_eq!(
        waits_for("2"),
        "a capable agent to be free (1 busy, 1 not available), with 1 other task that needs the same"
    );
    assert_eq!(
        refusal().await,
        "no capable agent is free (1 busy, 1 not available): submit_task queues, or register more agents"
    );
    o.complete_task(held.delegation(), json!(1)).await.unwrap();
    o.drain_agent(&aid("a")).await.unwrap();
    assert_eq!(
        waits_for("3"),
        "a capable agent to be available (1 sleeping, 1 draining), with 1 other task that needs the same"
    );
    assert_eq!(
        refusal().await,
        "no capable agent is available (1 sleeping, 1 draining): wake or release one"
    );
    o.register_agent(external("c", &["y"]).concurrency(2))
        .await
        .unwrap();
    o.delegate_task(task("y")).await.unwrap();
    o.delegate_task(task("y")).await.unwrap();
    o.cancel_task(&tid("3")).await.unwrap();
    assert_eq!(
        waits_for("2"),
        "its turn: max_concurrent_tasks 2 are in flight"
    );
}

/// What `main` prints of an error that it returns.
#[tokio::test(start_paused = true)]
async fn a_start_that_fails_in_main_says_what_to_do() {
    let start = |toml: &str| {
        let config = OrchestratorConfig::from_toml_str(toml).unwrap();
        UniversalOrchestrator::start(config)
    };
    let error = start("plugins.required = [\"security\"]")
        .await
        .unwrap_err();
    let shown = format!("{:?}", Box::<dyn std::error::Error>::from(error));
    assert_eq!(
        shown,
        "plugin \"security\" is required and not linked (linked: none): add its crate to Cargo.toml and write `use its_crate as _;` in the program; plugins of this project can also come as a feature of universal-orchestrator-bundle"
    );
    let error = StartError::Config(ConfigError::Read {
        path: "o.toml".into(),
        source: std::io::Error::other("it is locked"),
    });
    assert_eq!(
        format!("{error:?}"),
        "cannot read the configuration file `o.toml`: it is locked"
    );
    let source = PluginError::failed("no licence");
    let error = StartError::Plugin { name: "p", source };
    assert_eq!(
        format!("{error:#?}"),
        "plugin \"p\" did not start: no licence",
        "the cause is told once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_comes_after_texts_and_ids_alike() {
    let o = plain().await;
    o.register_agent(external("a", &["x"])).await.unwrap();
    o.submit_task(task("x").id("1")).await.unwrap();
    let two = tid("2");
    o.submit_task(task("x").id(&two).after("1")).await.unwrap();
    let both = task("x").after(String::from("1")).after(&two).after(two);
    let third = o.submit_task(both).await.unwrap();
    assert_eq!(
        third.view().unwrap().waiting_for.as_deref(),
        Some("2 tasks that it comes after")
    );
    let refused = o.submit_task(task("x").after("")).await.unwrap_err();
    assert!(matches!(
        refused.reason(),
        Refusal::Invalid(TaskFault::Id(IdError::Empty { kind: "task id" }))
    ));
}

/// A program names no other crate for what the API shows of it.
#[tokio::test(start_paused = true)]
async fn what_the_api_shows_of_other_crates_is_exported() {
    fn takes_any_recorder<R: Recorder + Send + Sync + 'static>(
        recorder: R,
    ) -> universal_orchestrator::OrchestratorBuilder {
        UniversalOrchestrator::builder().metrics_recorder(recorder)
    }
    drop(takes_any_recorder(
        metrics_util::debugging::DebuggingRecorder::new(),
    ));
    let o = plain().await;
    let agent = agent_fn(|_: Value, context: TaskContext| async move {
        let token: CancellationToken = context.cancellation().clone();
        context.charge(Amount::money(Decimal::ONE))?;
        Ok::<_, AgentError>(token.is_cancelled())
    });
    o.register_agent(worker("w", &["x"], agent)).await.unwrap();
    let until = Instant::now() + ms(1_000);
    let outcome = o.execute(task("x").deadline(until)).await.unwrap();
    assert_eq!(outcome.result(), &json!(false));
    let settings: Table = o.config().plugins.settings("none");
    assert!(settings.is_empty());
}
