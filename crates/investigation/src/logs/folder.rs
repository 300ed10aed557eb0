//! The logs of an incident's folder: one node a file, or several files of one node.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::MultiGzDecoder;

use super::drain::LOG_TEMPLATES_MAX;
use super::summary::LogSummary;

/// Files of logs that are read at most; further ones are told in [`LogFolder::failed`].
pub const LOG_FILES_MAX: usize = 1_000;
/// Templates of all nodes together at most.
const TEMPLATES_MAX: usize = 50_000;
/// Bytes of one file that are read at most, after unpacking: 64 GiB.
const FILE_BYTES_MAX: u64 = 64 << 30;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// What a folder of logs holds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogFolder {
    /// The logs, by name of their node.
    pub logs: Vec<LogSummary>,
    /// Files that could not be read to their end: node, and why.
    pub failed: Vec<(String, String)>,
}

impl LogFolder {
    /// Reads all files of the folder, in bounded memory. A folder that does not exist holds none.
    ///
    /// A file is named for its node: `pay`, `pay.log`, `pay.log.1`, `pay.log.2.gz`; higher numbers are older.
    /// `near` is as in [`LogSummary::new`].
    ///
    /// # Errors
    ///
    /// The folder cannot be listed. A file that cannot be read costs what it holds, and is told.
    pub fn read(folder: &Path, near: f64) -> io::Result<Self> {
        let mut found = Self::default();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
        };
        let mut files: BTreeMap<String, Vec<(u32, PathBuf)>> = BTreeMap::new();
        let mut count = 0_usize;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy());
            let Some((node, age)) = name.as_deref().and_then(node_of) else {
                continue;
            };
            count += 1;
            if count <= LOG_FILES_MAX {
                let node = node.to_owned();
                files.entry(node).or_default().push((age, path));
            }
        }
        if count > LOG_FILES_MAX {
            let reason = format!(
                "{} files of logs beyond the first {LOG_FILES_MAX} were not read; keep those of the nodes in question",
                count - LOG_FILES_MAX
            );
            found.failed.push(("logs".to_owned(), reason));
        }
        let mut room = TEMPLATES_MAX;
        for (node, mut paths) in files {
            // The oldest first, so that what is new is new.
            paths.sort_by(|a, b| b.cmp(a));
            let max = room.min(LOG_TEMPLATES_MAX);
            let mut summary = LogSummary::new(node.as_str(), near).templates_max(max);
            for (_, path) in paths {
                if let Err(error) = read_file(&mut summary, folder, &path) {
                    let reason = format!("{}: {error}", path.display());
                    found.failed.push((node.clone(), reason));
                }
            }
            room -= summary.template_count();
            found.logs.push(summary);
        }
        Ok(found)
    }
}

/// Files of a machine's logs that were not written for so long are passed over: a day.
const RECENT: Duration = Duration::from_secs(86_400);
/// Bytes at the end of a file of a machine's logs that are read.
const TAIL_BYTES_MAX: u64 = 8 << 20;

impl LogFolder {
    /// Reads the last 8 MiB of each text file of a machine's folder of logs, for example `/var/log`, that was written
    /// within a day. Folders within it, packed files and those that are no text are passed over.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed. A file that cannot be read costs what it holds, and is told.
    pub fn recent(folder: &Path, now: f64) -> io::Result<Self> {
        let mut found = Self::default();
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let age = metadata
                .modified()
                .map(|at| at.elapsed().unwrap_or_default());
            let recent = age.is_ok_and(|age| age <= RECENT);
            if metadata.is_file() && metadata.len() > 0 && recent {
                files.push(entry.path());
            }
        }
        files.sort_unstable();
        files.truncate(LOG_FILES_MAX);
        let mut room = TEMPLATES_MAX;
        for path in files {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let node = name.unwrap_or_default();
            let mut summary = LogSummary::new(node.as_str(), now).templates_max(room);
            match read_tail(&mut summary, &path) {
                Ok(true) => {
                    room -= summary.template_count();
                    found.logs.push(summary);
                }
                Ok(false) => {}
                Err(error) => found
                    .failed
                    .push((node, format!("{}: {error}", path.display()))),
            }
        }
        Ok(found)
    }
}

