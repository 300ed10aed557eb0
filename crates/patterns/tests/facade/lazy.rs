//! Lazily built dependencies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use universal_orchestrator_patterns::{ErrorCategory, Lazy, StepFailure};

fn counted(fail_first: u32) -> (Arc<AtomicU32>, Lazy<u32>) {
    let built = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&built);
    let lazy = Lazy::new("model", move || {
        let counter = Arc::clone(&counter);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let n = counter.fetch_add(1, Ordering::SeqCst);
            if n < fail_first {
                return Err(StepFailure::retryable("not yet"));
            }
            Ok(n)
        }
    });
    (built, lazy)
}

#[tokio::test(start_paused = true)]
async fn it_is_built_once_on_the_first_use_by_however_many_callers() {
    let (built, lazy) = counted(0);
    assert!(!lazy.is_built());
    let values = futures::future::join_all((0..50).map(|_| lazy.get())).await;
    assert!(values.into_iter().all(|v| matches!(v, Ok(0))));
    assert_eq!(built.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_again_after_a_failure() {
    let (built, lazy) = counted(1);
    assert!(lazy.get().await.is_err());
    assert!(!lazy.is_built());
    assert_eq!(lazy.get().await.unwrap(), &1);
    assert_eq!(lazy.get().await.unwrap(), &1);
    assert_eq!(built.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_spoil_it() {
    let (built, lazy) = counted(0);
    let gone = tokio::time::timeout(Duration::from_millis(500), lazy.get()).await;
    assert!(gone.is_err());
    assert_eq!(lazy.get().await.unwrap(), &0);
    assert_eq!(built.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_factory_that_panics_is_a_failure() {
    let lazy: Lazy<u32> = Lazy::new("model", || async {
        if true {
            panic!("told to");
        }
        Ok::<_, StepFailure>(1)
    });
    let failure = lazy.get().await.unwrap_err();
    assert_eq!(failure.to_string(), "panicked: model panicked: told to");
    assert_eq!(failure.category(), ErrorCategory::Panicked);
}
