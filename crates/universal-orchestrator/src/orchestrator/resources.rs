//! Processor and memory, read off the async threads.

use std::sync::Arc;

use parking_lot::Mutex;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// What was read at the last health check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) cpu_percent: Option<f64>,
    pub(crate) memory_percent: Option<f64>,
    pub(crate) process_bytes: Option<u64>,
}

/// Reads processor and memory of host and process.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    system: Arc<Mutex<Option<System>>>,
    last: Mutex<Reading>,
}

impl Resources {
    pub(crate) fn last(&self) -> Reading {
        *self.last.lock()
    }

    /// Reads on a blocking thread. Processor use is that since the reading before, so the first has none.
    pub(crate) async fn read(&self) -> Reading {
        let system = Arc::clone(&self.system);
        let reading = tokio::task::spawn_blocking(move || read(&mut system.lock()))
            .await
            .unwrap_or_default();
        *self.last.lock() = reading;
        reading
    }
}

fn read(slot: &mut Option<System>) -> Reading {
    let first = slot.is_none();
    let Some(system) = opened(slot) else {
        return Reading::default();
    };
    system.refresh_cpu_usage();
    system.refresh_memory();
    let process = sysinfo::get_current_pid().ok().and_then(|pid| {
        let what = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        system.process(pid).map(sysinfo::Process::memory)
    });
    let total = system.total_memory();
    Reading {
        cpu_percent: (!first).then(|| f64::from(system.global_cpu_usage())),
        memory_percent: (total > 0).then(|| system.used_memory() as f64 * 100.0 / total as f64),
        process_bytes: process,
    }
}

/// The reader, opened on first use; `None` where this system cannot be read.
fn opened(slot: &mut Option<System>) -> Option<&mut System> {
    if slot.is_none() {
        *slot = System::new().ok();
    }
    slot.as_mut()
}
