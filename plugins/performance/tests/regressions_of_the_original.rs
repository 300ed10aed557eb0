//! D11 and D12: the original read the processor for a second on its event loop, at every start and every thirty seconds.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{agents, ms, seconds, service};
use parking_lot::Mutex;
use universal_orchestrator::{Task, UniversalOrchestrator};
use universal_orchestrator_performance::{MachineReading, PerformancePlugin, Sampler};
use universal_orchestrator_testkit::{quiet_config, settle, test_builder};

/// A reading that ends when the test says so.
struct Slow {
    begun: Arc<AtomicU32>,
    ends: Mutex<Receiver<()>>,
}

impl Sampler for Slow {
    fn sample(&mut self, _: Option<Duration>) -> MachineReading {
        self.begun.fetch_add(1, Ordering::SeqCst);
        // An error means that the test is over, or that it waits for this thread and has to fail.
        let _ = self.ends.lock().recv_timeout(Duration::from_secs(30));
        let mut reading = MachineReading::unknown();
        reading.cpu_percent = Some(1.0);
        reading
    }
}

fn slow() -> (Slow, Arc<AtomicU32>, Sender<()>) {
    let begun = Arc::new(AtomicU32::new(0));
    let (end, ends) = channel();
    let sampler = Slow {
        begun: Arc::clone(&begun),
        ends: Mutex::new(ends),
    };
    (sampler, begun, end)
}

async fn start_with(sampler: Slow) -> UniversalOrchestrator {
    let plugin = PerformancePlugin::with_sampler(seconds(), sampler).unwrap();
    test_builder(quiet_config())
        .plugin(PerformancePlugin::MANIFEST, plugin)
        .start()
        .await
        .unwrap()
}

/// A reading is under way all the time, on a runtime of one thread: were it on that thread, nothing below would go on.
#[tokio::test(start_paused = true)]
async fn d11_a_slow_reading_delays_nobody() {
    let (sampler, begun, end) = slow();
    let o = start_with(sampler).await;
    agents(&o, "x", &["a"]).await;
    while begun.load(Ordering::SeqCst) == 0 {
        settle().await;
    }
    for _ in 0..100 {
        let delegation = o
            .delegate_task(Task::new("t").requires(["x"]))
            .await
            .unwrap();
        o.complete_task(&delegation, 1).await.unwrap();
    }
    let service = service(&o);
    // While a thread blocks, paused time moves only by hand.
    while service.snapshot().overall.succeeded < 100 {
        tokio::time::advance(ms(250)).await;
        settle().await;
    }
    assert_eq!(
        service.snapshot().machine,
        None,
        "the reading is still under way"
    );
    assert_eq!(
        begun.load(Ordering::SeqCst),
        1,
        "and no other was begun beside it"
    );
    end.send(()).unwrap();
    while begun.load(Ordering::SeqCst) < 2 {
        tokio::time::advance(ms(250)).await;
        settle().await;
    }
    drop(end);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn d12_neither_start_nor_stop_waits_for_a_reading() {
    let (sampler, begun, end) = slow();
    let o = start_with(sampler).await;
    assert_eq!(service(&o).snapshot().machine, None, "started without one");
    while begun.load(Ordering::SeqCst) == 0 {
        settle().await;
    }
    o.shutdown().await;
    end.send(()).expect("the reading was under way until now");
}
