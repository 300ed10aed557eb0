//! A saved session comes back as it was; a file that is not whole changes nothing.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::fs;
use std::time::Duration;

use common::{orchestrator, service, session};
use universal_orchestrator::Priority;
use universal_orchestrator_context::{
    ContextService, FragmentRole, NewFragment, RestoreError, SaveError,
};

async fn filled(service: &ContextService) {
    let s = session("s");
    service.create(&s).unwrap();
    let rule = NewFragment::new("always say when\n\n  \t")
        .priority(Priority::Critical)
        .role(FragmentRole::Instruction);
    service.add(&s, rule).await.unwrap();
    service
        .add(&s, NewFragment::new("a note: 漢字 🙂").relevance(0.9))
        .await
        .unwrap();
    service
        .add(&s, NewFragment::new("a note: 漢字 🙂"))
        .await
        .unwrap();
    let long: String = (0..300)
        .map(|n| format!("12:00:{:02} INFO got {n}\n", n % 60))
        .collect();
    service.add(&s, NewFragment::new(long)).await.unwrap();
}

fn described(service: &ContextService) -> Vec<String> {
    let fragments = service.fragments(&session("s")).unwrap();
    let text = |f: &universal_orchestrator_context::FragmentView| {
        let content = service.content(&session("s"), f.id);
        format!(
            "{:?} {content:?}",
            (
                f.id,
                f.role,
                f.kind,
                f.priority,
                f.relevance,
                f.tokens,
                f.repeats,
                f.age
            )
        )
    };
    fragments.iter().map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_saved_session_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.session");
    let o = orchestrator("").await;
    let first = service(&o);
    filled(&first).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let bytes = first.save(&session("s"), &file).await.unwrap();
    assert_eq!(bytes, fs::metadata(&file).unwrap().len());
    let before = described(&first);
    let context = first
        .assemble(&session("s"), Some("got 17"), 300)
        .await
        .unwrap();
    o.shutdown().await;

    let o = orchestrator("").await;
    let second = service(&o);
    // Ages are counted back from now, and the paused clock has to be old enough for that.
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(second.restore(&file).await.unwrap(), session("s"));
    assert_eq!(described(&second), before);
    let again = second
        .assemble(&session("s"), Some("got 17"), 300)
        .await
        .unwrap();
    assert_eq!(again.text, context.text);
    let next = second
        .add(&session("s"), NewFragment::new("new"))
        .await
        .unwrap();
    assert_eq!(next.id.number(), 4);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn any_change_of_a_file_is_found_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.session");
    let o = orchestrator("").await;
    let service = service(&o);
    filled(&service).await;
    service.save(&session("s"), &file).await.unwrap();
    let before = described(&service);
    let whole = fs::read(&file).unwrap();
    let damaged = folder.path().join("damaged");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs::write(&damaged, &bytes).unwrap();
        let error = service.restore(&damaged).await.unwrap_err();
        let fits = matches!(
            error,
            RestoreError::Damaged { .. } | RestoreError::NotASession { .. }
        );
        assert!(fits, "byte {at}: {error}");
    }
    for len in (0..whole.len()).step_by(7) {
        fs::write(&damaged, &whole[..len]).unwrap();
        assert!(service.restore(&damaged).await.is_err(), "{len} bytes");
    }
    let mut longer = whole.clone();
    longer.push(0);
    fs::write(&damaged, &longer).unwrap();
    assert!(service.restore(&damaged).await.is_err());
    assert_eq!(described(&service), before);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_or_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let o = orchestrator("").await;
    let service = service(&o);
    filled(&service).await;
    let nowhere = folder.path().join("no").join("such").join("folder");
    let error = service.save(&session("s"), &nowhere).await.unwrap_err();
    assert!(matches!(error, SaveError::Io { .. }), "{error}");
    let error = service
        .save(&session("none"), &folder.path().join("x"))
        .await
        .unwrap_err();
    assert!(matches!(error, SaveError::NoSession { .. }), "{error}");
    assert!(matches!(
        service.restore(&nowhere).await,
        Err(RestoreError::Io { .. })
    ));
    let other = folder.path().join("other");
    fs::write(&other, "not a session at all").unwrap();
    assert!(matches!(
        service.restore(&other).await,
        Err(RestoreError::NotASession { .. })
    ));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_exceeds_the_limits_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.session");
    let o = orchestrator("").await;
    let first = service(&o);
    filled(&first).await;
    first.save(&session("s"), &file).await.unwrap();
    o.shutdown().await;
    let o = orchestrator("fragments_max = 2").await;
    let second = service(&o);
    let error = second.restore(&file).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("needs 3 of fragments_max = 2: raise the limit"),
        "{error}"
    );
    assert!(second.fragments(&session("s")).is_none());
    o.shutdown().await;
    let o = orchestrator("sessions_max = 1").await;
    let third = service(&o);
    third.create(&session("t")).unwrap();
    assert!(matches!(
        third.restore(&file).await,
        Err(RestoreError::Create(_))
    ));
    o.shutdown().await;
}
