//! Rules that fired lately, for the health.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::Severity;

/// More than so many are not told apart any more.
const INCIDENTS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Incidents(Mutex<VecDeque<Incident>>);

#[derive(Debug)]
struct Incident {
    until: Instant,
    severity: Severity,
    text: String,
}

/// What holds now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) high: u32,
    pub(crate) critical: u32,
    /// The worst, the latest of these.
    pub(crate) worst: Option<String>,
}

impl Incidents {
    /// Adds one that stands for the length of its rule's window.
    pub(crate) fn add(&self, severity: Severity, window: Duration, text: &str) {
        let until = Instant::now() + window;
        let mut incidents = self.0.lock();
        if incidents.len() >= INCIDENTS_MAX {
            incidents.pop_front();
        }
        incidents.push_back(Incident {
            until,
            severity,
            text: text.to_owned(),
        });
    }

    pub(crate) fn standing(&self) -> Standing {
        let now = Instant::now();
        let mut incidents = self.0.lock();
        incidents.retain(|incident| incident.until > now);
        let count = |severity| {
            let of_it = incidents.iter().filter(|i| i.severity == severity);
            u32::try_from(of_it.count()).unwrap_or(u32::MAX)
        };
        let worst = incidents
            .iter()
            .filter(|incident| incident.severity >= Severity::High)
            .max_by_key(|incident| incident.severity);
        Standing {
            high: count(Severity::High),
            critical: count(Severity::Critical),
            worst: worst.map(|incident| incident.text.clone()),
        }
    }
}
