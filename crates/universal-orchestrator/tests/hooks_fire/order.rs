//! When a hook is called, after which others, and what it is told of the call.

use std::collections::BTreeSet;

use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, Verdict};
use universal_orchestrator::{FailureKind, RetryPolicy, UniversalOrchestrator};

use crate::common::*;

/// The lines that three logging plugins write for each named hook; `a` comes after `c`, so the order is b, c, a.
fn lines(hooks: &[&str]) -> Vec<String> {
    hooks
        .iter()
        .flat_map(|hook| ["b", "c", "a"].map(|name| format!("{hook} {name}")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_hook_fires_in_order_of_stage_after_and_name() {
    let log = Log::default();
    let o = with_plugins(
        |_| {},
        vec![
            (
                manifest("a", all_hooks()).after(&["c"]),
                Hooked::logging(&log, "a"),
            ),
            (manifest("c", all_hooks()), Hooked::logging(&log, "c")),
            (manifest("b", all_hooks()), Hooked::logging(&log, "b")),
        ],
    )
    .await;
    let mut seen = BTreeSet::new();
    let mut expect = |what: &str, hooks: &[&str]| {
        assert_eq!(log.lines(), lines(hooks), "{what}");
        seen.extend(
            log.take()
                .into_iter()
                .filter_map(|line| line.strip_suffix(" a").map(str::to_owned)),
        );
    };
    const IN: [&str; 4] = [
        "shape submit",
        "guard submit",
        "shape delegate",
        "guard delegate",
    ];
    const RUN: [&str; 3] = ["shape start", "guard start", "observe start"];

    o.register_agent(worker("w", &["x"], flaky()))
        .await
        .unwrap();
    o.register_agent(external("e", &["y"])).await.unwrap();
    expect(
        "register",
        &[
            "guard register",
            "observe register",
            "guard register",
            "observe register",
        ],
    );
    let d = o.delegate_task(task("y")).await.unwrap();
    expect(
        "delegate_task",
        &[&IN[..], &["observe submit", "observe delegate"]].concat(),
    );
    o.start_task(&d).await.unwrap();
    o.complete_task(&d, 1).await.unwrap();
    expect(
        "start and complete",
        &[&RUN[..], &["observe complete"]].concat(),
    );
    let queued = [
        "shape submit",
        "guard submit",
        "observe submit",
        "shape delegate",
        "guard delegate",
        "observe delegate",
    ];
    let whole = [&queued[..], &RUN[..], &["observe complete"]].concat();
    drop(
        o.submit_task(task("x").payload(0))
            .await
            .unwrap()
            .outcome()
            .await
            .unwrap(),
    );
    expect("submit_task in process", &whole);
    drop(o.execute(task("x").payload(0)).await.unwrap());
    expect("execute", &whole);
    o.submit_task(task("y")).await.unwrap();
    let pulled = o.next_task(&aid("e"), ms(0)).await.unwrap().unwrap();
    o.complete_task(pulled.delegation(), 1).await.unwrap();
    expect("next_task", &whole);
    let d = o.delegate_task(task("x").payload(0)).await.unwrap();
    drop(o.wait_task(d.task()).await.unwrap());
    expect(
        "delegate_task in process",
        &[
            &IN[..],
            &["observe submit", "observe delegate"],
            &RUN[..],
            &["observe complete"],
        ]
        .concat(),
    );
    let outcome = o
        .execute(task("x").payload(9).retry(RetryPolicy::immediate(2)))
        .await
        .unwrap();
    assert_eq!(outcome.failure_kind(), Some(FailureKind::Retryable));
    expect(
        "retry and fail",
        &[
            &queued[..],
            &RUN[..],
            &["guard retry", "observe retry"],
            &queued[3..],
            &RUN[..],
            &["observe fail"],
        ]
        .concat(),
    );
    let handle = o.submit_task(task("y")).await.unwrap();
    assert!(handle.cancel());
    expect("cancel", &[&queued[..3], &["observe cancel"]].concat());
    o.deregister_agent(&aid("e")).await.unwrap();
    expect("deregister", &["observe deregister"]);
    tokio::time::sleep(ms(1_001)).await;
    expect("tick", &["observe tick"]);
    tokio::time::sleep(secs(30)).await;
    let taken = log.take();
    assert_eq!(taken.iter().filter(|l| *l == "observe health a").count(), 1);
    seen.insert("observe health".to_owned());
    o.shutdown().await;
    let last = log.take();
    assert_eq!(last, lines(&["observe shutdown"]));
    seen.insert("observe shutdown".to_owned());
    let all: BTreeSet<String> = all_hooks().iter().map(|(s, p)| hook_name(s, p)).collect();
    assert_eq!(seen, all, "every hook of the mask has fired");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_not_declared_is_not_called() {
    let log = Log::default();
    let hooks = HookSet::none().observe(HookPoint::Complete);
    let o = with_plugins(
        |_| {},
        vec![(manifest("p", hooks), Hooked::logging(&log, "p"))],
    )
    .await;
    o.register_agent(worker("w", &["x"], echo())).await.unwrap();
    drop(o.execute(task("x").payload(1)).await.unwrap());
    assert_eq!(log.lines(), ["observe complete p"]);
}

#[tokio::test(start_paused = true)]
async fn hooks_see_the_principal_and_the_wall_clock() {
    struct Noon;
    impl universal_orchestrator::WallClock for Noon {
        fn now(&self) -> std::time::SystemTime {
            std::time::SystemTime::UNIX_EPOCH + secs(43_200)
        }
    }
    let log = Log::default();
    let seen = log.clone();
    let plugin = Hooked::new().guard(move |context, call| {
        assert_eq!(
            context.wall_time(),
            std::time::SystemTime::UNIX_EPOCH + secs(43_200)
        );
        let inside = match call {
            GuardCall::Register { principal, .. } => principal.as_str(),
            GuardCall::Submit { task } | GuardCall::Delegate { task, .. } => {
                task.principal().as_str()
            }
            _ => "",
        };
        seen.push(format!("{} {inside}", context.principal));
        Verdict::Allow
    });
    let hooks = HookSet::none()
        .guard(HookPoint::Register)
        .guard(HookPoint::Submit)
        .guard(HookPoint::Delegate);
    let o = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .wall_clock(Noon)
        .plugin(manifest("p", hooks), plugin)
        .start()
        .await
        .unwrap();
    o.as_principal("ann")
        .unwrap()
        .register_agent(external("e", &["x"]))
        .await
        .unwrap();
    o.delegate_task(task("x")).await.unwrap();
    assert_eq!(
        log.lines(),
        ["ann ann", "anonymous anonymous", "anonymous anonymous"]
    );
}