/// Reads the end of a file; false when it is no text.
fn read_tail(summary: &mut LogSummary, path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut head = [0; 1_024];
    let count = file.read(&mut head)?;
    if head[..count].contains(&0) || head.starts_with(&[0x1f, 0x8b]) {
        return Ok(false);
    }
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(skipped))?;
    let mut tail = BufReader::with_capacity(BUFFER_BYTES, file.take(TAIL_BYTES_MAX));
    if skipped > 0 {
        // The first line is cut.
        tail.skip_until(b'\n')?;
    }
    summary.read(&path.display().to_string(), tail)?;
    Ok(true)
}

/// The node that a file is named for, and its place in the rotation; `None` for hidden files.
fn node_of(name: &str) -> Option<(&str, u32)> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let (stem, age) = match name.rsplit_once('.') {
        Some((stem, number)) if stem.ends_with(".log") => match number.parse() {
            Ok(age) => (stem, age),
            Err(_) => (name, 0),
        },
        _ => (name, 0),
    };
    let node = stem.strip_suffix(".log").unwrap_or(stem);
    (!node.is_empty() && !node.starts_with('.')).then_some((node, age))
}

fn read_file(summary: &mut LogSummary, folder: &Path, path: &Path) -> io::Result<()> {
    let name = path.strip_prefix(folder.parent().unwrap_or(folder));
    let name = name.unwrap_or(path).display().to_string();
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::other(
            "it is a folder; logs stand beside each other",
        ));
    }
    let unpacked: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(file)
    };
    let mut limited = unpacked.take(FILE_BYTES_MAX);
    summary.read(&name, BufReader::with_capacity(BUFFER_BYTES, &mut limited))?;
    if limited.limit() == 0 {
        return Err(io::Error::other(
            "only the first 64 GiB were read; cut the log to the time in question",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const AT: f64 = 1_795_293_219.0;

    #[test]
    fn a_file_is_named_for_its_node() {
        for (name, expected) in [
            ("pay", Some(("pay", 0))),
            ("pay.log", Some(("pay", 0))),
            ("pay.log.1", Some(("pay", 1))),
            ("pay.log.12.gz", Some(("pay", 12))),
            ("pay.v2.log", Some(("pay.v2", 0))),
            ("pay.log.old", Some(("pay.log.old", 0))),
            (".hidden.log", None),
            (".log", None),
        ] {
            assert_eq!(node_of(name), expected, "{name}");
        }
    }

    #[test]
    fn rotated_and_packed_files_are_one_log_and_a_broken_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir_all(logs.join("deep")).unwrap();
        fs::write(logs.join("pay.log"), "1795293219 INFO newer\n").unwrap();
        let packed = File::create(logs.join("pay.log.1.gz")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        packed.write_all(b"1795293000 INFO older\n").unwrap();
        packed.finish().unwrap();
        fs::write(logs.join("db.log.gz"), "no gzip").unwrap();
        let found = LogFolder::read(&logs, AT).unwrap();
        let nodes: Vec<&str> = found.logs.iter().map(LogSummary::node).collect();
        assert_eq!(nodes, ["db", "deep", "pay"]);
        let texts: Vec<String> = found.logs[2]
            .templates()
            .into_iter()
            .map(|template| template.text)
            .collect();
        assert_eq!(texts, ["INFO older", "INFO newer"]);
        let failed: Vec<&str> = found.failed.iter().map(|(node, _)| node.as_str()).collect();
        assert_eq!(failed, ["db", "deep"]);
    }

    #[test]
    fn of_a_machine_the_end_of_recent_texts_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("wtmp"), [b'a', 0, b'b']).unwrap();
        fs::write(folder.path().join("old.1.gz"), [0x1f, 0x8b, 8]).unwrap();
        fs::write(folder.path().join("empty.log"), "").unwrap();
        let mut long = "cut away\n".repeat(1_000_000);
        long.push_str("1795293219 ERROR last\n");
        fs::write(folder.path().join("syslog"), long).unwrap();
        let found = LogFolder::recent(folder.path(), AT).unwrap();
        assert_eq!(found.logs.len(), 1);
        let log = &found.logs[0];
        assert_eq!((log.node(), log.templates().len()), ("syslog", 2));
        assert!(log.lines() < 940_000, "{}", log.lines());
        assert_eq!(found.failed, []);
        assert!(LogFolder::recent(&folder.path().join("none"), AT).is_err());
    }

    #[test]
    fn no_folder_holds_no_logs() {
        let folder = tempfile::tempdir().unwrap();
        let found = LogFolder::read(&folder.path().join("logs"), AT).unwrap();
        assert!(found.logs.is_empty() && found.failed.is_empty());
    }
}
