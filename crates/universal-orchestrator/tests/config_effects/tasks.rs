//! `[tasks]`: limits of what comes in and of how long things take.

use serde_json::json;
use universal_orchestrator::{
    AgentChange, AgentError, CapabilitySet, FailureKind, OrchestratorConfig, Refused, ReportError,
    Task, TaskContext, TaskState, UniversalOrchestrator, agent_fn,
};

use crate::common::*;
use crate::*;

/// What each door says of a task.
async fn at_every_door(o: &UniversalOrchestrator, task: &Task) -> [Result<(), Refused>; 3] {
    [
        o.delegate_task(task.clone()).await.map(drop),
        o.submit_task(task.clone()).await.map(drop),
        o.execute(task.clone()).await.map(drop),
    ]
}

#[tokio::test(start_paused = true)]
async fn sizes_of_a_task_are_limited_at_every_door_to_the_last_byte() {
    let text = |bytes: usize| "x".repeat(bytes);
    // Each with what just fits and what does not.
    let cases: [Set<(Task, Task)>; 9] = [
        // Quotes count.
        (
            "tasks.payload_bytes_max",
            |c| c.tasks.payload_bytes_max = 10,
            (task("x").payload(text(8)), task("x").payload(text(9))),
        ),
        (
            "tasks.payload_bytes_max",
            |_| {},
            (
                task("x").payload(text(1_048_574)),
                task("x").payload(text(1_048_575)),
            ),
        ),
        (
            "tasks.payload_depth_max",
            |c| c.tasks.payload_depth_max = 2,
            (
                task("x").payload(json!([[1]])),
                task("x").payload(json!([[[1]]])),
            ),
        ),
        (
            "tasks.payload_depth_max",
            |c| c.tasks.payload_depth_max = 0,
            (task("x").payload(1), task("x").payload(json!([]))),
        ),
        (
            "agents.capabilities_max",
            |c| c.agents.capabilities_max = 1,
            (task("x"), Task::new("t").requires(["x", "y"])),
        ),
        (
            "tasks.labels_max",
            |c| c.tasks.labels_max = 1,
            (
                task("x").require_label("zone", "eu"),
                task("x")
                    .require_label("zone", "eu")
                    .require_label("rack", "1"),
            ),
        ),
        (
            "tasks.labels_max",
            |c| c.tasks.labels_max = 0,
            (task("x"), task("x").metadata("a", "b")),
        ),
        (
            "tasks.id_bytes_max",
            |c| c.tasks.id_bytes_max = 4,
            (task("x").id("1234"), task("x").id("12345")),
        ),
        (
            "tasks.id_bytes_max",
            |c| c.tasks.id_bytes_max = 4,
            (task("x"), Task::new("types").requires(["x"])),
        ),
    ];
    for (key, set, (fits, exceeds)) in cases {
        let o = with_config(set).await;
        let mut agent = worker("w", &["x"], echo());
        if o.config().tasks.labels_max > 0 {
            agent = agent.label("zone", "eu");
        }
        o.register_agent(agent).await.unwrap();
        for refused in at_every_door(&o, &exceeds).await {
            assert_names(refused, key);
        }
        assert_eq!(o.status().tasks.accepted, 0, "{key}");
        assert!(o.execute(fits).await.unwrap().is_success(), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn dependencies_are_limited() {
    for (max, refused) in [(2, true), (3, false)] {
        let o = with_config(|c| c.tasks.dependencies_max = max).await;
        o.register_agent(external("e", &["x"])).await.unwrap();
        let mut last = task("x");
        for id in ["a", "b", "c"] {
            o.submit_task(task("x").id(id)).await.unwrap();
            last = last.after(tid(id));
        }
        let result = o.submit_task(last).await;
        match refused {
            true => assert_names(result, "tasks.dependencies_max"),
            false => assert_eq!(o.status().queue.blocked, 1),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_too_large_is_refused_as_a_whole() {
    let o = with_config(|c| c.tasks.batch_max = 2).await;
    let agent = worker("w", &["x"], echo()).concurrency(9);
    o.register_agent(agent).await.unwrap();
    let batch = |n: usize| vec![task("x"); n];
    for refused in o.submit_tasks(batch(3)).await {
        assert_names(refused, "tasks.batch_max");
    }
    for refused in o.delegate_tasks(batch(3)).await {
        assert_names(refused, "tasks.batch_max");
    }
    for refused in o.execute_tasks(batch(3)).await {
        assert_names(refused, "tasks.batch_max");
    }
    assert_eq!(o.status().tasks.accepted, 0);
    let taken = o.execute_tasks(batch(2)).await;
    assert!(taken.iter().all(Result::is_ok), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_fails_its_task_or_is_refused() {
    let o = with_config(|c| c.tasks.result_bytes_max = 10).await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    o.register_agent(external("e", &["y"])).await.unwrap();
    let run = |bytes: usize| o.execute(task("x").payload("x".repeat(bytes)));
    assert!(run(8).await.unwrap().is_success());
    let outcome = run(9).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::ResultRefused));
    let text = outcome.failure().unwrap().message();
    assert!(text.contains("tasks.result_bytes_max"), "{text}");
    let d = o.delegate_task(task("y")).await.unwrap();
    let error = o.complete_task(&d, "x".repeat(9)).await.unwrap_err();
    assert!(
        error.to_string().contains("tasks.result_bytes_max"),
        "{error}"
    );
    assert!(!matches!(error, ReportError::AlreadyOver { .. }));
    o.complete_task(&d, "x".repeat(8)).await.unwrap();
}

/// Without what is periodic, so that hours pass at once.
fn quiet(c: &mut OrchestratorConfig) {
    c.health_check_interval_ms = 0;
    c.tick_interval_ms = 0;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_the_configured_time_unless_it_asks_for_less() {
    let cases: [Set<(Option<u64>, u64)>; 4] = [
        ("default", |_| {}, (None, 3_600)),
        (
            "configured",
            |c| c.tasks.attempt_timeout_ms = 20_000,
            (None, 20),
        ),
        (
            "asks for less",
            |c| c.tasks.attempt_timeout_ms = 20_000,
            (Some(5), 5),
        ),
        (
            "asks for more",
            |c| c.tasks.attempt_timeout_ms = 20_000,
            (Some(90), 20),
        ),
    ];
    for (what, set, (asked, seconds)) in cases {
        let o = with_config(|c| {
            quiet(c);
            set(c);
        })
        .await;
        o.register_agent(worker("w", &["x"], stuck()))
            .await
            .unwrap();
        let mut given = task("x");
        if let Some(asked) = asked {
            given = given.attempt_timeout(secs(asked));
        }
        let begun = tokio::time::Instant::now();
        let outcome = o.execute(given).await.unwrap();
        assert_eq!(outcome.failure_kind(), Some(FailureKind::AttemptTimeout));
        assert_eq!(begun.elapsed(), secs(seconds), "{what}");
    }
    let o = with_config(|c| {
        quiet(c);
        c.tasks.attempt_timeout_ms = 0;
    })
    .await;
    o.register_agent(worker("w", &["x"], stuck()))
        .await
        .unwrap();
    let handle = o.submit_task(task("x")).await.unwrap();
    tokio::time::sleep(secs(100 * 3_600)).await;
    assert_eq!(
        handle.view().unwrap().state,
        TaskState::Running,
        "0: no limit"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_cut_to_the_longest_that_may_be() {
    for (max, asked, seconds) in [
        (10_000, None, Some(10)),
        (10_000, Some(60), Some(10)),
        (10_000, Some(4), Some(4)),
        (0, Some(60), Some(60)),
        (0, None, None),
    ] {
        let o = with_config(|c| c.tasks.deadline_max_ms = max).await;
        let agent = agent_fn(|_: (), context: TaskContext| async move {
            let left = context.deadline().map(|at| {
                let left = at.saturating_duration_since(tokio::time::Instant::now());
                left.as_secs()
            });
            Ok::<_, AgentError>(left)
        });
        o.register_agent(worker("w", &["x"], agent)).await.unwrap();
        let mut given = task("x");
        if let Some(asked) = asked {
            given = given.deadline_in(secs(asked));
        }
        let outcome = o.execute(given).await.unwrap();
        assert_eq!(outcome.result(), &json!(seconds), "{max}, {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_attempt_has_its_grace_and_no_more() {
    for grace in [0, 3_000] {
        let o = with_config(|c| c.tasks.cancel_grace_ms = grace).await;
        o.register_agent(worker("w", &["x"], stuck()))
            .await
            .unwrap();
        let handle = o.submit_task(task("x")).await.unwrap();
        settle().await;
        handle.cancel();
        if grace > 0 {
            tokio::time::sleep(ms(grace - 5)).await;
            assert_eq!(o.status().agents.zombies, 1, "{grace}");
        }
        tokio::time::sleep(ms(10)).await;
        assert_eq!(o.status().agents.zombies, 0, "{grace}");
    }
}

#[tokio::test(start_paused = true)]
async fn children_may_be_switched_off_by_depth_or_number() {
    let cases: [Set<Option<&str>>; 3] = [
        ("defaults", |_| {}, None),
        (
            "depth",
            |c| c.tasks.child_depth_max = 0,
            Some("tasks.child_depth_max"),
        ),
        (
            "number",
            |c| c.tasks.children_max = 0,
            Some("tasks.children_max"),
        ),
    ];
    for (what, set, key) in cases {
        let o = with_config(set).await;
        o.register_agent(worker("c", &["child"], echo()))
            .await
            .unwrap();
        let parent = agent_fn(|_: (), context: TaskContext| async move {
            let child = context.execute_child(task("child")).await;
            Ok::<_, AgentError>(child.err().map(|refused| refused.to_string()))
        });
        o.register_agent(worker("p", &["parent"], parent))
            .await
            .unwrap();
        let outcome = o.execute(task("parent")).await.unwrap();
        let told = outcome.result().as_str();
        assert_eq!(told.is_some(), key.is_some(), "{what}: {told:?}");
        assert!(told.unwrap_or("").contains(key.unwrap_or("")), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn dead_letters_may_be_switched_off() {
    for (max, kept) in [(0, 0), (2, 2), (9, 3)] {
        let o = with_config(|c: &mut OrchestratorConfig| c.tasks.dead_letters_max = max).await;
        o.register_agent(external("e", &["x"])).await.unwrap();
        for _ in 0..3 {
            let d = o.delegate_task(task("x")).await.unwrap();
            let failure = universal_orchestrator::TaskFailure::permanent("no");
            o.fail_task(&d, failure).await.unwrap();
        }
        assert_eq!(o.dead_letters().len(), kept, "{max}");
        assert_eq!(o.status().tasks.dead_letters, kept, "{max}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_progress_finds_the_newest_reports() {
    // The channel keeps a power of two.
    for (buffer, lost) in [(4, 6), (8, 2), (64, 0)] {
        let o = with_config(|c| c.tasks.progress_buffer = buffer).await;
        o.register_agent(external("e", &["x"])).await.unwrap();
        let d = o.delegate_task(task("x")).await.unwrap();
        let mut progress = o.task(d.task()).unwrap().progress();
        for n in 0..10 {
            o.report_progress(&d, n).await.unwrap();
        }
        let first = progress.next().await.unwrap();
        assert_eq!((progress.lost(), &*first), (lost, &json!(lost)), "{buffer}");
    }
}

#[tokio::test(start_paused = true)]
async fn ids_of_agents_and_capabilities_are_limited_too() {
    let o = with_config(|c| c.tasks.id_bytes_max = 4).await;
    let says = |what| format!("{what} has 5 bytes, the limit tasks.id_bytes_max is 4: shorten it");
    for (spec, what) in [
        (external("agent", &["x"]), "agent id"),
        (external("a", &["speed", "x"]), "capability \"speed\""),
    ] {
        let refused = o.register_agent(spec).await.unwrap_err();
        assert_eq!(refused.reason().to_string(), says(what));
    }
    let id = o.register_agent(external("abcd", &["efgh"])).await.unwrap();
    let change = AgentChange::new().capabilities(CapabilitySet::new(["speed"]).unwrap());
    let refused = o.update_agent(&id, change).await.unwrap_err();
    assert_eq!(refused.to_string(), says("capability \"speed\""));
}
