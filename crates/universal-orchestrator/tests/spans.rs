//! The spans of attempts and hooks.
//!
//! In a program of their own, and in turn: `tracing` remembers for all threads whether anybody listens to a span.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails it as the test itself does"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Hooked, echo, external, manifest, ms, plain, task, with_plugins, worker};
use parking_lot::Mutex;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use universal_orchestrator::plugin::{HookPoint, HookSet};
use universal_orchestrator::{
    AgentError, RetryPolicy, TaskContext, UniversalOrchestrator, agent_fn,
};

/// One test at a time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

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
    let _turn = TURN.lock().await;
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
    let _turn = TURN.lock().await;
    let recording = Recording::default();
    let _guard = tracing::subscriber::set_default(recording.clone());
    let hooks = HookSet::none().guard(HookPoint::Start);
    let o = with_plugins(|_| {}, vec![(manifest("p", hooks), Hooked::new())]).await;
    o.register_agent(worker("w", &["a"], echo())).await.unwrap();
    drop(o.execute(task("a")).await.unwrap());
    assert_eq!(recording.fields("plugin.hook", "plugin"), ["p"]);
    assert_eq!(recording.fields("plugin.hook", "stage"), ["Guard"]);
    assert_eq!(recording.fields("plugin.hook", "point"), ["Start"]);
}
