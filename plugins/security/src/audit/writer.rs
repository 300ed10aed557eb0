//! The thread that writes: it renders, chains, appends, syncs, and tries again after an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use universal_orchestrator::WallClock;

use crate::audit::chain::render;
use crate::audit::files::{Files, Layout, Recovered};
use crate::audit::queue::{Batch, Queue};
use crate::audit::{AuditError, Detail, Entry, Event, Seal, Subject};
use crate::config::{AuditConfig, Fsync};
use crate::metrics::Metrics;
use crate::policy::SharedRedactor;

/// How long entries gather after a batch, so that one wake-up of the thread serves many.
const GATHER: Duration = Duration::from_millis(2);
/// How long after an error the next attempt is.
const RETRY: Duration = Duration::from_millis(250);

/// What a log is started with.
pub(crate) struct Start<'a> {
    pub(crate) config: &'a AuditConfig,
    pub(crate) folder: &'a std::path::Path,
    pub(crate) seal: Seal,
    pub(crate) redactor: SharedRedactor,
    pub(crate) wall_clock: Arc<dyn WallClock>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The log as hooks see it.
#[derive(Debug)]
pub(crate) struct AuditLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    /// Whether the last write failed.
    is_failing: AtomicBool,
    /// Why it failed.
    failure: Mutex<Option<String>>,
    /// The number of the last entry that was written.
    written: AtomicU64,
    lost: AtomicU64,
}

