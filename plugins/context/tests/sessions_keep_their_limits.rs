//! Sessions stay within their limits, and say what they refuse, compress and drop.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::time::Duration;

use common::{orchestrator, reader, service, session, task};
use universal_orchestrator::Priority;
use universal_orchestrator_context::{
    AddRefusal, AssembleError, CreateError, FragmentId, Level, NewFragment,
};

fn log(lines: usize) -> String {
    let line = |n: usize| format!("12:00:{:02} INFO request {n} served\n", n % 60);
    (0..lines).map(line).collect()
}

fn numbers(fragments: &[universal_orchestrator_context::FragmentView]) -> Vec<u64> {
    fragments
        .iter()
        .map(|fragment| fragment.id.number())
        .collect()
}

/// The original's deduplication changed a map while it walked it, and broke as soon as two fragments were equal.
#[tokio::test(start_paused = true)]
async fn equal_results_become_one_fragment_with_a_count() {
    let o = orchestrator("").await;
    reader(&o, "a").await;
    for _ in 0..3 {
        o.execute(task("a", "s", "the same answer"))
            .await
            .unwrap()
            .into_result()
            .unwrap();
    }
    o.execute(task("a", "s", "another answer"))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let service = service(&o);
    service.settled().await;
    let fragments = service.fragments(&session("s")).unwrap();
    assert_eq!(numbers(&fragments), [1, 2]);
    assert_eq!((fragments[0].repeats, fragments[1].repeats), (2, 0));

    let critical = NewFragment::new("the same answer").priority(Priority::Critical);
    let added = service.add(&session("s"), critical).await.unwrap();
    assert!(added.repeated && added.id == fragments[0].id);
    assert_eq!(
        service.fragments(&session("s")).unwrap()[0].priority,
        Priority::Critical
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_least_recently_used_goes_and_critical_ones_stay() {
    let o = orchestrator("fragments_max = 3").await;
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    let critical = NewFragment::new("critical").priority(Priority::Critical);
    service.add(&s, critical).await.unwrap();
    for n in 2..=3 {
        tokio::time::advance(Duration::from_secs(1)).await;
        service
            .add(&s, NewFragment::new(format!("note {n}")))
            .await
            .unwrap();
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let again = service.add(&s, NewFragment::new("note 2")).await.unwrap();
    assert!(again.repeated);
    let added = service.add(&s, NewFragment::new("note 4")).await.unwrap();
    assert_eq!(added.evicted, 1);
    assert_eq!(numbers(&service.fragments(&s).unwrap()), [1, 2, 4]);
    assert_eq!(service.session_stats(&s).unwrap().evicted, 1);
    assert_eq!(service.stats(1).evicted, 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_with_the_limit_and_changes_nothing() {
    let o =
        orchestrator("session_tokens_max = 30\nfragment_bytes_max = 200\nsessions_max = 1").await;
    let service = service(&o);
    let s = session("s");
    let refused = service.add(&s, NewFragment::new("x")).await.unwrap_err();
    assert!(matches!(refused.refusal, AddRefusal::NoSession { .. }));
    assert_eq!(refused.fragment.content(), "x");
    service.create(&s).unwrap();
    assert!(matches!(
        service.create(&s),
        Err(CreateError::Exists { .. })
    ));
    assert_eq!(
        service.create(&session("t")).unwrap_err(),
        CreateError::TooMany { max: 1 }
    );
    let refused = service
        .add(&s, NewFragment::new("é".repeat(101)))
        .await
        .unwrap_err();
    assert_eq!(
        refused.refusal,
        AddRefusal::TooLong {
            bytes: 202,
            max: 200
        }
    );
    let refused = service.add(&s, NewFragment::new(" \n ")).await.unwrap_err();
    assert_eq!(refused.refusal, AddRefusal::Empty);

    let rule = "one two three four five six seven eight nine ten eleven twelve";
    let critical = NewFragment::new(rule).priority(Priority::Critical);
    service.add(&s, critical).await.unwrap();
    service.add(&s, NewFragment::new("small")).await.unwrap();
    let before = service.session_stats(&s).unwrap();
    let large = NewFragment::new(format!("other {rule} and several more words than that"));
    let refused = service.add(&s, large).await.unwrap_err();
    let AddRefusal::NoRoom {
        limit, max, held, ..
    } = refused.refusal
    else {
        panic!("{refused}");
    };
    assert_eq!((limit, max), ("session_tokens_max", 30));
    assert!(
        held > 0 && refused.to_string().contains("raise the limit"),
        "{refused}"
    );
    assert_eq!(service.session_stats(&s).unwrap(), before);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_store_takes_room_from_the_session_that_was_used_least_recently() {
    let o = orchestrator("store_bytes_max = 60000\ncompress_light_percent = 100\ncompress_medium_percent = 100\ncompress_heavy_percent = 100").await;
    let service = service(&o);
    let word = |n: usize| -> String { (0..400).map(|k| format!("w{} ", k * 31 + n)).collect() };
    for name in ["old", "new"] {
        service.create(&session(name)).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        for n in 0..2 {
            let new = NewFragment::new(format!("{name} {}", word(n)));
            service.add(&session(name), new).await.unwrap();
        }
    }
    let held = service.stats(0).bytes;
    assert!(held <= 60_000);
    let mut added = 0;
    while service.stats(0).evicted == 0 {
        added += 1;
        assert!(
            added < 50,
            "nothing was evicted at {} bytes",
            service.stats(0).bytes
        );
        let new = NewFragment::new(format!("more {added} {}", word(added)));
        service.add(&session("new"), new).await.unwrap();
    }
    assert!(service.session_stats(&session("old")).unwrap().evicted > 0);
    assert_eq!(service.session_stats(&session("new")).unwrap().evicted, 0);
    assert!(service.stats(0).bytes <= 60_000);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_fills_up_is_compressed_before_anything_goes() {
    let o = orchestrator("session_tokens_max = 12000").await;
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    let rule = log(60);
    let critical = NewFragment::new(rule.clone()).priority(Priority::Critical);
    service.add(&s, critical).await.unwrap();
    for n in 0..12 {
        let text = format!("batch {n}\n{}", log(200));
        service.add(&s, NewFragment::new(text)).await.unwrap();
    }
    let stats = service.session_stats(&s).unwrap();
    assert_eq!((stats.fragments, stats.evicted), (13, 0));
    assert!(stats.compressed > 0 && stats.tokens <= 12_000, "{stats:?}");
    let fragments = service.fragments(&s).unwrap();
    assert_eq!(
        (fragments[0].level, fragments[0].losses.is_none()),
        (None, true)
    );
    assert_eq!(service.content(&s, fragments[0].id), Some(rule));
    let compressed = fragments
        .iter()
        .find(|f| f.level >= Some(Level::Medium))
        .unwrap();
    assert!(compressed.losses.lines > 100);
    let content = service.content(&s, compressed.id).unwrap();
    assert!(content.contains("lines like this dropped"), "{content}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_goes_at_the_tick() {
    let toml = "fragment_ttl_s = 60\nsession_ttl_s = 3600";
    let config: universal_orchestrator_context::ContextConfig = toml::from_str(toml).unwrap();
    let mut quiet = universal_orchestrator_testkit::quiet_config();
    quiet.tick_interval_ms = 1_000;
    let plugin = universal_orchestrator_context::ContextPlugin::new(config).unwrap();
    let manifest = universal_orchestrator_context::ContextPlugin::MANIFEST;
    let builder = universal_orchestrator_testkit::test_builder(quiet).plugin(manifest, plugin);
    let o = builder.start().await.unwrap();
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    service.add(&s, NewFragment::new("fades")).await.unwrap();
    let critical = NewFragment::new("stays").priority(Priority::Critical);
    service.add(&s, critical).await.unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(service.fragments(&s).unwrap().len(), 2);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(numbers(&service.fragments(&s).unwrap()), [2]);
    assert_eq!(service.stats(0).expired, 1);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(service.fragments(&s).is_none());
    assert_eq!(
        (service.stats(0).sessions_expired, service.stats(0).bytes),
        (1, 0)
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn closed_sessions_are_gone_and_numbers_are_not_used_twice() {
    let o = orchestrator("fragments_max = 1").await;
    let service = service(&o);
    let s = session("s");
    service.create(&s).unwrap();
    let mut last = None;
    for n in 0..5 {
        let added = service
            .add(&s, NewFragment::new(format!("note {n}")))
            .await
            .unwrap();
        assert!(last.is_none_or(|last: FragmentId| last < added.id));
        last = Some(added.id);
    }
    assert!(service.close(&s));
    assert!(!service.close(&s));
    let error = service.assemble(&s, None, 100).await.unwrap_err();
    assert_eq!(error, AssembleError::NoSession { session: s });
    assert_eq!(service.stats(0).bytes, 0);
    o.shutdown().await;
}
