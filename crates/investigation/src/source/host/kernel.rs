//! Files of the kernel: `/proc/pressure/*` and `/proc/vmstat`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a file of the kernel that are read.
const BYTES_MAX: u64 = 64 << 10;

/// Microseconds since boot in which work waited for a resource (pressure stall information; `Documentation/accounting/psi.rst`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stalled {
    /// At least one task waited.
    pub(super) some: u64,
    /// All tasks waited; the file of the processor may lack it.
    pub(super) full: Option<u64>,
}

/// The text of a file of the kernel.
pub(super) fn text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?
        .take(BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Reads `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and the same for `full`.
pub(super) fn pressure(text: &str) -> Option<Stalled> {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let total = line
            .split_ascii_whitespace()
            .find_map(|field| field.strip_prefix("total="))?;
        total.parse().ok()
    };
    Some(Stalled {
        some: total("some ")?,
        full: total("full "),
    })
}

/// Processes that the kernel killed for want of memory since boot.
pub(super) fn oom_kills(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_with_and_without_full() {
        let both = "some avg10=84.48 avg60=90.63 avg300=94.51 total=14352548109\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let read = pressure(both);
        assert_eq!(
            read,
            Some(Stalled {
                some: 14_352_548_109,
                full: Some(7)
            })
        );
        let some = pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=3\n").unwrap();
        assert_eq!((some.some, some.full), (3, None));
        for broken in ["", "full total=1", "some total=", "some total=x"] {
            assert_eq!(pressure(broken), None, "{broken}");
        }
    }

    #[test]
    fn kills_are_read() {
        assert_eq!(oom_kills("pgfault 1\noom_kill 3\n"), Some(3));
        assert_eq!(oom_kills("pgfault 1\n"), None);
    }
}
