//! Adaptive routing among providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use universal_orchestrator_patterns::{Routed, Specialist, Step, StepContext, StepFailure};

use crate::common::{context, orchestrator};

/// A provider that can be broken and repaired.
fn provider(name: &str, ms: u64) -> (Specialist<u32, u32>, Arc<AtomicBool>, Arc<AtomicU32>) {
    let (broken, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let (is_broken, counter) = (Arc::clone(&broken), Arc::clone(&calls));
    let work = move |n: u32, _: StepContext| {
        counter.fetch_add(1, Ordering::SeqCst);
        let broken = is_broken.load(Ordering::SeqCst);
        async move {
            if broken {
                return Err(StepFailure::retryable("broken"));
            }
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(n)
        }
    };
    (Specialist::function(name, work), broken, calls)
}

#[tokio::test(start_paused = true)]
async fn the_quick_one_gets_the_calls_until_it_breaks_and_again_when_it_is_well() {
    let o = orchestrator().await;
    let context = context(&o);
    let (slow, _, slow_calls) = provider("slow", 900);
    let (quick, broken, quick_calls) = provider("quick", 100);
    let routed = Routed::new("model").to(slow).to(quick).probe_every(10);
    let run = async |calls: u32| {
        let before = quick_calls.load(Ordering::SeqCst);
        let mut failed = 0;
        for _ in 0..calls {
            failed += u32::from(!routed.run(&context, 1).await.is_success());
        }
        (quick_calls.load(Ordering::SeqCst) - before, failed)
    };
    let (to_quick, _) = run(100).await;
    assert!(to_quick >= 89, "{to_quick} of 100, the rest are probes");
    broken.store(true, Ordering::SeqCst);
    let (to_quick, failed) = run(100).await;
    assert!(to_quick <= 12 && failed == to_quick, "{to_quick} of 100");
    broken.store(false, Ordering::SeqCst);
    let _ = run(300).await;
    let (to_quick, _) = run(100).await;
    assert!(to_quick >= 85, "{to_quick} of 100 after the repair");
    let arms = routed.arms();
    assert_eq!((&*arms[0].name, &*arms[1].name), ("slow", "quick"));
    assert_eq!(arms[0].calls, u64::from(slow_calls.load(Ordering::SeqCst)));
    assert!((arms[0].seconds - 0.9).abs() < 0.01 && arms[1].seconds < 0.11);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_provider_it_says_so() {
    let o = orchestrator().await;
    let nobody: Routed<u32, u32> = Routed::new("nobody");
    let result = nobody.run(&context(&o), 1).await;
    assert_eq!(
        result.failure().map(ToString::to_string).as_deref(),
        Some("not_found: nobody has no provider: add one with to")
    );
    o.shutdown().await;
}
