//! Catalogues of books that can be searched, with faults on demand.
//!
//! The search is real, an index of the words of each title; the faults are for the example `resilience_monitor`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a catalogue is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It answers in its usual time.
    Fine,
    /// It refuses every question.
    Down,
    /// It takes so long.
    Slow(Duration),
}

/// A catalogue does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("catalogue {shelf} is down")]
pub struct ShelfDown {
    /// Which.
    pub shelf: &'static str,
}

/// Books that are on loan today.
pub const PRESENT: &[&str] = &[
    "Around the World in Eighty Days",
    "The Call of the Wild",
    "The Sea Wolf",
    "The War of the Worlds",
    "Twenty Thousand Leagues under the Sea",
];

/// Books of the archive.
pub const PAST: &[&str] = &[
    "The Origin of Species",
    "The Voyage of the Beagle",
    "The Sea Lions",
];

/// A catalogue: an index of the words of its titles.
#[derive(Debug)]
pub struct Shelf {
    name: &'static str,
    usual: Duration,
    titles: &'static [&'static str],
    index: HashMap<String, Vec<usize>>,
    weather: Mutex<Weather>,
    asked: AtomicU64,
}

impl Shelf {
    /// A catalogue of these titles that usually takes so long to answer.
    #[must_use]
    pub fn new(name: &'static str, usual: Duration, titles: &'static [&'static str]) -> Self {
        let mut index: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, title) in titles.iter().enumerate() {
            let mut words: Vec<_> = title.split(' ').map(str::to_lowercase).collect();
            words.sort();
            words.dedup();
            for word in words {
                index.entry(word).or_default().push(at);
            }
        }
        Self {
            name,
            usual,
            titles,
            index,
            weather: Mutex::new(Weather::Fine),
            asked: AtomicU64::new(0),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Changes how it is.
    pub fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// The titles with a word, in the order of the catalogue.
    ///
    /// # Errors
    /// [`ShelfDown`] while it is down.
    pub async fn search(&self, word: &str) -> Result<Vec<String>, ShelfDown> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let weather = *self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        let takes = match weather {
            Weather::Fine => self.usual,
            Weather::Slow(time) => time,
            Weather::Down => return Err(ShelfDown { shelf: self.name }),
        };
        tokio::time::sleep(takes).await;
        let found = self.index.get(&word.to_lowercase());
        let titles = found.into_iter().flatten().map(|at| self.titles[*at]);
        Ok(titles.map(str::to_owned).collect())
    }
}
