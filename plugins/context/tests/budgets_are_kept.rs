//! A context never exceeds its budget, never touches what is critical, and says what it left out.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

use proptest::prelude::*;
use universal_orchestrator::Priority;
use universal_orchestrator::UniversalOrchestrator;
use universal_orchestrator_context::{
    AssembleError, AssembledContext, ContextConfig, ContextPlugin, ContextService, Encoding,
    NewFragment, SessionId, Shown,
};
use universal_orchestrator_testkit::{quiet_config, test_builder};

fn content() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-z]{1,8}( [a-z]{1,8}){0,12}",
        "12:[0-5][0-9]:00 (INFO|WARN) [a-z]{1,6} served [0-9]{1,4}",
        Just(String::new()),
        Just("  // note".to_owned()),
        Just("/path/to".to_owned()),
        Just("};".to_owned()),
        Just("\r".to_owned()),
        Just("漢字 🙂".to_owned()),
    ];
    let text = prop::collection::vec(line, 1..40).prop_map(|lines| lines.join("\n"));
    let json = prop::collection::vec(0_u32..100, 0..40)
        .prop_map(|list| format!("{{ \"list\": {list:?}, \"none\": null }}"));
    prop_oneof![4 => text, 1 => json].prop_filter("not blank", |text| !text.trim().is_empty())
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![
        1 => Just(Priority::Critical),
        3 => Just(Priority::High),
        6 => Just(Priority::Medium),
        3 => Just(Priority::Low),
    ]
}

async fn start(config: ContextConfig) -> (UniversalOrchestrator, std::sync::Arc<ContextService>) {
    let plugin = ContextPlugin::new(config).unwrap();
    let builder = test_builder(quiet_config()).plugin(ContextPlugin::MANIFEST, plugin);
    let o = builder.start().await.unwrap();
    let service = o.service::<ContextService>().unwrap();
    (o, service)
}

type Fragments = Vec<(String, Priority)>;

async fn assemble(
    fragments: &Fragments,
    query: Option<&str>,
    budget: usize,
    encoding: &str,
) -> Result<AssembledContext, AssembleError> {
    let toml = format!("encoding = \"{encoding}\"\nexcerpt_tokens_min = 40");
    let (o, service) = start(toml::from_str(&toml).unwrap()).await;
    let session = SessionId::new("s").unwrap();
    service.create(&session).unwrap();
    for (text, priority) in fragments {
        let new = NewFragment::new(text.clone()).priority(*priority);
        service.add(&session, new).await.unwrap();
    }
    let context = service.assemble(&session, query, budget).await;
    assert_eq!(
        context,
        service.assemble(&session, query, budget).await,
        "not deterministic"
    );
    o.shutdown().await;
    context
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn never_over_budget_and_critical_fragments_intact(
        fragments in prop::collection::vec((content(), priority()), 0..14),
        budget in 1_usize..900,
        query in prop::option::of("[a-z]{1,6} [a-z]{1,6}"),
        encoding in prop_oneof![Just("cl100k_base"), Just("o200k_base")],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let context = runtime.block_on(assemble(&fragments, query.as_deref(), budget, encoding));
        let counts = match encoding {
            "cl100k_base" => Encoding::Cl100kBase,
            _ => Encoding::O200kBase,
        };
        let critical: Vec<&String> = fragments
            .iter()
            .filter(|(_, priority)| *priority == Priority::Critical)
            .map(|(text, _)| text)
            .collect();
        match context {
            Ok(context) => {
                prop_assert_eq!(context.tokens, counts.count(&context.text), "{:?}", context.text);
                prop_assert!(context.tokens <= budget);
                for text in critical {
                    prop_assert!(context.text.contains(text.as_str()));
                }
                let explained = &context.explanation;
                let hidden = |shown| matches!(shown, Shown::Dropped | Shown::NearDuplicateOf(_));
                let dropped = explained.fragments.iter().filter(|c| hidden(c.shown)).count();
                prop_assert_eq!(dropped, explained.losses.fragments + explained.losses.near_duplicates);
                let sum: usize = explained.fragments.iter().map(|choice| choice.tokens_after).sum();
                prop_assert!(sum <= context.tokens);
                if !explained.losses.is_none() {
                    // Only what has no room for the last line leaves it out.
                    let said = context.text.contains("[...]") || context.tokens + 30 > budget;
                    prop_assert!(said, "{:?}", context.text);
                }
            }
            Err(AssembleError::CriticalExceedsBudget { tokens, .. }) => {
                prop_assert!(tokens > budget && !critical.is_empty());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
