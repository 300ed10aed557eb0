//! What is told: each event for its cause, what a slow listener loses, and the spans of each attempt.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails it as the test itself does"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{
    Hooked, aid, echo, external, flaky, manifest, ms, plain, secs, settle, task, tid, with_config,
    with_plugins, worker,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use universal_orchestrator::plugin::{GuardCall, HookPoint, HookSet, Observed, Verdict};
use universal_orchestrator::{
    AgentError, EventStream, RetryPolicy, Task, TaskContext, TaskFailure, UniversalOrchestrator,
    Veto, agent_fn,
};

/// What was told since the last look, as JSON, without its number in the order.
fn told(events: &mut EventStream) -> Vec<Value> {
    std::iter::from_fn(|| events.try_next())
        .map(|record| {
            let mut value = serde_json::to_value(record).unwrap();
            assert!(value["sequence"].is_u64(), "{value}");
            value.as_object_mut().unwrap().remove("sequence");
            value
        })
        .collect()
}

fn finished(task: &str, state: &str) -> Value {
    json!({"event": "task_finished", "task": task, "state": state})
}

fn accepted(task: &str) -> Value {
    json!({"event": "task_accepted", "task": task})
}

fn delegated(task: &str, agent: &str, attempt: u32) -> Value {
    json!({"event": "task_delegated", "task": task, "agent": agent, "attempt": attempt})
}

