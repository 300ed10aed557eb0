//! The faults that a process can have.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::failure::Failure;
use super::pool::{Connection, Database};
use crate::order::Order;

/// The log that fills the disk of the journal.
const DEBUG_LOG: &str = "debug.log";

/// The fault of this process, and what it holds.
#[derive(Debug, Default)]
pub(super) struct Faults {
    active: Mutex<Active>,
}

#[derive(Debug, Default)]
struct Active {
    order: Order,
    running: Arc<AtomicBool>,
    memory: Vec<Vec<u8>>,
    connections: Vec<Connection>,
    debug_log: Option<PathBuf>,
}

impl Faults {
    /// Ends the fault that was, and begins the one ordered.
    pub(super) async fn obey(
        &self,
        order: Order,
        database: Option<&Database>,
        folder: Option<&Path>,
    ) {
        let mut active = self.active.lock().await;
        active.running.store(false, Ordering::Relaxed);
        active.memory = Vec::new();
        active.connections.clear();
        if let Some(log) = active.debug_log.take() {
            // It may not have been made yet.
            let _ = std::fs::remove_file(log);
        }
        active.order = order;
        let running = Arc::new(AtomicBool::new(true));
        active.running = Arc::clone(&running);
        match (order, database, folder) {
            (Order::Hog { threads }, ..) => {
                for _ in 0..threads {
                    let running = Arc::clone(&running);
                    std::thread::spawn(move || compute_while(&running));
                }
            }
            (Order::LeakConnections { left }, Some(database), _) => {
                for _ in left..database.size_max() {
                    if let Ok(connection) = database.take().await {
                        active.connections.push(connection);
                    }
                }
            }
            (Order::FillDisk { bytes_per_second }, _, Some(folder)) => {
                let log = folder.join(DEBUG_LOG);
                active.debug_log = Some(log.clone());
                std::thread::spawn(move || fill(&log, bytes_per_second, &running));
            }
            _ => {}
        }
    }

    /// What happens to a request because of the fault.
    pub(super) async fn meet(&self) -> Result<(), Failure> {
        let order = {
            let mut active = self.active.lock().await;
            if let Order::Leak { bytes } = active.order {
                // Written to, so that the memory is really there.
                active.memory.push(vec![1; bytes]);
            }
            active.order
        };
        match order {
            Order::Delay { share, ms } if fastrand::f64() < share => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
            Order::Fail { share } if fastrand::f64() < share => {
                Err(Failure::internal("internal error"))
            }
            _ => Ok(()),
        }
    }
}

fn compute_while(running: &AtomicBool) {
    let mut state = 1_u64;
    while running.load(Ordering::Relaxed) {
        for _ in 0..10_000 {
            state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005) + 1);
        }
    }
}

/// Writes until the disk is full, and then tries again and again, as a log does.
fn fill(log: &Path, bytes_per_second: usize, running: &AtomicBool) {
    let line = vec![b'.'; (bytes_per_second / 20).max(1)];
    while running.load(Ordering::Relaxed) {
        let opened = OpenOptions::new().create(true).append(true).open(log);
        // A log does not mind that a line is lost.
        let _ = opened.and_then(|mut file| file.write_all(&line));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_meet_the_fault_until_it_is_taken_away() {
        let faults = Faults::default();
        faults.obey(Order::Fail { share: 1.0 }, None, None).await;
        assert!(faults.meet().await.is_err());
        faults
            .obey(
                Order::Delay {
                    share: 1.0,
                    ms: 300,
                },
                None,
                None,
            )
            .await;
        let before = Instant::now();
        assert!(faults.meet().await.is_ok());
        assert_eq!(before.elapsed(), Duration::from_millis(300));
        faults.obey(Order::None, None, None).await;
        assert!(faults.meet().await.is_ok());
        assert_eq!(before.elapsed(), Duration::from_millis(300));
    }

    #[tokio::test]
    async fn leaked_memory_is_kept_until_the_fault_ends() {
        let faults = Faults::default();
        faults.obey(Order::Leak { bytes: 1_000 }, None, None).await;
        for _ in 0..3 {
            assert!(faults.meet().await.is_ok());
        }
        assert_eq!(faults.active.lock().await.memory.len(), 3);
        faults.obey(Order::None, None, None).await;
        assert!(faults.active.lock().await.memory.is_empty());
    }

    #[tokio::test]
    async fn threads_end_with_the_fault() {
        let faults = Faults::default();
        faults.obey(Order::Hog { threads: 2 }, None, None).await;
        let running = Arc::clone(&faults.active.lock().await.running);
        assert!(running.load(Ordering::Relaxed));
        faults.obey(Order::None, None, None).await;
        assert!(!running.load(Ordering::Relaxed));
    }
}
