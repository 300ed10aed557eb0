//! Every door and every report given what nobody should send: a typed error that says what is wrong, and nothing changed.

mod common;
mod hostile;

use std::time::Duration;

use common::{aid, echo, external, plain, secs, task, tid, with_config, worker};
use hostile::{MEGABYTE, bad_texts, check_text, standing};
use serde_json::{Value, json};
use tokio::time::Instant;
use universal_orchestrator::{
    Amount, BudgetError, Capability, Delegation, FailureKind, IdError, Key, Limits, PrincipalName,
    Refusal, Refused, ReportError, RetryPolicy, RunId, Task, TaskFailure, TaskFault, TaskFilter,
    TaskId, TaskState, TaskType, Tenant, UniversalOrchestrator,
};

#[test]
fn no_identifier_takes_what_is_not_one() {
    fn refuses<I>(kind: &str, new: impl Fn(&str) -> Result<I, IdError>)
    where
        I: std::fmt::Debug + serde::de::DeserializeOwned,
    {
        for (text, says) in bad_texts() {
            let error = new(&text).unwrap_err();
            check_text(&error, &[kind, says]);
            assert!(serde_json::from_value::<I>(json!(text)).is_err());
        }
        // Exact texts, not what they look like: nothing is normalised, and 256 bytes are the limit.
        for odd in ["é", "e\u{301}", "\u{202e}txt", "a\u{200b}", "\u{feff}", " "] {
            assert_eq!(format!("{:?}", new(odd).unwrap()), format!("{odd:?}"));
        }
        assert!(new(&"🦀".repeat(64)).is_ok());
        check_text(&new(&"🦀".repeat(65)).unwrap_err(), &["260 bytes", "256"]);
    }
    refuses("agent id", |t| universal_orchestrator::AgentId::new(t));
    refuses("task type", |t| TaskType::new(t));
    refuses("capability", |t| Capability::new(t));
    refuses("tenant", |t| Tenant::new(t));
    refuses("run id", |t| RunId::new(t));
    refuses("principal", |t| PrincipalName::new(t));
    refuses("key", |t| Key::new(t));
    for (text, says) in bad_texts() {
        check_text(&TaskId::new(&text).unwrap_err(), &["task id", says]);
        assert!(serde_json::from_value::<TaskId>(json!(text)).is_err());
    }
    assert_ne!(tid("é"), tid("e\u{301}"));
}

/// Gives a task to every door and returns what each said.
async fn at_every_door(o: &UniversalOrchestrator, task: &Task) -> Vec<Result<String, Refused>> {
    let one = || vec![task.clone()];
    let text = |id: &TaskId| id.to_string();
    let mut said = vec![
        o.delegate_task(task.clone()).await.map(|d| text(d.task())),
        o.submit_task(task.clone()).await.map(|h| text(h.id())),
        o.submit_task_wait(task.clone()).await.map(|h| text(h.id())),
        o.submit_or_get(task.clone()).await.map(|h| text(h.id())),
        o.execute(task.clone()).await.map(|x| text(x.task())),
    ];
    said.extend(
        o.delegate_tasks(one())
            .await
            .into_iter()
            .map(|r| r.map(|d| text(d.task()))),
    );
    said.extend(
        o.submit_tasks(one())
            .await
            .into_iter()
            .map(|r| r.map(|h| text(h.id()))),
    );
    said.extend(
        o.execute_tasks(one())
            .await
            .into_iter()
            .map(|r| r.map(|x| text(x.task()))),
    );
    said
}

/// What is wrong with a task, and what its refusal must say.
fn malformed() -> Vec<(Task, Vec<&'static str>)> {
    let many = |n: usize| (0..n).map(|i| format!("c{i}"));
    let mut cases = Vec::new();
    for (text, says) in bad_texts() {
        let t = || task("a");
        cases.extend([
            (Task::new(&text), vec!["task type", says]),
            (t().id(text.as_str()), vec!["task id", says]),
            (t().requires(["ok", &text]), vec!["capability", says]),
            (t().concurrency_key(&text), vec!["key", says]),
            (t().affinity_key(&text), vec!["key", says]),
            (t().tenant(&text), vec!["tenant", says]),
            (t().run(&text), vec!["run id", says]),
            (t().require_label(&text, "v"), vec!["label", says]),
            (t().metadata(&text, "v"), vec!["metadata", says]),
        ]);
    }
    let mut labelled = task("a");
    let mut noted = task("a");
    let mut late = task("a");
    for i in 0..5_000 {
        labelled = labelled.require_label(&format!("l{i}"), "v");
        noted = noted.metadata(&format!("m{i}"), "v");
        late = late.after(tid(&format!("t{i}")));
    }
    let too_long = "x".repeat(MEGABYTE);
    cases.extend([
        (labelled, vec!["labels", "5000", "tasks.labels_max is 32"]),
        (noted, vec!["metadata", "5000", "tasks.labels_max is 32"]),
        (late, vec!["5000", "tasks.dependencies_max is 64"]),
        (
            task("a").requires(many(5_000)),
            vec!["capabilities", "5000", "agents.capabilities_max is 64"],
        ),
        (
            task("a").payload(too_long.as_str()),
            vec!["payload", "1048578", "tasks.payload_bytes_max is 1048576"],
        ),
        (
            task("a").payload(vec![Value::Null; 400_000]),
            vec!["payload", "tasks.payload_bytes_max is 1048576"],
        ),
        (
            task("a").require_label("l", &too_long),
            vec!["label", "1048576 bytes", "256"],
        ),
        (
            task("a").require_label("l", "a\u{1b}b"),
            vec!["label", "control character"],
        ),
        (
            task("a").metadata("m", &"x".repeat(2 * MEGABYTE)),
            vec!["metadata", "2097153 bytes", "1048576"],
        ),
    ]);
    cases
}

