//! Map-reduce: order, back-pressure, bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use universal_orchestrator::Amount;
use universal_orchestrator_patterns::{
    MapReduce, Mapped, Specialist, StepContext, StepFailure, StopReason,
};

use crate::common::{context, orchestrator, tokens, with_budget};

/// Answers with its input; the earlier the input, the longer it takes.
fn backwards() -> (Specialist<u64, u64>, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let (seen, now) = (Arc::clone(&most), Arc::new(AtomicUsize::new(0)));
    let work = move |n: u64, _: StepContext| {
        let (seen, now) = (Arc::clone(&seen), Arc::clone(&now));
        async move {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1_000 - n)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, StepFailure>(n)
        }
    };
    (Specialist::function("backwards", work), most)
}

fn collect(all: &mut Vec<u64>, mapped: Mapped<u64>) {
    all.extend(mapped.result.into_data());
}

#[tokio::test(start_paused = true)]
async fn results_are_reduced_in_the_order_of_the_inputs() {
    let o = orchestrator().await;
    let (step, most) = backwards();
    let mut inputs = 0..100;
    let reduced = MapReduce::new(step)
        .at_most(7)
        .run_over(&context(&o), &mut inputs, Vec::new(), collect)
        .await;
    assert_eq!(reduced.value, (0..100).collect::<Vec<_>>());
    assert_eq!(
        (reduced.taken, reduced.succeeded, reduced.stopped),
        (100, 100, None)
    );
    assert_eq!(most.load(Ordering::SeqCst), 7);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_waits_while_there_is_no_place() {
    let o = orchestrator().await;
    let context = context(&o);
    let (step, most) = backwards();
    let (sender, mut inputs) = mpsc::channel(2);
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let send = async move {
        for n in 0..20 {
            sender.send(n).await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
        }
    };
    let map = MapReduce::new(step).at_most(3);
    let watch = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sent.load(Ordering::SeqCst)
    };
    let (reduced, (), early) = tokio::join!(
        map.run(&context, &mut inputs, Vec::new(), collect),
        send,
        watch
    );
    assert_eq!(reduced.value.len(), 20);
    assert_eq!(
        (early, most.load(Ordering::SeqCst)),
        (5, 3),
        "three at work, two in the channel"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_context_while_the_stream_is_silent() {
    let o = orchestrator().await;
    let root = context(&o);
    let (sender, mut inputs) = mpsc::channel(8);
    let (step, _) = backwards();
    let map = MapReduce::new(step);
    sender.send(1).await.unwrap();
    let context = root
        .child()
        .deadline_in(Duration::from_secs(5))
        .build()
        .unwrap();
    let started = tokio::time::Instant::now();
    let reduced = map.run(&context, &mut inputs, Vec::new(), collect).await;
    assert_eq!(
        (reduced.value, reduced.stopped),
        (vec![1], Some(StopReason::Deadline))
    );
    assert_eq!(started.elapsed().as_secs(), 5);
    let context = root.child().build().unwrap();
    let (reduced, ()) = tokio::join!(map.run(&context, &mut inputs, Vec::new(), collect), async {
        context.cancel()
    });
    assert_eq!(reduced.stopped, Some(StopReason::Cancelled));
    sender.send(2).await.unwrap();
    assert_eq!(
        inputs.recv().await,
        Some(2),
        "what was not taken stays in the channel"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_ends_it_and_what_is_missing_is_said() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(35));
    let buys = Specialist::function("buys", |n: u64, step: StepContext| async move {
        if n == 1 {
            return Err(StepFailure::permanent("told to"));
        }
        step.charge(Amount::tokens(10))?;
        Ok(n)
    });
    let mut inputs = 0..1_000;
    let map = MapReduce::new(buys.estimate(Amount::tokens(10))).at_most(1);
    let reduced = map
        .run_over(&context, &mut inputs, Vec::new(), collect)
        .await;
    assert_eq!(reduced.value, [0, 2, 3]);
    assert!(matches!(reduced.stopped, Some(StopReason::Budget { .. })));
    assert_eq!(
        (reduced.failed, reduced.skipped, reduced.cost.tokens),
        (1, 1, 30)
    );
    assert_eq!(reduced.missing[0], (1, "work: told to".to_owned()));
    assert!(
        inputs.next().is_some_and(|n| n < 10),
        "the rest stays where it is"
    );
    let mut inputs = 0..;
    let (step, _) = backwards();
    let bounded = MapReduce::new(step).inputs_max(5);
    let fresh = crate::common::context(&o);
    let reduced = bounded
        .run_over(&fresh, &mut inputs, Vec::new(), collect)
        .await;
    assert_eq!(
        (reduced.taken, reduced.stopped),
        (5, Some(StopReason::StepsMax { max: 5 }))
    );
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_reduction_that_panics_ends_it() {
    let o = orchestrator().await;
    let (step, _) = backwards();
    let mut inputs = 0..100;
    let reduce = |sum: &mut u64, mapped: Mapped<u64>| {
        assert!(mapped.at < 2, "told to");
        *sum += 1;
    };
    let reduced = MapReduce::new(step)
        .at_most(2)
        .run_over(&context(&o), &mut inputs, 0, reduce)
        .await;
    assert_eq!(reduced.value, 2);
    assert!(
        matches!(reduced.stopped, Some(StopReason::Reduction { detail }) if detail.contains("told to"))
    );
    o.shutdown().await;
}
