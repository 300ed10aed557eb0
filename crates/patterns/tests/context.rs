//! A context inherits, can only narrow, and ends with its parent.

use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::{
    AccountId, Amount, BudgetError, Limits, RunId, Task, UniversalOrchestrator,
};
use universal_orchestrator_patterns::{ContextError, OrchestrationContext, TraceError};
use universal_orchestrator_testkit::{quiet_config, test_orchestrator};

async fn orchestrator() -> UniversalOrchestrator {
    test_orchestrator(quiet_config()).await
}

fn tokens(limit: u64) -> Limits {
    Limits::unlimited().with_tokens(limit)
}

#[tokio::test(start_paused = true)]
async fn a_child_inherits_and_can_only_narrow() -> Result<(), Box<dyn std::error::Error>> {
    let o = orchestrator().await;
    let now = Instant::now();
    let context = OrchestrationContext::builder(&o)
        .request("req-7")
        .tenant("ann")
        .with("a note")
        .deadline_in(Duration::from_secs(10))
        .budget(tokens(100))
        .seed(1)
        .build()?;
    let later = context
        .child()
        .deadline_in(Duration::from_secs(60))
        .build()?;
    assert_eq!(later.deadline(), Some(now + Duration::from_secs(10)));
    let earlier = later.child().deadline_in(Duration::from_secs(3)).build()?;
    assert_eq!(earlier.time_left(), Some(Duration::from_secs(3)));
    assert_eq!(earlier.request().as_str(), "req-7");
    assert_eq!(earlier.tenant().map(|t| t.as_str()), Some("ann"));
    assert_eq!(earlier.get::<&str>(), Some(&"a note"));
    assert_eq!(earlier.trace().trace_id(), context.trace().trace_id());
    assert_eq!((context.depth(), later.depth(), earlier.depth()), (0, 1, 2));
    assert_eq!(
        earlier.parent().and_then(|p| p.parent()).map(|p| p.depth()),
        Some(0)
    );

    let wider = context.child().budget(tokens(1_000)).build()?;
    assert!(
        wider.spending().begin(Amount::tokens(101)).is_err(),
        "its parent has 100"
    );
    let hold = wider.spending().begin(Amount::tokens(100))?;
    assert_eq!(context.account().map(|a| a.reserved.tokens), Some(100));
    hold.finish(Amount::default());
    let narrower = context.child().budget(tokens(10)).build()?;
    assert!(narrower.spending().begin(Amount::tokens(11)).is_err());
    drop((context, later, earlier, wider, narrower));
    o.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_is_cancelled_with_its_parent_and_not_the_other_way() {
    let o = orchestrator().await;
    let parent = OrchestrationContext::builder(&o).build().unwrap();
    let (one, two) = (
        parent.child().build().unwrap(),
        parent.child().build().unwrap(),
    );
    one.cancel();
    assert!(!parent.is_cancelled() && !two.is_cancelled());
    parent.cancel();
    assert!(two.is_cancelled());
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn its_budget_is_a_run_that_closes_with_the_last_clone() {
    let o = orchestrator().await;
    let context = OrchestrationContext::builder(&o)
        .budget(tokens(5))
        .build()
        .unwrap();
    let run = AccountId::Run(context.run().unwrap().clone());
    let child = context.child().build().unwrap();
    drop(context);
    assert!(o.account(&run).is_some(), "the child draws on it");
    drop(child);
    assert_eq!(o.account(&run), None);

    let shared = RunId::new("mine").unwrap();
    o.open_run(&shared, tokens(5)).unwrap();
    let context = OrchestrationContext::builder(&o)
        .run(shared.clone())
        .build()
        .unwrap();
    let inner = OrchestrationContext::builder(&o)
        .run(shared.clone())
        .budget(tokens(9))
        .build();
    assert!(inner.unwrap().spending().begin(Amount::tokens(6)).is_err());
    drop(context);
    assert!(o.close_run(&shared).is_ok(), "somebody else opened it");
    let gone = OrchestrationContext::builder(&o)
        .run(shared.clone())
        .build();
    assert_eq!(
        gone.err(),
        Some(ContextError::Budget(BudgetError::UnknownRun {
            run: shared
        }))
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_takes_over_what_the_context_says() {
    let o = orchestrator().await;
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = OrchestrationContext::builder(&o)
        .request("req-7")
        .tenant("ann")
        .trace(header, Some("v=1"))
        .budget(tokens(5))
        .build()
        .unwrap();
    let task = context.apply_to(Task::new("t"));
    assert_eq!(task.tenant_name().map(|t| t.as_str()), Some("ann"));
    assert_eq!(task.run_id(), context.run());
    assert_eq!(task.metadata_value("request"), Some("req-7"));
    assert_eq!(
        task.metadata_value("traceparent"),
        Some(&*context.trace().to_string())
    );
    assert_eq!(task.metadata_value("tracestate"), Some("v=1"));
    assert!(
        header[..36] == context.trace().to_string()[..36],
        "the same trace"
    );
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn depth_is_bounded_and_bad_parts_are_named() {
    let o = orchestrator().await;
    let mut context = OrchestrationContext::builder(&o)
        .depth_max(2)
        .build()
        .unwrap();
    for _ in 0..2 {
        context = context.child().build().unwrap();
    }
    let error = context.child().build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "context would be 3 deep, the limit is 2: call fewer orchestrations within each other"
    );
    let error = OrchestrationContext::builder(&o)
        .tenant("")
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "tenant is empty: give it at least one character"
    );
    let error = OrchestrationContext::builder(&o)
        .trace("x", None)
        .build()
        .unwrap_err();
    assert!(matches!(
        error,
        ContextError::Trace(TraceError::Malformed { .. })
    ));
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn seeds_follow_names_and_not_the_order_of_calls() {
    let o = orchestrator().await;
    let context = OrchestrationContext::builder(&o).seed(7).build().unwrap();
    let again = OrchestrationContext::builder(&o).seed(7).build().unwrap();
    let first = context.child().name("a").build().unwrap();
    let _other = again.child().name("b").build().unwrap();
    let second = again.child().name("a").build().unwrap();
    assert_eq!(first.seed(), second.seed());
    assert_ne!(context.seed_for("x"), context.seed_for("y"));
    drop((context, again, first, second));
    o.shutdown().await;
}
