//! Any one-byte change of a log is found, wherever it is.

use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use proptest::prelude::*;
use tempfile::TempDir;
use universal_orchestrator::SystemWallClock;

use super::*;
use crate::config::AuditConfig;
use crate::key::ServerKey;
use crate::metrics::Metrics;
use crate::redact::Redactor;

fn seal() -> Seal {
    Seal::keyed(ServerKey::new(vec![7; 32], "test").unwrap())
}

fn start(folder: &std::path::Path, config: &AuditConfig) -> Result<AuditLog, AuditError> {
    let redactor = Redactor::new(&[]).unwrap();
    AuditLog::start(Start {
        config,
        folder,
        seal: seal(),
        redactor: Arc::new(ArcSwap::from_pointee(redactor)),
        wall_clock: Arc::new(SystemWallClock),
        metrics: Arc::new(Metrics::new(&metrics::NoopRecorder)),
    })
}

fn entry(n: usize) -> Entry {
    let text = Detail::Text(format!("entry {n}"));
    Entry::own(SystemTime::UNIX_EPOCH, Event::Blocked, Subject::None, text)
}

fn small() -> AuditConfig {
    AuditConfig {
        file_bytes_max: 1_024,
        ..AuditConfig::default()
    }
}

/// A log of several files, written once for all cases.
fn log() -> &'static TempDir {
    static LOG: OnceLock<TempDir> = OnceLock::new();
    LOG.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let log = start(folder.path(), &small()).unwrap();
        for n in 0..12 {
            assert!(log.push(entry(n)));
        }
        log.stop();
        folder
    })
}

/// The files of the log with their bytes.
fn bytes() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(log().path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name() != "lock")
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn copy_with(files: &[(String, Vec<u8>)]) -> AuditReport {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    verify_sealed(folder.path(), &seal()).unwrap()
}

#[test]
fn a_log_that_nobody_touched_holds() {
    let report = copy_with(&bytes());
    assert!(report.is_intact(), "{report}");
    assert!(report.files > 3 && report.entries == 14, "{report:?}");
}

proptest! {
    #[test]
    fn any_one_byte_change_is_found(at in any::<prop::sample::Index>(), mask in 1u8..) {
        let mut files = bytes();
        let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut at = at.index(total);
        for (name, bytes) in &mut files {
            if at < bytes.len() {
                bytes[at] ^= mask;
                let name = name.clone();
                let report = copy_with(&files);
                let finding = report.finding.expect("a change is found");
                prop_assert_eq!(finding.file, name);
                return Ok(());
            }
            at -= bytes.len();
        }
    }

    #[test]
    fn any_byte_that_is_taken_out_or_put_in_is_found(
        at in any::<prop::sample::Index>(),
        put in prop::option::of(any::<u8>()),
    ) {
        let mut files = bytes();
        let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut at = at.index(total);
        for (_, bytes) in &mut files {
            if at < bytes.len() {
                match put {
                    Some(byte) => bytes.insert(at, byte),
                    None => drop(bytes.remove(at)),
                }
                break;
            }
            at -= bytes.len();
        }
        prop_assert!(!copy_with(&files).is_intact());
    }
}

#[test]
fn a_full_queue_loses_no_count() {
    let folder = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        queue_max: 16,
        ..AuditConfig::default()
    };
    let log = start(folder.path(), &config).unwrap();
    let taken = (0..50_000).filter(|n| log.push(entry(*n))).count() as u64;
    log.flush().unwrap();
    assert_eq!(taken + log.lost(), 50_000);
    log.stop();
    assert!(!log.push(entry(0)), "a log that was stopped takes nothing");
    let report = verify_sealed(folder.path(), &seal()).unwrap();
    assert!(report.is_intact(), "{report}");
    assert!(report.entries >= taken + 2, "{report:?}");
}

#[test]
fn every_way_to_sync_leaves_a_log_that_holds() {
    use crate::config::Fsync;
    for fsync in [Fsync::Always, Fsync::Interval, Fsync::Never] {
        let folder = tempfile::tempdir().unwrap();
        let config = AuditConfig {
            fsync,
            fsync_interval_ms: 1,
            ..small()
        };
        let log = start(folder.path(), &config).unwrap();
        for n in 0..30 {
            assert!(log.push(entry(n)));
        }
        log.flush().unwrap();
        let report = verify_sealed(folder.path(), &seal()).unwrap();
        assert!(
            report.is_intact() && report.unanchored == 0,
            "{fsync:?} {report:?}"
        );
        log.stop();
        assert!(log.flush().is_err());
    }
}

#[test]
fn an_anchor_of_an_empty_log_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), &small()).unwrap().stop();
    fs::remove_file(folder.path().join("audit-00000001.jsonl")).unwrap();
    let error = start(folder.path(), &small()).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, AuditError::Io { .. }),
        "its entries are missing: {error}"
    );
}

#[test]
fn the_anchor_follows_each_batch_or_each_interval() {
    use crate::config::Fsync;
    for (fsync, fsync_interval_ms, is_anchored) in [
        (Fsync::Always, 3_600_000, true),
        (Fsync::Interval, 3_600_000, false),
        (Fsync::Never, 3_600_000, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = AuditConfig {
            fsync,
            fsync_interval_ms,
            ..AuditConfig::default()
        };
        let log = start(folder.path(), &config).unwrap();
        assert!(log.push(entry(0)));
        // Its first entry is that it was opened, the second this one.
        while log.last_entry() < 2 {
            std::thread::yield_now();
        }
        let report = verify_sealed(folder.path(), &seal()).unwrap();
        assert!(report.is_intact() && report.entries == 2, "{report:?}");
        assert_eq!(report.unanchored == 0, is_anchored, "{fsync:?} {report:?}");
        log.flush().unwrap();
        let report = verify_sealed(folder.path(), &seal()).unwrap();
        assert_eq!(report.unanchored, 0, "{fsync:?} {report:?}");
        log.stop();
    }
}
