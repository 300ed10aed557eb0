//! Resident memory of this process.

use std::io;

/// Returns the resident memory of this process in bytes, from `/proc/self/status`.
///
/// `statm` has the same figure in pages, but not the size of a page.
///
/// # Errors
///
/// Returns an error where there is no `/proc` of Linux.
pub fn rss_bytes() -> io::Result<u64> {
    parse_rss(&std::fs::read_to_string("/proc/self/status")?).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "no VmRSS in kB in /proc/self/status",
        )
    })
}

fn parse_rss(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_and_its_unit_checked() {
        assert_eq!(
            parse_rss("VmSize:\t  20 kB\nVmRSS:\t    8 kB\n"),
            Some(8192)
        );
        for bad in ["", "VmRSS:\t 8 MB\n", "VmRSS:\t x kB\n"] {
            assert_eq!(parse_rss(bad), None, "{bad}");
        }
    }

    #[test]
    fn touched_memory_is_counted() {
        let before = rss_bytes().expect("linux");
        let touched = std::hint::black_box(vec![1_u8; 32 << 20]);
        let gained = rss_bytes().expect("linux").saturating_sub(before);
        assert!(gained > 24 << 20, "gained {gained} by {}", touched.len());
    }
}