impl AuditLog {
    /// Opens the log and starts its thread. Blocks: opening reads the last file.
    pub(crate) fn start(start: Start<'_>) -> Result<Self, AuditError> {
        let layout = Layout {
            folder: start.folder.to_owned(),
            bytes_max: start.config.file_bytes_max,
            files_max: start.config.files_max as u64,
        };
        let is_secret = start.seal.is_secret();
        let (files, recovered) = Files::open(layout, start.seal.clone())?;
        let shared = Arc::new(Shared {
            queue: Queue::new(start.config.queue_max),
            is_failing: AtomicBool::new(false),
            failure: Mutex::new(None),
            written: AtomicU64::new(files.tail().seq),
            lost: AtomicU64::new(0),
        });
        let mut writer = Writer {
            shared: Arc::clone(&shared),
            files,
            seal: start.seal,
            redactor: start.redactor,
            wall_clock: start.wall_clock,
            metrics: start.metrics,
            text_bytes_max: start.config.text_bytes_max,
            fsync: start.config.fsync,
            interval: Duration::from_millis(start.config.fsync_interval_ms),
            unsynced_since: None,
        };
        writer.begin(&recovered, is_secret)?;
        let builder = std::thread::Builder::new().name("security-audit".to_owned());
        let thread = builder.spawn(move || writer.run());
        let thread = thread.map_err(|error| AuditError::Writer {
            text: error.to_string(),
        })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands an entry over; `false` when there was no room for it.
    pub(crate) fn push(&self, entry: Entry) -> bool {
        let taken = self.shared.queue.push(entry);
        if !taken {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Whether what was taken before can be written.
    pub(crate) fn is_ready(&self) -> bool {
        !self.shared.is_failing.load(Ordering::Acquire)
    }

    /// Why writing fails, if it does.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.failure.lock().clone()
    }

    /// The number of the last entry that was written.
    pub(crate) fn last_entry(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything before is written, synced and anchored. Blocks.
    pub(crate) fn flush(&self) -> Result<(), AuditError> {
        let ended = |text: &str| AuditError::Writer {
            text: text.to_owned(),
        };
        let (sender, receiver) = sync_channel(1);
        let thread = self.thread.lock();
        if thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(ended("it has been stopped"));
        }
        drop(thread);
        self.shared.queue.wait_for(sender);
        receiver.recv().map_err(|_| ended("it has been stopped"))?
    }

    /// Writes what is left and ends the thread. Blocks.
    pub(crate) fn stop(&self) {
        self.shared.queue.stop();
        let thread = self.thread.lock().take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the audit writer panicked");
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        // Without a `stop` the thread writes what is left and ends by itself.
        self.shared.queue.stop();
    }
}

struct Writer {
    shared: Arc<Shared>,
    files: Files,
    seal: Seal,
    redactor: SharedRedactor,
    wall_clock: Arc<dyn WallClock>,
    metrics: Arc<Metrics>,
    text_bytes_max: usize,
    fsync: Fsync,
    interval: Duration,
    /// When the oldest entry was written that is not synced and anchored yet.
    unsynced_since: Option<Instant>,
}

impl Writer {
    fn begin(&mut self, recovered: &Recovered, is_secret: bool) -> Result<(), AuditError> {
        let sealed = match is_secret {
            true => "sealed with the server key",
            false => "sealed without a server key",
        };
        self.own(Event::LogOpened, sealed.to_owned())?;
        let Recovered {
            unanchored,
            torn_bytes,
        } = recovered;
        if *unanchored > 0 || *torn_bytes > 0 {
            let text = format!(
                "{unanchored} entries after the anchor were taken in, {torn_bytes} bytes of a torn entry were cut off"
            );
            tracing::warn!(
                unanchored,
                torn_bytes,
                "the audit log was not closed; it was mended"
            );
            self.own(Event::LogRecovered, text)?;
        }
        self.settle()
    }

    fn own(&mut self, event: Event, text: String) -> Result<(), AuditError> {
        let time = self.wall_clock.now();
        let entry = Entry::own(time, event, Subject::None, Detail::Text(text));
        self.write_one(&entry)?;
        self.files.write()
    }

    fn write_one(&mut self, entry: &Entry) -> Result<(), AuditError> {
        let redactor = self.redactor.load();
        let link = self.files.tail();
        let (line, link) = render(entry, link, &self.seal, &redactor, self.text_bytes_max);
        self.files.push(&line, link)
    }

    fn run(mut self) {
        let mut batch = Batch::default();
        loop {
            let wait = self.unsynced_since.map(|since| {
                let passed = since.elapsed();
                self.interval.saturating_sub(passed)
            });
            self.shared.queue.take(&mut batch, wait);
            let stops = batch.stops;
            self.write_batch(&mut batch);
            if stops {
                return self.end();
            }
            self.shared.queue.gather(GATHER);
        }
    }

    /// Writes a batch, and does not come back before it is written or the log is stopped.
    fn write_batch(&mut self, batch: &mut Batch) {
        let (mut at, mut told_lost) = (0, batch.lost == 0);
        loop {
            let done = self.try_batch(batch, &mut at, &mut told_lost);
            let failed = done.is_err();
            match &done {
                Ok(()) => self.succeeded(),
                Err(error) => self.failed(error),
            }
            self.answer(batch, done);
            if !failed {
                break;
            }
            if batch.stops {
                let left = batch.entries.len() - at;
                tracing::error!(
                    left,
                    "the audit log ends with entries that could not be written"
                );
                break;
            }
            self.wait_to_retry(batch);
        }
        batch.entries.clear();
    }

    fn try_batch(
        &mut self,
        batch: &Batch,
        at: &mut usize,
        told_lost: &mut bool,
    ) -> Result<(), AuditError> {
        while let Some(entry) = batch.entries.get(*at) {
            self.write_one(entry)?;
            *at += 1;
        }
        if !*told_lost {
            let text = format!("{} entries found no room in the queue", batch.lost);
            let time = self.wall_clock.now();
            self.write_one(&Entry::own(
                time,
                Event::EntriesLost,
                Subject::None,
                Detail::Text(text),
            ))?;
            *told_lost = true;
        }
        self.files.write()?;
        self.unsynced_since.get_or_insert_with(Instant::now);
        let is_due = self
            .unsynced_since
            .is_some_and(|since| since.elapsed() >= self.interval);
        let is_waited_for = !batch.waiters.is_empty() || batch.stops;
        if self.fsync == Fsync::Always || is_due || is_waited_for {
            self.settle()?;
        }
        Ok(())
    }

    /// Syncs what was written, then says in the anchor that it is there.
    fn settle(&mut self) -> Result<(), AuditError> {
        let sync = self.fsync != Fsync::Never;
        if sync {
            self.files.sync()?;
        }
        self.files.write_anchor(sync)?;
        self.unsynced_since = None;
        Ok(())
    }

    fn succeeded(&mut self) {
        let written = self.files.tail().seq;
        let before = self.shared.written.swap(written, Ordering::Relaxed);
        self.metrics.audit_entries(written.saturating_sub(before));
        if self.shared.is_failing.swap(false, Ordering::AcqRel) {
            *self.shared.failure.lock() = None;
            tracing::info!("the audit log is written again");
        }
    }

    fn failed(&self, error: &AuditError) {
        self.metrics.audit_write_failed();
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let text = match cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        *self.shared.failure.lock() = Some(text);
        if !self.shared.is_failing.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }

    fn answer(&self, batch: &mut Batch, done: Result<(), AuditError>) {
        let text = done.err().map(|error| error.to_string());
        for waiter in batch.waiters.drain(..) {
            let answer = match &text {
                None => Ok(()),
                Some(text) => Err(AuditError::Writer { text: text.clone() }),
            };
            // Whoever waited may have given up.
            let _ = waiter.send(answer);
        }
    }

    /// Waits a while, then takes in who waits and whether to stop; new entries stay in the queue.
    fn wait_to_retry(&self, batch: &mut Batch) {
        self.shared.queue.wait_for_call(RETRY);
        let (waiters, stops) = self.shared.queue.calls();
        batch.waiters = waiters;
        batch.stops |= stops;
    }

    fn end(mut self) {
        let closed = self
            .own(Event::LogClosed, String::new())
            .and_then(|()| self.settle());
        if let Err(error) = closed {
            tracing::error!(%error, "the audit log could not be closed");
        }
        let mut batch = Batch::default();
        self.shared.queue.take(&mut batch, Some(Duration::ZERO));
        self.answer(&mut batch, Ok(()));
    }
}
