//! A specialist is an agent or a function, and says what came of it.

use std::time::Duration;

use serde_json::json;
use universal_orchestrator::{AccountId, Amount, Task};
use universal_orchestrator_patterns::{
    ErrorCategory, SkipReason, Specialist, Step, StepContext, StepFailure,
};
use universal_orchestrator_testkit::{ScriptedAgent, Step as Act};

use crate::common::{Behaviour, agent, context, orchestrator, tokens, with_budget};

async fn register(
    o: &universal_orchestrator::UniversalOrchestrator,
    name: &str,
    script: ScriptedAgent,
) {
    use universal_orchestrator::{AgentRole, AgentSpec};
    let spec = AgentSpec::new(name, AgentRole::Specialist)
        .capabilities([name])
        .in_process(script);
    o.register_agent(spec).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_answers_and_its_bill_is_the_orchestrator_s() {
    let o = orchestrator().await;
    let script = ScriptedAgent::script([
        vec![Act::Charge(Amount::tokens(3)), Act::FailRetryable],
        vec![Act::Charge(Amount::tokens(4)), Act::Succeed(json!(7))],
    ]);
    register(&o, "model", script).await;
    let context = with_budget(&o, tokens(10));
    let model: Specialist<u32, u32> =
        Specialist::agent("model", Task::new("ask").requires(["model"]));
    let result = model.run(&context, 1).await;
    assert_eq!(result.data(), Some(&7));
    assert_eq!(
        (result.attempts(), result.cost().tokens, result.cost().calls),
        (2, 7, 2)
    );
    let account = context.account().unwrap();
    assert_eq!((account.spent.tokens, account.spent.calls), (7, 2));
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_s_answer_that_does_not_fit_is_a_failure_with_its_cost() {
    let o = orchestrator().await;
    register(
        &o,
        "odd",
        ScriptedAgent::steps([Act::Charge(Amount::tokens(2)), Act::Succeed(json!("text"))]),
    )
    .await;
    let odd: Specialist<u32, u32> = Specialist::agent("odd", Task::new("ask").requires(["odd"]));
    let result = odd.run(&with_budget(&o, tokens(10)), 1).await;
    assert_eq!(
        result.failure().map(StepFailure::category),
        Some(ErrorCategory::Invalid)
    );
    assert_eq!(result.cost().tokens, 2);
    let nobody: Specialist<u32, u32> =
        Specialist::agent("nobody", Task::new("ask").requires(["nobody"]));
    let result = nobody.run(&context(&o), 1).await;
    assert_eq!(
        result.failure().map(|f| (f.category(), f.is_retryable())),
        Some((ErrorCategory::NotFound, false))
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_charges_what_it_buys_and_nothing_stays_reserved() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(10));
    let cheap = Specialist::function("cheap", |n: u32, step: StepContext| async move {
        step.charge(Amount::tokens(3))?;
        step.bill(Amount::tokens(1))?;
        Ok::<_, StepFailure>(n)
    });
    let result = cheap.estimate(Amount::tokens(8)).run(&context, 1).await;
    assert_eq!((result.cost().tokens, result.cost().calls), (4, 1));
    let account = context.account().unwrap();
    assert_eq!((account.spent.tokens, account.reserved.tokens), (4, 0));
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_or_panics_is_charged_its_whole_estimate() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(100));
    let hangs = Specialist::function("hangs", |_: u32, step: StepContext| async move {
        step.charge(Amount::tokens(1))?;
        step.progress("half");
        std::future::pending::<Result<u32, StepFailure>>().await
    });
    let hangs = hangs
        .estimate(Amount::tokens(5))
        .timeout(Duration::from_secs(1));
    let result = hangs.run(&context, 1).await;
    let failure = result.failure().unwrap();
    assert_eq!(
        (failure.category(), failure.partial()),
        (ErrorCategory::Timeout, Some(&json!("half")))
    );
    assert_eq!(
        (result.cost().tokens, result.duration()),
        (5, Duration::from_secs(1))
    );
    let panics = Specialist::function("panics", |n: u32, _: StepContext| {
        assert!(n == 0, "told to");
        async move { Ok::<_, StepFailure>(n) }
    });
    let result = panics.estimate(Amount::tokens(7)).run(&context, 1).await;
    assert_eq!(
        result.failure().map(|f| f.to_string()).as_deref(),
        Some("panicked: panics panicked: told to")
    );
    assert_eq!(
        (
            result.cost().tokens,
            context.account().unwrap().spent.tokens
        ),
        (7, 12)
    );
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_room_nothing_is_tried() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(4));
    let (asked, calls) = agent(&o, "asked", Behaviour::Healthy).await;
    let (called, counted) = crate::common::function("called", Behaviour::Healthy);
    for specialist in [
        asked.estimate(Amount::tokens(5)),
        called.estimate(Amount::tokens(5)),
    ] {
        let result = specialist.run(&context, 1).await;
        let Some(SkipReason::BudgetExhausted { detail }) = result.skip_reason() else {
            panic!("{result:?}");
        };
        assert!(
            detail.contains("tokens is at 0 of 4 and 5 is asked for"),
            "{detail}"
        );
        assert_eq!(result.attempts(), 0);
    }
    let made = [calls, counted].map(|c| c.load(std::sync::atomic::Ordering::SeqCst));
    assert_eq!(made, [0, 0]);
    let run = AccountId::Run(context.run().unwrap().clone());
    assert!(o.account(&run).unwrap().spent.is_zero());
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_outlives_its_step_cannot_spend() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(10));
    let kept = std::sync::Arc::new(parking_lot::Mutex::new(None));
    let place = std::sync::Arc::clone(&kept);
    let keeps = Specialist::function("keeps", move |n: u32, step: StepContext| {
        *place.lock() = Some(step);
        async move { Ok::<_, StepFailure>(n) }
    });
    assert!(keeps.run(&context, 1).await.is_success());
    let step = kept.lock().take().unwrap();
    let over = Err(universal_orchestrator::BudgetError::WorkOver);
    assert_eq!(step.charge(Amount::tokens(1)), over);
    assert_eq!(step.bill(Amount::tokens(1)), over);
    assert_eq!(context.account().unwrap().spent.tokens, 0);
    drop((context, step));
    o.shutdown().await;
}
