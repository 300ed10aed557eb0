//! Where the records are kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::feedback::{Signal, Source};

/// What opening a source takes.
const OPENING_TAKES: Duration = Duration::from_millis(20);

/// A source cannot be opened now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the records of {} cannot be opened now", of.as_str())]
pub struct DepotClosed {
    /// Which.
    pub of: Source,
}

/// What was read from an opened source.
#[derive(Debug, Clone, PartialEq)]
pub struct Reader {
    /// What the records say.
    pub signals: Vec<Signal>,
    /// Lines that are no records, with the reason.
    pub rejected: Vec<String>,
}

/// Where the records of all sources are kept. A source is slow to open, and may be closed for a while.
#[derive(Debug, Default)]
pub struct Depot {
    sources: Mutex<BTreeMap<Source, Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    opened: u32,
    refusals_left: u32,
}

impl Depot {
    /// Lets the next `times` openings of a source fail; 0 opens it again.
    pub fn close(&self, source: Source, times: u32) {
        self.with(source, |counts| counts.refusals_left = times);
    }

    /// How often a source was opened with success.
    #[must_use]
    pub fn opened(&self, source: Source) -> u32 {
        self.with(source, |counts| counts.opened)
    }

    fn with<R>(&self, source: Source, look: impl FnOnce(&mut Counts) -> R) -> R {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        look(sources.entry(source).or_default())
    }

    /// Opens a source and reads its records.
    ///
    /// # Errors
    /// [`DepotClosed`] while it is closed.
    pub async fn open(&self, source: Source) -> Result<Reader, DepotClosed> {
        tokio::time::sleep(OPENING_TAKES).await;
        let refused = self.with(source, |counts| match counts.refusals_left.checked_sub(1) {
            Some(left) => {
                counts.refusals_left = left;
                true
            }
            None => {
                counts.opened += 1;
                false
            }
        });
        if refused {
            return Err(DepotClosed { of: source });
        }
        let (mut signals, mut rejected) = (Vec::new(), Vec::new());
        for line in source.records().lines() {
            match source.read(line) {
                Ok(signal) => signals.push(signal),
                Err(error) => rejected.push(error.to_string()),
            }
        }
        Ok(Reader { signals, rejected })
    }
}