#[tokio::test(start_paused = true)]
async fn no_door_takes_a_malformed_task() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    let before = standing(&o);
    for (task, says) in malformed() {
        let refused_before = o.status().tasks.refused;
        let said = at_every_door(&o, &task).await;
        assert_eq!(said.len(), 8);
        let doors = said.len() as u64;
        for answer in said {
            let refused = answer.unwrap_err();
            check_text(&refused, &says);
            assert!(
                matches!(refused.reason(), Refusal::Invalid(_)),
                "{refused:.200}"
            );
            // It comes back as it was given.
            assert_eq!(refused.task().chosen_id(), task.chosen_id());
            assert_eq!(refused.task().payload_value(), task.payload_value());
            assert_eq!(refused.into_task().required(), task.required());
        }
        assert_eq!(o.status().tasks.refused, refused_before + doors);
        assert_eq!(standing(&o), before, "{says:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn times_and_dependencies_that_cannot_be_are_refused() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    tokio::time::advance(secs(10)).await;
    let before = standing(&o);
    let passed = Instant::now() - secs(5);
    for answer in at_every_door(&o, &task("a").deadline(passed)).await {
        check_text(&answer.unwrap_err(), &["deadline passed 5s ago", "later"]);
    }
    let at_once = task("a").deadline_in(Duration::ZERO);
    for answer in at_every_door(&o, &at_once).await {
        check_text(&answer.unwrap_err(), &["deadline passed 0ns ago", "later"]);
    }
    for wrong in [
        task("a").id("self").after(tid("self")),
        task("a").after(tid("nobody")),
    ] {
        let [delegated, queued @ ..] = &at_every_door(&o, &wrong).await[..] else {
            panic!("there are doors");
        };
        check_text(delegated.as_ref().unwrap_err(), &["`after`", "submit_task"]);
        for answer in queued.iter().filter(|r| {
            r.as_ref()
                .is_err_and(|e| !matches!(e.reason(), Refusal::NotAtOnce { .. }))
        }) {
            let refused = answer.as_ref().unwrap_err();
            assert!(
                matches!(
                    refused.reason(),
                    Refusal::Invalid(
                        TaskFault::SelfDependency { .. } | TaskFault::UnknownDependency { .. }
                    )
                ),
                "{refused}"
            );
        }
        assert!(queued.iter().all(Result::is_err));
    }
    assert_eq!(standing(&o), before);
}

#[tokio::test(start_paused = true)]
async fn the_largest_numbers_mean_no_limit_and_the_smallest_end_at_once() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    for odd in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        let mut policy = RetryPolicy::exponential(100, Duration::MAX, Duration::MAX);
        policy.multiplier = odd;
        policy.jitter = odd;
        let huge = task("a")
            .payload(u64::MAX)
            .deadline_in(Duration::MAX)
            .attempt_timeout(Duration::MAX)
            .idle_timeout(Duration::MAX)
            .retry(policy)
            .estimate(Amount {
                tokens: u64::MAX,
                calls: u64::MAX,
                busy: Duration::MAX,
                money: rust_decimal_max(),
            });
        let outcome = o.execute(huge).await.unwrap();
        assert_eq!(outcome.result(), u64::MAX);
    }
    let never = o.submit_task(task("a").delay(Duration::MAX)).await.unwrap();
    tokio::time::advance(secs(86_400 * 365)).await;
    common::settle().await;
    assert_eq!(never.view().unwrap().state, TaskState::Queued);
    assert!(never.cancel());
    let at_once = task("a").deadline_in(Duration::from_nanos(1));
    let handle = o.submit_task(at_once.delay(secs(1))).await.unwrap();
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::DeadlineExceeded));
    common::check_conservation(&o);
}