fn availability(agent: &str, availability: &str) -> Value {
    json!({"event": "agent_availability", "agent": agent, "availability": availability})
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_an_agent_is_told() {
    let o = plain().await;
    let mut events = o.events();
    let e = external("e", &["a"]).heartbeat_every(secs(1));
    let e = o.register_agent(e).await.unwrap();
    assert_eq!(
        told(&mut events),
        [json!({"event": "agent_registered", "agent": "e"})]
    );
    o.sleep_agent(&e).await.unwrap();
    o.sleep_agent(&e).await.unwrap();
    o.wake_agent(&e).await.unwrap();
    o.drain_agent(&e).await.unwrap();
    o.wake_agent(&e).await.unwrap();
    o.quarantine_agent(&e, "why").await.unwrap();
    o.release_agent(&e).await.unwrap();
    let changes = [
        "sleeping",
        "available",
        "draining",
        "available",
        "quarantined",
        "available",
    ];
    assert_eq!(told(&mut events), changes.map(|to| availability("e", to)));
    tokio::time::sleep(secs(4)).await;
    assert_eq!(told(&mut events), [availability("e", "unreachable")]);
    o.heartbeat(&e).await.unwrap();
    assert_eq!(told(&mut events), [availability("e", "available")]);
    o.deregister_agent(&e).await.unwrap();
    let last = told(&mut events).pop();
    assert_eq!(
        last,
        Some(json!({"event": "agent_deregistered", "agent": "e"}))
    );
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_a_task_is_told() {
    let o = with_plugins(|_| {}, vec![(manifest("p", start_guard()), bouncer())]).await;
    o.register_agent(external("e", &["a"])).await.unwrap();
    o.register_agent(worker("w", &["b"], flaky()))
        .await
        .unwrap();
    let mut events = o.events();

    let d = o.delegate_task(task("a").id("done")).await.unwrap();
    o.report_progress(&d, json!({"percent": 50})).await.unwrap();
    o.complete_task(&d, "x").await.unwrap();
    o.complete_task(&d, "again").await.unwrap_err();
    let progress = json!({"event": "task_progress", "task": "done", "progress": {"percent": 50}});
    let refused = json!({"event": "report_refused", "task": "done"});
    let all = [
        accepted("done"),
        delegated("done", "e", 1),
        progress,
        finished("done", "succeeded"),
        refused,
    ];
    assert_eq!(told(&mut events), all);

    let d = o.delegate_task(task("a").id("fails")).await.unwrap();
    o.fail_task(&d, TaskFailure::permanent("no")).await.unwrap();
    assert_eq!(told(&mut events)[2..], [finished("fails", "failed")]);

    let mut retry = RetryPolicy::exponential(2, ms(250), ms(250));
    retry.jitter = 0.0;
    let retried = task("b").id("retried").payload(1).retry(retry);
    assert!(o.execute(retried).await.unwrap().is_success());
    let retrying = json!({
        "event": "task_retrying", "task": "retried", "attempt": 1,
        "failure": "retryable", "delay": {"secs": 0, "nanos": 250_000_000},
    });
    let all = [
        accepted("retried"),
        delegated("retried", "w", 1),
        retrying,
        delegated("retried", "w", 2),
        finished("retried", "succeeded"),
    ];
    assert_eq!(told(&mut events), all);

    let late = task("a").id("late").deadline_in(secs(1));
    let late = o.submit_task(late).await.unwrap();
    drop(late.outcome().await.unwrap());
    assert_eq!(
        told(&mut events),
        [accepted("late"), finished("late", "timed_out")]
    );

    let unwanted = o.submit_task(task("a").id("unwanted")).await.unwrap();
    assert!(unwanted.cancel());
    assert_eq!(told(&mut events)[1..], [finished("unwanted", "cancelled")]);

    let banned = Task::new("banned").requires(["b"]).id("banned");
    drop(o.execute(banned).await.unwrap());
    let last = told(&mut events).pop();
    assert_eq!(last, Some(finished("banned", "rejected")));

    o.submit_task(task("a").id("alone")).await.unwrap();
    o.deregister_agent(&aid("e")).await.unwrap();
    let unroutable = json!({"event": "task_unroutable", "task": "alone"});
    assert_eq!(
        told(&mut events)
            .iter()
            .filter(|e| **e == unroutable)
            .count(),
        1
    );
    assert!(o.task(&tid("alone")).unwrap().cancel());
}

fn start_guard() -> HookSet {
    HookSet::none().guard(HookPoint::Start)
}

/// Refuses to start what is banned.
fn bouncer() -> Hooked {
    Hooked::new().guard(|_, call| match call {
        GuardCall::Start { task, .. } if task.task().task_type().unwrap().as_str() == "banned" => {
            Verdict::Veto(Veto::new("banned", "not here"))
        }
        _ => Verdict::Allow,
    })
}

#[tokio::test(start_paused = true)]
async fn faults_alerts_and_the_end_are_told() {
    let plugin = Hooked::new().observe(|context, what| match what {
        Observed::Tick => panic!("hit"),
        Observed::Registered { agent } => context
            .control
            .notify("p", format!("{agent} came"))
            .unwrap(),
        _ => {}
    });
    let hooks = HookSet::none()
        .observe(HookPoint::Tick)
        .observe(HookPoint::Register);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), plugin)]).await;
    let mut events = o.events();
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    settle().await;
    let alert = json!({"event": "alert", "source": "p", "text": "w came"});
    assert_eq!(told(&mut events)[1..], [alert]);
    assert_eq!(o.status().alerts[0].text, "w came");
    tokio::time::sleep(ms(1_001)).await;
    let fault = json!({"event": "plugin_fault", "plugin": "p", "fault": "panicked: hit"});
    assert_eq!(told(&mut events), [fault]);
    o.shutdown().await;
    assert_eq!(told(&mut events), [json!({"event": "shutdown_started"})]);
    assert!(events.next().await.is_none(), "nothing follows the end");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_exceeded_raises_one_alert_and_counts_every_time() {
    let slow = Hooked::new().guard(|_, _| {
        Verdict::Later(Box::pin(async {
            tokio::time::sleep(ms(50)).await;
            Ok(())
        }))
    });
    let hooks = HookSet::none().guard(HookPoint::Register);
    let strict = |c: &mut universal_orchestrator::OrchestratorConfig| {
        c.max_agent_registration_ms = 49;
    };
    let o = with_plugins(strict, vec![(manifest("slow", hooks), slow)]).await;
    let mut events = o.events();
    for id in ["a", "b", "c"] {
        o.register_agent(external(id, &[])).await.unwrap();
    }
    let alerts: Vec<_> = told(&mut events)
        .into_iter()
        .filter(|e| e["event"] == "alert")
        .collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["source"], "target");
    let text = alerts[0]["text"].as_str().unwrap();
    assert!(
        text.contains("max_agent_registration_ms is 49 ms"),
        "{text}"
    );
    let exceeded = o.status().performance.targets_exceeded;
    assert_eq!(exceeded["max_agent_registration_ms"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_listener_loses_the_oldest_and_can_tell() {
    let o = with_config(|c| c.events.capacity = 8).await;
    let mut slow = o.events();
    let mut quick = o.events();
    for n in 0..20 {
        o.register_agent(external(&format!("e{n}"), &[]))
            .await
            .unwrap();
        assert_eq!(told(&mut quick).len(), 1);
    }
    assert_eq!(
        o.status().events_lagged,
        0,
        "nobody has missed anything yet"
    );
    let kept: Vec<u64> = std::iter::from_fn(|| slow.try_next())
        .map(|record| record.sequence)
        .collect();
    assert_eq!(
        kept,
        (13..=20).collect::<Vec<_>>(),
        "the gap tells how many"
    );
    assert_eq!(o.status().events_lagged, 12);
    o.sleep_agent(&aid("e0")).await.unwrap();
    assert_eq!(slow.try_next().unwrap().sequence, 21);
    assert_eq!(told(&mut quick).len(), 1);
    assert_eq!(o.status().events_lagged, 12, "who keeps up loses nothing");
}

#[derive(Debug, Clone, Default)]
struct Span {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
    entered: u32,
    closed: bool,
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// What was said, and the number of the span in which it was.
type Message = (Option<usize>, Span);

/// Remembers spans, and within which span each message was written.
#[derive(Clone, Default)]
struct Recording {
    spans: Arc<Mutex<Vec<Span>>>,
    stack: Arc<Mutex<Vec<u64>>>,
    messages: Arc<Mutex<Vec<Message>>>,
    count: Arc<AtomicU64>,
}

impl Subscriber for Recording {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.target().starts_with("tokio") && !metadata.target().starts_with("runtime")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut seen = Span {
            name: span.metadata().name(),
            ..Span::default()
        };
        span.record(&mut seen);
        self.spans.lock().push(seen);
        Id::from_u64(self.count.fetch_add(1, Ordering::SeqCst) + 1)
    }
    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut self.spans.lock()[span.into_u64() as usize - 1]);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let within = self.stack.lock().last().map(|id| *id as usize - 1);
        let mut seen = Span::default();
        event.record(&mut seen);
        self.messages.lock().push((within, seen));
    }
    fn enter(&self, span: &Id) {
        self.spans.lock()[span.into_u64() as usize - 1].entered += 1;
        self.stack.lock().push(span.into_u64());
    }
    fn exit(&self, _: &Id) {
        self.stack.lock().pop();
    }
    fn try_close(&self, span: Id) -> bool {
        self.spans.lock()[span.into_u64() as usize - 1].closed = true;
        true
    }
}

