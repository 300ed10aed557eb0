//! Rules of the configuration.

use crate::common::*;

fn rule(when: &str, conditions: &str, then: &str, more: &str) -> String {
    format!(
        "[[rules]]\nname = \"r\"\nwhen = \"{when}\"\nif = [{conditions}]\nthen = {{ {then} }}\n{more}\n"
    )
}

#[tokio::test(start_paused = true)]
async fn a_rule_runs_in_the_hook_and_not_from_the_broadcast() {
    let conditions = "{ field = \"failure_kind\", equals = \"permanent\" }, { field = \"attempts\", at_least = 1 }";
    let section = rule("task_failed", conditions, "action = \"quarantine\"", "");
    let (o, service) = with(&section).await;
    let a = agent(&o, spec("a", "x")).await;
    let d = o.delegate_task(task("x")).await.unwrap();
    o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
    // No other task has run since: what would listen to the broadcast could not have acted yet.
    assert_eq!(service.rules()[0].acted, 1);
    settle().await;
    let view = o.agent(&a).unwrap();
    assert_eq!(view.availability, Availability::Quarantined);
    assert_eq!(view.quarantine_reason.as_deref(), Some("rule r"));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn every_action_acts() {
    let cases = [
        ("action = \"sleep\", for_ms = 5000", Availability::Sleeping),
        ("action = \"drain\"", Availability::Draining),
        ("action = \"quarantine\"", Availability::Quarantined),
        (
            "action = \"quarantine\", agent = \"other\"",
            Availability::Available,
        ),
        (
            "action = \"notify\", text = \"look\"",
            Availability::Available,
        ),
    ];
    for (then, expected) in cases {
        let (o, service) = with(&rule("task_completed", "", then, "")).await;
        let a = agent(&o, spec("a", "x")).await;
        let other = agent(&o, spec("other", "y")).await;
        report(&o, task("x"), None).await;
        settle().await;
        assert_eq!(stands(&o, &a), expected, "{then}");
        let also = stands(&o, &other) == Availability::Quarantined;
        assert_eq!(also, then.contains("other"), "{then}");
        let alerts = o.status().alerts;
        let told = alerts.iter().any(|alert| alert.text == "rule r: look");
        assert_eq!(told, then.contains("notify"));
        assert_eq!(service.rules()[0].acted, 1);
        if then.contains("sleep") {
            assert_eq!(service.sleeping()[0].reason, SleepReason::Rule);
            tokio::time::sleep(ms(6_001)).await;
            assert_eq!(stands(&o, &a), Availability::Available, "{then}");
        }
        o.shutdown().await;
    }
    let (o, service) = with(&rule(
        "tick",
        "{ field = \"agents_sleeping\", at_least = 1 }",
        "action = \"wake\", agent = \"a\"",
        "cooldown_ms = 0",
    ))
    .await;
    let a = agent(&o, spec("a", "x")).await;
    tick().await;
    assert_eq!(service.rules()[0].matched, 0);
    o.sleep_agent(&a).await.unwrap();
    tick().await;
    assert_eq!(stands(&o, &a), Availability::Available);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_submits_a_task_and_what_it_causes_submits_no_other() {
    let then = "action = \"submit\", task_type = \"check\", requires = [\"x\"], priority = \"high\", payload = { n = 1 }, metadata = { why = \"rule\" }";
    let section = rule("task_completed", "", then, "cooldown_ms = 0");
    let (o, service) = with(&format!("principal = \"robot\"\n{section}")).await;
    let echo = ScriptedAgent::steps([Step::Echo]);
    agent(&o, spec("a", "x").in_process(echo.clone())).await;
    done_by(&o, task("x")).await;
    tick().await;
    assert_eq!(echo.calls().len(), 2);
    let made = o.task(&echo.calls()[1].task).unwrap().view().unwrap();
    assert_eq!(
        (made.task_type.as_str(), made.priority),
        ("check", Priority::High)
    );
    assert_eq!(made.principal.as_str(), "robot");
    let counts = service.rules().remove(0);
    assert_eq!((counts.matched, counts.acted, counts.suppressed), (2, 1, 1));
    service.act_as(universal_orchestrator::Principal::new("boss").unwrap());
    done_by(&o, task("x")).await;
    tick().await;
    let made = o.task(&echo.calls()[3].task).unwrap().view().unwrap();
    assert_eq!(made.principal.as_str(), "boss");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn cooldown_and_dry_run() {
    let notify = "action = \"notify\", text = \"look\"";
    let (o, service) = with(&rule("task_completed", "", notify, "cooldown_ms = 5000")).await;
    for id in ["a", "b"] {
        agent(&o, spec(id, id)).await;
    }
    for capability in ["a", "a", "b"] {
        report(&o, task(capability), None).await;
    }
    let counts = service.rules().remove(0);
    assert_eq!(
        (counts.matched, counts.acted, counts.suppressed),
        (3, 2, 1),
        "each agent for itself"
    );
    tokio::time::sleep(ms(5_000)).await;
    report(&o, task("a"), None).await;
    assert_eq!(service.rules()[0].acted, 3);
    o.shutdown().await;

    let (o, service) = with(&rule(
        "task_completed",
        "",
        "action = \"quarantine\"",
        "dry_run = true",
    ))
    .await;
    let a = agent(&o, spec("a", "x")).await;
    report(&o, task("x"), None).await;
    settle().await;
    assert_eq!(service.rules()[0].acted, 1);
    assert_eq!(stands(&o, &a), Availability::Available);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn fields_are_compared_as_they_are_documented() {
    // The event of a task that took two seconds after three, failed once before, and charged 70 tokens.
    let holds = [
        "{ field = \"agent\", equals = \"a\" }",
        "{ field = \"task_type\", one_of = [\"other\", \"work\"] }",
        "{ field = \"priority\", equals = \"low\" }",
        "{ field = \"attempts\", at_least = 2, at_most = 2 }",
        "{ field = \"run_time_ms\", at_least = 2000, at_most = 2000 }",
        "{ field = \"queue_wait_ms\", at_least = 3000 }",
        "{ field = \"tokens\", at_least = 70, at_most = 70 }",
        "{ field = \"failures_in_a_row\", at_most = 0 }",
        "{ field = \"agent_error_rate_percent\", at_least = 50, at_most = 50 }",
    ];
    let fails = [
        "{ field = \"agent\", equals = \"b\" }",
        "{ field = \"task_type\", one_of = [] }",
        "{ field = \"run_time_ms\", at_most = 1999 }",
        "{ field = \"tokens\", at_least = 70.5 }",
    ];
    let section: String = holds
        .iter()
        .chain(&fails)
        .enumerate()
        .map(|(n, condition)| {
            rule(
                "task_completed",
                condition,
                "action = \"notify\", text = \"t\"",
                "dry_run = true",
            )
            .replace("\"r\"", &format!("\"r{n}\""))
        })
        .collect();
    let (o, service) = with(&section).await;
    let steps = [
        vec![Step::FailRetryable],
        vec![
            Step::Charge(Amount::tokens(70)),
            Step::Wait(ms(2_000)),
            Step::Succeed(1.into()),
        ],
    ];
    agent(&o, spec("a", "x").in_process(ScriptedAgent::script(steps))).await;
    let policy = RetryPolicy {
        base_delay: ms(3_000),
        max_delay: ms(3_000),
        ..RetryPolicy::immediate(2)
    };
    let outcome = o
        .execute(task("x").priority(Priority::Low).retry(policy))
        .await
        .unwrap();
    assert!(outcome.is_success());
    for (n, counts) in service.rules().iter().enumerate() {
        assert_eq!(
            counts.matched,
            u64::from(n < holds.len()),
            "{n}: {:?}",
            outcome.queue_wait()
        );
    }
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn every_event_is_seen() {
    let events = [
        "task_completed",
        "task_failed",
        "task_retrying",
        "task_cancelled",
        "agent_registered",
        "agent_deregistered",
        "tick",
    ];
    for event in events {
        let (o, service) = with(&rule(event, "", "action = \"notify\", text = \"t\"", "")).await;
        let count = || service.rules()[0].matched;
        assert_eq!(count(), 0, "{event}");
        match event {
            "tick" => tick().await,
            "agent_registered" => drop(agent(&o, spec("a", "x")).await),
            "agent_deregistered" => {
                let a = agent(&o, spec("a", "x")).await;
                assert_eq!(count(), 0, "{event}");
                o.deregister_agent(&a).await.unwrap();
            }
            _ => {
                agent(&o, spec("a", "x")).await;
                let policy = RetryPolicy::immediate(if event == "task_retrying" { 2 } else { 1 });
                let d = o.delegate_task(task("x").retry(policy)).await.unwrap();
                match event {
                    "task_completed" => o.complete_task(&d, 1).await.unwrap(),
                    "task_cancelled" => o.cancel_task(d.task()).await.unwrap(),
                    _ => o.fail_task(&d, TaskFailure::retryable("no")).await.unwrap(),
                }
            }
        }
        assert_eq!(count(), 1, "{event}");
        o.shutdown_within(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_tick_sees_can_be_compared() {
    let fields = [
        ("queue_depth", "at_least = 1"),
        ("longest_wait_ms", "at_least = 500"),
        ("agents_available", "at_most = 0"),
        ("agents_sleeping", "at_least = 1"),
        ("error_rate_percent", "at_least = 100"),
    ];
    let section: String = fields
        .iter()
        .map(|(field, compare)| {
            let condition = format!("{{ field = \"{field}\", {compare} }}");
            rule(
                "tick",
                &condition,
                "action = \"notify\", text = \"t\"",
                "dry_run = true",
            )
            .replace("\"r\"", &format!("\"{field}\""))
        })
        .collect();
    let (o, service) = with(&section).await;
    let a = agent(&o, spec("a", "x")).await;
    tick().await;
    assert!(
        service.rules().iter().all(|rule| rule.matched == 0),
        "{:?}",
        service.rules()
    );
    report(&o, task("x"), Some(TaskFailure::permanent("no"))).await;
    o.sleep_agent(&a).await.unwrap();
    let handle = o.submit_task(task("x")).await.unwrap();
    tick().await;
    tick().await;
    assert!(
        service.rules().iter().all(|rule| rule.matched > 0),
        "{:?}",
        service.rules()
    );
    handle.cancel();
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_action_without_anybody_to_act_on_is_counted_and_does_not_cool_down() {
    let then = "action = \"scale\", group = \"nobody\", by = 1";
    let (o, service) = with(&rule("task_completed", "", then, "")).await;
    agent(&o, spec("a", "x")).await;
    for _ in 0..2 {
        report(&o, task("x"), None).await;
    }
    let counts = service.rules().remove(0);
    assert_eq!((counts.acted, counts.dropped, counts.suppressed), (0, 2, 0));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn other_rules_are_taken_at_run_time() {
    let notify = "action = \"notify\", text = \"t\"";
    let (o, service) = with(&rule("task_completed", "", notify, "")).await;
    agent(&o, spec("a", "x")).await;
    report(&o, task("x"), None).await;
    assert_eq!(service.rules()[0].acted, 1);
    let other = rule("task_failed", "", notify, "").replace("\"r\"", "\"other\"");
    o.reconfigure_plugin("automation", &other).unwrap();
    report(&o, task("x"), None).await;
    let counts = service.rules().remove(0);
    assert_eq!((counts.name.as_str(), counts.matched), ("other", 0));
    assert!(o.reconfigure_plugin("automation", "tick_ms = 1").is_err());
    assert_eq!(
        service.rules()[0].name,
        "other",
        "what was refused changes nothing"
    );
    o.shutdown().await;
}