fn rust_decimal_max() -> rust_decimal::Decimal {
    rust_decimal::Decimal::MAX
}

#[tokio::test(start_paused = true)]
async fn an_estimate_above_every_limit_is_refused_and_reserves_nothing() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    let run = RunId::new("r").unwrap();
    o.open_run(&run, Limits::unlimited().with_tokens(10))
        .unwrap();
    let before = standing(&o);
    let greedy = task("a").run("r").estimate(Amount::tokens(u64::MAX));
    for answer in at_every_door(&o, &greedy).await {
        let refused = answer.unwrap_err();
        check_text(&refused, &["run r", "tokens", "18446744073709551615", "10"]);
    }
    for answer in at_every_door(&o, &task("a").run("closed")).await {
        check_text(&answer.unwrap_err(), &["run closed", "open_run"]);
    }
    assert_eq!(standing(&o), before);
    let account = universal_orchestrator::AccountId::Run(run);
    assert!(o.account(&account).unwrap().reserved.is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_report_about_what_is_not_there_changes_nothing() {
    let o = plain().await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    o.register_agent(external("other", &["b"])).await.unwrap();
    let real = o.delegate_task(task("a").id("t")).await.unwrap();
    let before = standing(&o);
    let of = |task: &str, agent: &str, attempt| Delegation::new(tid(task), aid(agent), attempt);
    let cases = [
        (of("nobody", "e", 1), "task nobody is not known"),
        (of("task-18446744073709551615", "e", 1), "is not known"),
        (of("t", "other", 1), "task t is not bound to agent other"),
        (of("t", "nobody", 1), "task t is not bound to agent nobody"),
        (
            of("t", "e", 0),
            "attempt 0 of task t, which is at attempt 1",
        ),
        (of("t", "e", u32::MAX), "attempt 4294967295 of task t"),
    ];
    for (stranger, says) in &cases {
        let failure = TaskFailure::retryable("no");
        for error in [
            o.complete_task(stranger, 1).await.unwrap_err(),
            o.fail_task(stranger, failure).await.unwrap_err(),
            o.start_task(stranger).await.unwrap_err(),
            o.report_progress(stranger, 1).await.unwrap_err(),
        ] {
            check_text(&error, &[says]);
        }
        let charged = o.charge_task(stranger, Amount::tokens(u64::MAX)).await;
        let over = matches!(charged, Err(BudgetError::AttemptOver { .. }));
        assert!(over, "{charged:?}");
        assert_eq!(standing(&o), before, "{says}");
    }
    assert_eq!(o.status().tasks.reports_refused, 12);
    // One that came as text is as good as the original, and only once.
    let sent = serde_json::to_string(&real).unwrap();
    let back: Delegation = serde_json::from_str(&sent).unwrap();
    o.complete_task(&back, "done").await.unwrap();
    let again = o.complete_task(&real, "again").await.unwrap_err();
    assert!(matches!(again, ReportError::AlreadyOver { .. }), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_too_large_leaves_the_attempt_as_it_is() {
    let o = with_config(|c| c.tasks.result_bytes_max = 100).await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let d = o.delegate_task(task("a")).await.unwrap();
    let before = standing(&o);
    let large = "x".repeat(99);
    for error in [
        o.complete_task(&d, large.as_str()).await.unwrap_err(),
        o.report_progress(&d, large.as_str()).await.unwrap_err(),
        o.fail_task(&d, TaskFailure::permanent("x".repeat(101)))
            .await
            .unwrap_err(),
    ] {
        check_text(&error, &["101 bytes", "tasks.result_bytes_max is 100"]);
        assert!(matches!(error, ReportError::ResultTooLarge { .. }));
    }
    assert_eq!(standing(&o), before);
    o.complete_task(&d, "x".repeat(98)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_about_unknown_tasks_and_runs_say_so() {
    let o = plain().await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    let before = standing(&o);
    for id in ["nobody", "task-0", "task-18446744073709551615", "\u{202e}"] {
        let id = tid(id);
        check_text(&o.cancel_task(&id).await.unwrap_err(), &[id_text(&id)]);
        check_text(&o.wait_task(&id).await.unwrap_err(), &[id_text(&id)]);
        let refused = o.replay_dead_letter(&id).await.unwrap_err();
        check_text(&refused, &[id_text(&id), "dead_letters"]);
        assert!(o.task(&id).is_none());
    }
    let run = RunId::new("r").unwrap();
    check_text(&o.close_run(&run).unwrap_err(), &["run r", "open_run"]);
    o.open_run(&run, Limits::unlimited()).unwrap();
    let twice = o.open_run(&run, Limits::unlimited().with_calls(0));
    check_text(&twice.unwrap_err(), &["run r", "close it"]);
    assert!(o.close_run(&run).unwrap().limits.is_unlimited());
    assert_eq!(standing(&o), before);
}

fn id_text(id: &TaskId) -> &'static str {
    id.to_string().leak()
}

#[tokio::test(start_paused = true)]
async fn a_chosen_id_never_takes_one_that_the_orchestrator_makes() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    for chosen in ["task-1", "task-10", "task-20", "task-18446744073709551615"] {
        o.submit_task(task("a").id(chosen)).await.unwrap();
        for _ in 0..3 {
            let made = o.submit_task(task("a")).await;
            assert!(made.is_ok(), "after {chosen}: {made:?}");
        }
    }
    // A report of an earlier process may hold any id.
    let report = json!({
        "unfinished": [{
            "task": {"id": "task-18446744073709551614", "task_type": "t", "required": ["a"], "priority": "low", "payload": null},
            "principal": "p", "attempts": u32::MAX,
        }],
        "zombies": usize::MAX, "stuck_plugins": ["x"], "drained": u64::MAX, "took": {"secs": u64::MAX, "nanos": 0},
    });
    let resumed = o.resume(serde_json::from_value(report).unwrap()).await;
    assert!(resumed[0].is_ok(), "{resumed:?}");
    for _ in 0..3 {
        let made = o.submit_task(task("a")).await;
        assert!(made.is_ok(), "{made:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_id_with_a_malformed_task_is_not_the_same_task() {
    let o = plain().await;
    o.register_agent(external("e", &[])).await.unwrap();
    o.submit_task(Task::new("t").id("x")).await.unwrap();
    let before = standing(&o);
    let malformed = Task::new("t").id("x").requires(["a\n"]);
    let answer = o.submit_or_get(malformed).await;
    check_text(&answer.unwrap_err(), &["capability", "control character"]);
    assert_eq!(standing(&o), before);
}

#[tokio::test(start_paused = true)]
async fn a_batch_over_its_limit_is_refused_whole() {
    let o = with_config(|c| c.tasks.batch_max = 3).await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    let before = standing(&o);
    let four = || vec![task("a"); 4];
    let refusals: Vec<Refused> = o
        .submit_tasks(four())
        .await
        .into_iter()
        .filter_map(Result::err)
        .chain(
            o.delegate_tasks(four())
                .await
                .into_iter()
                .filter_map(Result::err),
        )
        .chain(
            o.execute_tasks(four())
                .await
                .into_iter()
                .filter_map(Result::err),
        )
        .collect();
    assert_eq!(refusals.len(), 12);
    for refused in &refusals {
        check_text(refused, &["batch", "4", "tasks.batch_max is 3"]);
    }
    assert_eq!(standing(&o), before);
    assert!(o.submit_tasks(Vec::new()).await.is_empty());
    assert_eq!(o.execute_tasks(vec![task("a"); 3]).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn lists_take_any_filter() {
    let o = plain().await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    for _ in 0..3 {
        drop(o.execute(task("a")).await.unwrap());
    }
    let all = TaskFilter::all;
    assert_eq!(o.tasks(&all().limit(0)).len(), 0);
    assert_eq!(o.tasks(&all().limit(usize::MAX)).len(), 3);
    assert_eq!(
        o.tasks(&all().task_type(TaskType::new("x").unwrap())).len(),
        0
    );
    assert_eq!(o.tasks(&all().agent(aid("nobody"))).len(), 0);
    assert_eq!(o.tasks(&all().tenant(Tenant::new("x").unwrap())).len(), 0);
    assert_eq!(o.tasks(&all().after(tid("task-2"))).len(), 1);
    // A page after a task that is forgotten is no first page: who follows it would never end.
    assert_eq!(o.tasks(&all().after(tid("forgotten"))).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn waits_without_end_and_waits_that_are_given_up_leave_nothing_behind() {
    let o = plain().await;
    let e = o.register_agent(external("e", &["a"])).await.unwrap();
    let before = standing(&o);
    for _ in 0..1_000 {
        let pull = o.next_task(&e, Duration::MAX);
        tokio::select! {
            biased;
            pulled = pull => panic!("there is nothing to fetch: {pulled:?}"),
            () = std::future::ready(()) => {}
        }
    }
    assert!(o.next_task(&e, Duration::ZERO).await.unwrap().is_none());
    assert_eq!(standing(&o), before);
    let (pulled, handle) = tokio::join!(o.next_task(&e, Duration::MAX), o.submit_task(task("a")));
    let pulled = pulled.unwrap().unwrap();
    assert_eq!(pulled.id(), handle.unwrap().id());
    o.complete_task(pulled.delegation(), 1).await.unwrap();
    let report = o.shutdown_within(Duration::MAX).await;
    assert_eq!((report.drained, report.unfinished.len()), (0, 0));
}