impl Recording {
    fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.spans.lock();
        spans.iter().filter(|s| s.name == name).cloned().collect()
    }

    /// The texts of the field `field` of all spans of a name.
    fn fields(&self, name: &str, field: &str) -> Vec<String> {
        let spans = self.named(name);
        spans.iter().map(|s| s.fields[field].clone()).collect()
    }
}

/// Says something, waits, says it again; fails at its first attempt.
async fn talker(_: Value, context: TaskContext) -> Result<u32, AgentError> {
    tracing::info!("before");
    tokio::time::sleep(ms(10)).await;
    tracing::info!("after");
    match context.attempt() {
        1 => Err(AgentError::retryable("not yet")),
        n => Ok(n),
    }
}

async fn talk(o: &UniversalOrchestrator) {
    o.register_agent(worker("w", &["a"], agent_fn(talker)))
        .await
        .unwrap();
    o.register_agent(external("e", &["b"])).await.unwrap();
    let retried = task("a")
        .id("t")
        .retry(RetryPolicy::immediate(2))
        .payload("a secret");
    assert_eq!(o.execute(retried).await.unwrap().result(), 2);
    let queued = o.submit_task(task("a").id("u")).await.unwrap();
    let d = o.delegate_task(task("b").id("v")).await.unwrap();
    o.complete_task(&d, "another secret").await.unwrap();
    assert!(queued.outcome().await.unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_runs_in_a_span_of_its_own() {
    let recording = Recording::default();
    let _guard = tracing::subscriber::set_default(recording.clone());
    let o = plain().await;
    talk(&o).await;
    assert_eq!(recording.fields("task.run", "task"), ["t", "t", "u", "u"]);
    assert_eq!(
        recording.fields("task.run", "attempt"),
        ["1", "2", "1", "2"]
    );
    assert_eq!(recording.fields("task.run", "agent"), ["w"; 4]);
    assert_eq!(recording.fields("task.dispatch", "task"), ["t", "u", "v"]);
    for span in [
        recording.named("task.run"),
        recording.named("task.dispatch"),
    ]
    .concat()
    {
        assert!(span.entered > 0 && span.closed, "{span:?}");
    }
    // What the agent says is said within its attempt, also after it has waited.
    let spans = recording.spans.lock().clone();
    let said: Vec<(String, String)> = recording
        .messages
        .lock()
        .iter()
        .filter(|(_, m)| ["before", "after"].contains(&m.fields["message"].as_str()))
        .map(|(within, m)| {
            let span = &spans[within.expect("it is within a span")];
            assert_eq!(span.name, "task.run");
            let attempt = format!("{} {}", span.fields["task"], span.fields["attempt"]);
            (attempt, m.fields["message"].clone())
        })
        .collect();
    assert_eq!(said.len(), 8);
    assert_eq!(said[0], ("t 1".to_owned(), "before".to_owned()));
    assert_eq!(said[3], ("t 2".to_owned(), "after".to_owned()));
    let everything = format!("{spans:?} {:?}", recording.messages.lock());
    assert!(
        !everything.contains("secret"),
        "no payload and no result is logged"
    );
}

#[tokio::test(start_paused = true)]
async fn each_hook_runs_in_a_span_that_names_it() {
    let recording = Recording::default();
    let _guard = tracing::subscriber::set_default(recording.clone());
    let o = with_plugins(|_| {}, vec![(manifest("p", start_guard()), bouncer())]).await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    drop(o.execute(task("a")).await.unwrap());
    assert_eq!(recording.fields("plugin.hook", "plugin"), ["p"]);
    assert_eq!(recording.fields("plugin.hook", "stage"), ["Guard"]);
    assert_eq!(recording.fields("plugin.hook", "point"), ["Start"]);
}
