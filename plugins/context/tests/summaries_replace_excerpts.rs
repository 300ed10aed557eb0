//! A summarizer's text takes the place of an excerpt when it is in time and short enough.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{service, session};
use universal_orchestrator::{UniversalOrchestrator, async_trait};
use universal_orchestrator_context::{
    AssembledContext, ContextConfig, ContextPlugin, Encoding, NewFragment, Shown, Summarizer,
    SummaryError, SummaryRequest,
};
use universal_orchestrator_testkit::{quiet_config, test_builder};

enum Manner {
    Short,
    TooLong,
    Late,
    Fails,
}

struct Writer {
    manner: Manner,
    asked: AtomicUsize,
}

#[async_trait]
impl Summarizer for Writer {
    async fn summarize(&self, request: SummaryRequest) -> Result<String, SummaryError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.manner {
            Manner::Short => Ok(format!(
                "about {} in short",
                request.query.as_deref().unwrap_or("all")
            )),
            Manner::TooLong => Ok("word ".repeat(request.tokens_max + 1)),
            Manner::Late => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok("late".to_owned())
            }
            Manner::Fails => Err(SummaryError::new("no model")),
        }
    }
}

async fn start(toml: &str, writer: &Arc<Writer>) -> UniversalOrchestrator {
    let config: ContextConfig = toml::from_str(toml).unwrap();
    let writer: Arc<dyn Summarizer> = Arc::<Writer>::clone(writer);
    let plugin = ContextPlugin::with_summarizer(config, writer).unwrap();
    let builder = test_builder(quiet_config()).plugin(ContextPlugin::MANIFEST, plugin);
    builder.start().await.unwrap()
}

async fn assembled(toml: &str, manner: Manner) -> (AssembledContext, usize) {
    let asked = AtomicUsize::new(0);
    let writer = Arc::new(Writer { manner, asked });
    let o = start(toml, &writer).await;
    let service = service(&o);
    service.create(&session("s")).unwrap();
    for n in 0..3 {
        let lines: String = (0..200)
            .map(|k| format!("item{k} of list{n} has value v{}\n", k * 7 + n))
            .collect();
        service
            .add(&session("s"), NewFragment::new(lines))
            .await
            .unwrap();
    }
    let context = service
        .assemble(&session("s"), Some("item7"), 900)
        .await
        .unwrap();
    assert!(context.tokens <= 900);
    assert_eq!(context.tokens, Encoding::default().count(&context.text));
    o.shutdown().await;
    (context, writer.asked.load(Ordering::Relaxed))
}

fn count(context: &AssembledContext, shown: Shown) -> usize {
    context
        .explanation
        .fragments
        .iter()
        .filter(|choice| choice.shown == shown)
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_fits_is_shown_and_says_what_it_stands_for() {
    let (context, asked) = assembled("summaries_max = 2", Manner::Short).await;
    assert_eq!(
        (
            asked,
            count(&context, Shown::Summary),
            count(&context, Shown::Excerpt)
        ),
        (2, 2, 1)
    );
    assert!(
        context.text.contains("about item7 in short\n"),
        "{}",
        context.text
    );
    assert!(context.text.contains(", summary\n"));
    let first = &context.explanation.fragments[0];
    assert_eq!((first.shown, first.losses.lines), (Shown::Summary, 200));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_too_long_late_or_fails_leaves_the_excerpt() {
    for manner in [Manner::TooLong, Manner::Late, Manner::Fails] {
        let (context, asked) = assembled("summary_timeout_ms = 1000", manner).await;
        assert_eq!((asked, count(&context, Shown::Excerpt)), (3, 3));
    }
    let (context, asked) = assembled("summaries_max = 0", Manner::Short).await;
    assert_eq!((asked, count(&context, Shown::Excerpt)), (0, 3));
}
