//! What a hook asks of the orchestrator: done after the commit, from a queue that is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use universal_orchestrator::plugin::{
    Control, ControlError, HookPoint, HookSet, Observed, PluginManifest,
};
use universal_orchestrator::{Availability, Capability, TaskState};

use crate::common::*;

/// Sends commands from an observe hook of `register` of the agent `trigger`.
fn commanding(send: impl Fn(&Control) + Send + Sync + 'static) -> (PluginManifest, Hooked) {
    let plugin = Hooked::new().observe(move |context, what| {
        if let Observed::Registered { agent, .. } = what
            && agent.as_str() == "trigger"
        {
            send(context.control);
        }
    });
    (
        manifest("boss", HookSet::none().observe(HookPoint::Register)),
        plugin,
    )
}

#[tokio::test(start_paused = true)]
async fn commands_run_after_the_commit() {
    type Send = fn(&Control) -> Result<(), ControlError>;
    let cases: [(Send, Availability); 4] = [
        (|c| c.sleep(&aid("trigger")), Availability::Sleeping),
        (|c| c.drain(&aid("trigger")), Availability::Draining),
        (
            |c| c.quarantine(&aid("trigger"), "odd"),
            Availability::Quarantined,
        ),
        (
            |c| {
                c.sleep(&aid("trigger"))?;
                c.quarantine(&aid("trigger"), "odd")?;
                c.release(&aid("trigger"))?;
                c.wake(&aid("trigger"))
            },
            Availability::Available,
        ),
    ];
    for (send, expected) in cases {
        let seen = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&seen);
        let o = with_plugins(
            |_| {},
            vec![commanding(move |control| {
                send(control).expect("there is room");
                let view = control.agent(&aid("trigger")).expect("it was committed");
                flag.store(
                    view.availability == Availability::Available,
                    Ordering::SeqCst,
                );
            })],
        )
        .await;
        o.register_agent(external("trigger", &[])).await.unwrap();
        assert!(
            seen.load(Ordering::SeqCst),
            "nothing happens inside of the hook"
        );
        settle().await;
        let view = o.agent(&aid("trigger")).unwrap();
        assert_eq!(view.availability, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn commands_submit_cancel_and_notify() {
    let o = with_plugins(
        |_| {},
        vec![commanding(|control| {
            let principal = control
                .task(&tid("live"))
                .expect("it was submitted before")
                .principal;
            let given = task("x").id("given").payload(7);
            control.submit(given, &principal.into()).expect("room");
            control.cancel(&tid("live")).expect("room");
            control.notify("boss", "look here").expect("room");
            assert_eq!(control.status().expect("alive").agents.total, 2);
        })],
    )
    .await;
    o.register_agent(external("e", &["x"])).await.unwrap();
    let user = o.as_principal("ann").unwrap();
    let live = user.submit_task(task("x").id("live")).await.unwrap();
    let mut events = o.events();
    o.register_agent(external("trigger", &[])).await.unwrap();
    settle().await;
    assert_eq!(live.try_outcome().unwrap().state(), TaskState::Cancelled);
    let view = o.task(&tid("given")).unwrap().view().unwrap();
    assert_eq!(view.principal.as_str(), "ann");
    let alerts = o.status().alerts;
    assert_eq!(
        (alerts[0].source.as_str(), alerts[0].text.as_str()),
        ("boss", "look here")
    );
    let mut alerted = 0;
    while let Some(record) = events.try_next() {
        if let universal_orchestrator::Event::Alert { text, .. } = record.event {
            assert_eq!(&*text, "look here");
            alerted += 1;
        }
    }
    assert_eq!(alerted, 1);
}

#[tokio::test(start_paused = true)]
async fn the_queue_of_commands_is_bounded_and_ends_with_the_orchestrator() {
    let log = Log::default();
    let (seen, kept) = (log.clone(), Arc::new(parking_lot::Mutex::new(None)));
    let keep = Arc::clone(&kept);
    let o = with_plugins(
        |c| c.hooks.control_depth_max = 3,
        vec![commanding(move |control| {
            for n in 0..5 {
                let sent = control.notify("boss", n.to_string());
                seen.push(format!("{sent:?}"));
            }
            *keep.lock() = Some(control.clone());
        })],
    )
    .await;
    o.register_agent(external("trigger", &[])).await.unwrap();
    let full = "Err(Full)";
    assert_eq!(log.lines(), ["Ok(())", "Ok(())", "Ok(())", full, full]);
    settle().await;
    assert_eq!(o.status().alerts.len(), 3);
    let control = kept.lock().clone().unwrap();
    control.notify("boss", "room again").unwrap();
    o.shutdown().await;
    settle().await;
    let gone = control.notify("boss", "too late").unwrap_err();
    assert_eq!(gone, ControlError::ShutDown);
    drop(o);
    settle().await;
    assert!(control.status().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_plugin_sees_what_waits_and_for_whom() {
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let boss = commanding(move |control| *sink.lock() = control.waiting());
    let o = with_plugins(|_| {}, vec![boss]).await;
    let sleeper = external("sleeper", &["x", "y"]).label("zone", "eu");
    let sleeper = o.register_agent(sleeper).await.unwrap();
    o.sleep_agent(&sleeper).await.unwrap();
    let mut handles = Vec::new();
    for wanted in ["x", "x", "y"] {
        let task = task(wanted).require_label("zone", "eu");
        handles.push(o.submit_task(task).await.unwrap());
        tokio::time::sleep(secs(1)).await;
    }
    o.pause_capability(&Capability::new("y").unwrap());
    o.register_agent(external("trigger", &["x"])).await.unwrap();
    let waiting = std::mem::take(&mut *seen.lock());
    let [one] = &waiting[..] else {
        panic!("y is paused: {waiting:?}")
    };
    assert_eq!((one.tasks, one.longest), (2, secs(3)));
    assert!(one.required.contains("x") && one.role.is_none());
    assert!(one.fit(&o.agent(&sleeper).unwrap()));
    let other = o.agent(&aid("trigger")).unwrap();
    assert!(!one.fit(&other), "it has no label");
    for handle in handles {
        handle.cancel();
    }
}
