//! Shannon entropy: packed, encrypted and random bytes have nearly eight bits in each.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Block, Scan};

/// From this entropy on a file counts as packed, in bits per byte.
const PACKED_BITS: f64 = 7.5;

/// Shorter files are never called packed: a few bytes say nothing about a distribution.
const PACKED_BYTES_MIN: u64 = 1024;

/// The entropy of one file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntropyReport {
    /// Bits per byte, from 0 (one value only) to 8 (all values equally often).
    pub bits_per_byte: f64,
    /// Whether it looks compressed, encrypted or random: 7.5 bits and more over at least 1 KiB.
    pub packed: bool,
}

/// Counts how often each byte occurs.
#[derive(Debug)]
pub struct EntropyScan {
    counts: [u64; 256],
}

impl Default for EntropyScan {
    fn default() -> Self {
        Self { counts: [0; 256] }
    }
}

impl Scan for EntropyScan {
    type Report = EntropyReport;

    fn block(&mut self, block: Block<'_>) -> ControlFlow<()> {
        for byte in block.bytes {
            self.counts[usize::from(*byte)] += 1;
        }
        ControlFlow::Continue(())
    }

    fn finish(self) -> EntropyReport {
        let bits_per_byte = shannon_bits(&self.counts);
        let bytes: u64 = self.counts.iter().sum();
        EntropyReport {
            bits_per_byte,
            packed: bytes >= PACKED_BYTES_MIN && bits_per_byte >= PACKED_BITS,
        }
    }
}

/// Bits per symbol of a distribution given as counts; zero when there are none.
pub(super) fn shannon_bits(counts: &[u64; 256]) -> f64 {
    let total: u64 = counts.iter().sum();
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = *count as f64 / total as f64;
            -share * share.log2()
        })
        .sum();
    // A single symbol sums up to minus zero, which JSON would show.
    bits.max(0.0)
}

/// Bits per byte of a short text.
pub(super) fn text_bits(bytes: &[u8]) -> f64 {
    let mut counts = [0; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    shannon_bits(&counts)
}
