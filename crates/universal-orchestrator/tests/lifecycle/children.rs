//! Tasks that tasks submit: what they inherit, how many there may be, and how each end tells on the other.

use serde_json::{Value, json};
use universal_orchestrator::{
    AgentError, FailureKind, Task, TaskContext, TaskState, Tenant, agent_fn,
};

use crate::assert_idle;
use crate::common::*;

/// An agent that runs one child as its payload says and returns what came of it.
fn parent_of(
    o_child: impl Fn() -> Task + Send + Sync + 'static,
) -> impl universal_orchestrator::Agent {
    agent_fn(move |_: Value, context: TaskContext| {
        let child = o_child();
        async move {
            let outcome = context.execute_child(child).await?;
            Ok::<_, AgentError>(json!([
                outcome.state().as_str(),
                outcome.failure_kind().map(FailureKind::as_str),
                outcome.result()
            ]))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_child_inherits_deadline_tenant_run_and_principal() {
    let o = plain().await;
    let run = universal_orchestrator::RunId::new("r").unwrap();
    o.open_run(&run, universal_orchestrator::Limits::unlimited())
        .unwrap();
    let child = agent_fn(|_: (), context: TaskContext| async move {
        let left = context.deadline().map(|at| {
            at.saturating_duration_since(tokio::time::Instant::now())
                .as_secs()
        });
        let t = context.task();
        Ok::<_, AgentError>(json!([
            left,
            t.tenant_name().map(Tenant::as_str),
            t.run_id().map(|r| r.as_str()),
            t.parent().map(ToString::to_string),
            t.depth(),
            context.principal().as_str()
        ]))
    });
    o.register_agent(worker("c", &["child"], child))
        .await
        .unwrap();
    let wants_more = || task("child").deadline_in(secs(9_999)).tenant("thief");
    o.register_agent(worker("p", &["parent"], parent_of(wants_more)))
        .await
        .unwrap();
    let outcome = o
        .as_principal("ann")
        .unwrap()
        .execute(
            task("parent")
                .id("p1")
                .deadline_in(secs(60))
                .tenant("shop")
                .run("r"),
        )
        .await
        .unwrap();
    assert_eq!(
        outcome.result(),
        &json!(["succeeded", null, [60, "shop", "r", "p1", 1, "ann"]])
    );
}

#[tokio::test(start_paused = true)]
async fn the_parents_end_cancels_its_children() {
    for how in ["cancel", "timeout", "early return"] {
        let o = plain().await;
        o.register_agent(worker("c", &["child"], stuck()))
            .await
            .unwrap();
        let agent = agent_fn(move |_: (), context: TaskContext| async move {
            let child = context.execute_child(task("child").id("kid"));
            if how == "early return" {
                assert!(tokio::time::timeout(secs(5), child).await.is_err());
            } else {
                drop(child.await?);
            }
            Ok::<_, AgentError>(())
        });
        o.register_agent(worker("p", &["parent"], agent))
            .await
            .unwrap();
        let parent = o
            .submit_task(task("parent").attempt_timeout(secs(10)))
            .await
            .unwrap();
        settle().await;
        let kid = o.task(&tid("kid")).unwrap();
        assert_eq!(kid.view().unwrap().state, TaskState::Running);
        if how == "cancel" {
            parent.cancel();
        }
        let expected = match how {
            "cancel" => TaskState::Cancelled,
            "timeout" => TaskState::TimedOut,
            _ => TaskState::Succeeded,
        };
        assert_eq!(parent.outcome().await.unwrap().state(), expected);
        assert_eq!(kid.outcome().await.unwrap().state(), TaskState::Cancelled);
        tokio::time::sleep(secs(3)).await;
        assert_idle(&o).await;
    }
}

#[tokio::test(start_paused = true)]
async fn children_are_limited_in_depth_and_number_and_a_deadlock_is_refused() {
    let o = with_config(|c| {
        c.tasks.child_depth_max = 3;
        c.tasks.children_max = 2;
    })
    .await;
    let nest = agent_fn(|_: (), context: TaskContext| async move {
        match context.execute_child(task("nest")).await {
            Ok(outcome) => Ok(outcome.result().clone()),
            Err(refused) => Ok::<_, AgentError>(json!([
                context.task().depth(),
                refused.reason().as_str(),
                refused.to_string()
            ])),
        }
    });
    o.register_agent(worker("n", &["nest"], nest).concurrency(9))
        .await
        .unwrap();
    let outcome = o.execute(task("nest")).await.unwrap();
    assert_eq!(outcome.result()[0], json!(3));
    assert!(
        outcome.result()[2]
            .as_str()
            .unwrap()
            .contains("tasks.child_depth_max")
    );

    o.register_agent(worker("s", &["slow"], sleeper()).concurrency(9))
        .await
        .unwrap();
    let many = agent_fn(|_: (), context: TaskContext| async move {
        let children = (0..3).map(|_| context.execute_child(task("slow").payload(10)));
        let refused = futures::future::join_all(children)
            .await
            .into_iter()
            .filter_map(Result::err)
            .map(|r| r.to_string())
            .collect::<Vec<_>>();
        let after = context
            .execute_child(task("slow").payload(10))
            .await
            .is_ok();
        Ok::<_, AgentError>(json!([refused.len(), refused[0], after]))
    });
    o.register_agent(worker("m", &["many"], many))
        .await
        .unwrap();
    let outcome = o.execute(task("many")).await.unwrap();
    let (count, text) = (&outcome.result()[0], outcome.result()[1].as_str().unwrap());
    assert_eq!(count, &json!(1));
    assert!(text.contains("tasks.children_max"), "{text}");
    assert_eq!(
        outcome.result()[2],
        json!(true),
        "those that ended make room"
    );

    let alone = agent_fn(|_: (), context: TaskContext| async move {
        let refused = context.execute_child(task("alone")).await.err();
        Ok::<_, AgentError>(refused.map(|r| r.reason().as_str()))
    });
    o.register_agent(worker("a", &["alone"], alone))
        .await
        .unwrap();
    let outcome = o.execute(task("alone")).await.unwrap();
    assert_eq!(outcome.result(), &json!("would_deadlock"));
    assert_idle(&o).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_child_hands_its_category_on() {
    let o = plain().await;
    let fails =
        agent_fn(
            |_: (), _: TaskContext| async move { Err::<(), _>(AgentError::permanent("broken")) },
        );
    o.register_agent(worker("c", &["child"], fails))
        .await
        .unwrap();
    let agent = agent_fn(|_: (), context: TaskContext| async move {
        let outcome = context.execute_child(task("child")).await?;
        Ok::<_, AgentError>(outcome.into_result()?)
    });
    o.register_agent(worker("p", &["parent"], agent))
        .await
        .unwrap();
    let outcome = o.execute(task("parent")).await.unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Permanent));
    assert_eq!(outcome.failure().unwrap().message(), "broken");
}
