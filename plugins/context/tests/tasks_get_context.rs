//! A task that names a session gets its context, and what it produces joins the session.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::time::Duration;

use common::{fault_reader, orchestrator, reader, service, session, task};
use universal_orchestrator::{
    AgentRole, AgentSpec, Priority, RetryPolicy, Task, Tenant, Value, json,
};
use universal_orchestrator_context::{
    AssembledContext, Encoding, FragmentRole, NewFragment, SessionId, Shown,
};

#[tokio::test(start_paused = true)]
async fn what_a_task_produced_is_shown_to_the_next_one_of_its_session() {
    let o = orchestrator("").await;
    let seen = reader(&o, "a").await;
    o.execute(task("a", "s", "the port is 8080"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    o.execute(task("a", "s", "second"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    o.execute(task("a", "other", "third"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    o.execute(Task::new("work").requires(["a"]))
        .await
        .unwrap()
        .into_result()
        .unwrap();

    let seen = seen.lock().clone();
    assert!(seen[0].is_none() && seen[2].is_none() && seen[3].is_none());
    let context = seen[1].as_ref().unwrap();
    assert_eq!(
        &*context.text,
        "## fragment 1, result as prose, from a, whole\nthe port is 8080\n"
    );
    assert_eq!(context.tokens, Encoding::default().count(&context.text));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shown_and_a_retry_sees_fresh_context() {
    let o = orchestrator("").await;
    let seen = reader(&o, "a").await;
    let failed = o
        .execute(task("a", "s", "fail").retry(RetryPolicy::never()))
        .await
        .unwrap();
    assert!(!failed.is_success());
    o.execute(task("a", "s", "next"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let context = seen.lock()[1].clone().unwrap();
    assert!(
        context.text.contains("the disk is full"),
        "{}",
        context.text
    );
    let fragments = service(&o).fragments(&session("s")).unwrap();
    assert_eq!(fragments[0].role, FragmentRole::Failure);
    assert_eq!(fragments[0].task.as_ref(), Some(failed.task()));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn sessions_of_two_tenants_with_one_name_are_two() {
    let o = orchestrator("").await;
    let seen = reader(&o, "a").await;
    o.execute(task("a", "s", "of acme").tenant("acme"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    o.execute(task("a", "s", "of umbrella").tenant("umbrella"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    o.execute(task("a", "s", "of nobody"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    assert!(seen.lock().iter().all(Option::is_none));
    o.execute(task("a", "s", "again").tenant("acme"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let context = seen.lock()[3].clone().unwrap();
    assert!(context.text.contains("of acme") && !context.text.contains("umbrella"));
    service(&o).settled().await;
    let acme = SessionId::new("s")
        .unwrap()
        .of_tenant(Tenant::new("acme").unwrap());
    assert_eq!(service(&o).fragments(&acme).unwrap().len(), 2);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_names_its_query_and_its_budget() {
    let o = orchestrator("excerpt_tokens_min = 16").await;
    let seen = reader(&o, "a").await;
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    let log: String = (0..400)
        .map(|n| {
            format!(
                "12:00:{:02} INFO request {n} served in {} ms\n",
                n % 60,
                n * 7 % 90
            )
        })
        .collect();
    let log = log + "12:07:00 WARN broker kafka-3 lost its leader\n";
    service.add(&s, NewFragment::new(log)).await.unwrap();
    let asked = task("a", "s", "x")
        .metadata("context.query", "which broker lost its leader?")
        .metadata("context.budget_tokens", "120");
    o.execute(asked).await.unwrap().into_result().unwrap();
    let context = seen.lock()[0].clone().unwrap();
    assert!(
        context.text.contains("broker kafka-3 lost its leader"),
        "{}",
        context.text
    );
    assert!(context.tokens <= 120);
    assert_eq!(context.tokens, Encoding::default().count(&context.text));
    assert_eq!(context.explanation.fragments[0].shown, Shown::Excerpt);
    assert!(context.explanation.losses.lines > 300);
    assert!(context.text.contains("lines dropped\n"));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn critical_fragments_are_never_cut_and_too_many_of_them_are_said() {
    let o = orchestrator("").await;
    let seen = reader(&o, "a").await;
    fault_reader(&o, "f").await;
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    let rule = "never  touch\t\tproduction \r\n\n\n  on fridays  \n\n";
    let critical = NewFragment::new(rule).priority(Priority::Critical);
    service.add(&s, critical).await.unwrap();
    for n in 0..50 {
        let text = format!("filler {n}: {}", "words of no weight ".repeat(20));
        service.add(&s, NewFragment::new(text)).await.unwrap();
    }
    let small = |budget: &str| task("a", "s", "x").metadata("context.budget_tokens", budget);
    o.execute(small("200"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let context = seen.lock()[0].clone().unwrap();
    assert!(context.text.contains(rule));
    let (explanation, losses) = (&context.explanation, context.explanation.losses);
    assert!(context.tokens <= 200);
    assert!(losses.near_duplicates > 0);
    assert_eq!(
        explanation.shown() + losses.fragments + losses.near_duplicates,
        51
    );
    assert!(context.text.ends_with("dropped\n"), "{}", context.text);

    let outcome = o
        .execute(task("f", "s", "x").metadata("context.budget_tokens", "5"))
        .await
        .unwrap();
    let fault = outcome.into_result().unwrap();
    let fault = fault.as_str().unwrap();
    assert!(
        fault.contains("the budget is 5: raise the budget"),
        "{fault}"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn malformed_wishes_are_said_and_the_task_goes_on() {
    let o = orchestrator("").await;
    fault_reader(&o, "f").await;
    let wrong = task("f", "s", "x").metadata("context.budget_tokens", "many");
    let said = o.execute(wrong).await.unwrap().into_result().unwrap();
    assert_eq!(
        said,
        json!("context.budget_tokens is \"many\": give a whole number from 1")
    );
    let said = o
        .execute(task("f", "", "x"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    assert!(
        said.as_str()
            .is_some_and(|text| text.starts_with("context.session: ")),
        "{said}"
    );
    assert_eq!(o.plugins()[0].faults, 0);
    o.shutdown().await;
}

async fn pulled(
    o: &universal_orchestrator::UniversalOrchestrator,
    task: Task,
) -> (Option<String>, Value) {
    let agent = o
        .register_agent(AgentSpec::new("x", AgentRole::Worker).capabilities(["x"]))
        .await
        .unwrap();
    let handle = o.submit_task(task).await.unwrap();
    let pulled = o
        .next_task(&agent, Duration::from_secs(1))
        .await
        .unwrap()
        .unwrap();
    let metadata = pulled
        .task()
        .metadata_value("context.text")
        .map(str::to_owned);
    let payload = pulled.payload().clone();
    o.complete_task(pulled.delegation(), "done").await.unwrap();
    drop(handle);
    o.deregister_agent(&agent).await.unwrap();
    (metadata, payload)
}

#[tokio::test(start_paused = true)]
async fn agents_outside_get_it_as_the_configuration_says() {
    for (delivery, payload, in_metadata, in_payload) in [
        ("metadata", json!({"n": 1}), true, false),
        ("payload", json!({"n": 1}), false, true),
        ("payload", json!(7), true, false),
        ("none", json!({"n": 1}), false, false),
    ] {
        let o = orchestrator(&format!("delivery = \"{delivery}\"")).await;
        let service = service(&o);
        service.create(&session("s")).unwrap();
        service
            .add(&session("s"), NewFragment::new("the port is 8080"))
            .await
            .unwrap();
        let (metadata, got) = pulled(&o, task("x", "s", payload.clone())).await;
        let has = |text: &str| text.contains("the port is 8080");
        assert_eq!(
            metadata.as_deref().is_some_and(has),
            in_metadata,
            "{delivery}"
        );
        assert_eq!(
            got["context"].as_str().is_some_and(has),
            in_payload,
            "{delivery}"
        );
        if payload.is_object() {
            assert_eq!(got["n"], 1);
        }
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_to_deliver_is_kept_back_and_the_task_is_not_refused() {
    let o = orchestrator("delivery_bytes_max = 1024").await;
    let service = service(&o);
    service.create(&session("s")).unwrap();
    service
        .add(&session("s"), NewFragment::new("long words ".repeat(200)))
        .await
        .unwrap();
    let (metadata, _) = pulled(&o, task("x", "s", "x")).await;
    assert_eq!(metadata, None);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_gets_what_the_failed_attempt_did_not_have() {
    let o = orchestrator("").await;
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    service.add(&s, NewFragment::new("first")).await.unwrap();
    let agent = {
        let (service, s) = (std::sync::Arc::clone(&service), s.clone());
        universal_orchestrator::agent_fn(
            move |_: Value, context: universal_orchestrator::TaskContext| {
                let (service, s) = (std::sync::Arc::clone(&service), s.clone());
                async move {
                    let shown = context.extensions().get::<AssembledContext>().unwrap();
                    if context.attempt() == 1 {
                        service
                            .add(&s, NewFragment::new("learned on the way"))
                            .await
                            .unwrap();
                        return Err(universal_orchestrator::AgentError::retryable("once more"));
                    }
                    Ok(shown.text.to_string())
                }
            },
        )
    };
    let spec = AgentSpec::new("a", AgentRole::Worker).capabilities(["a"]);
    o.register_agent(spec.in_process(agent)).await.unwrap();
    let outcome = o
        .execute(task("a", "s", "x").retry(RetryPolicy::immediate(2)))
        .await
        .unwrap();
    let text = outcome.into_result().unwrap();
    assert!(
        text.as_str()
            .is_some_and(|text| text.contains("learned on the way")),
        "{text}"
    );
    o.shutdown().await;
}
