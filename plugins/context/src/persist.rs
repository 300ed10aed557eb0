//! Sessions in files: a header of 28 bytes, then JSON compressed by zstd.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 7 | `UOCTX` and three zero bytes |
//! | 8 to 11 | version, little-endian |
//! | 12 to 19 | bytes of the JSON, little-endian |
//! | 20 to 23 | CRC-32 of the compressed JSON, little-endian |
//! | 24 to 27 | CRC-32 of the bytes before it, little-endian |

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use universal_orchestrator::Priority;

use crate::compress::{Level, Losses};
use crate::config::ContextConfig;
use crate::fragment::{Fragment, NewFragment};
use crate::session::{FragmentId, SessionId};
use crate::store::{CreateError, Held, ReplaceRefusal, Session};
use crate::tokens::Encoding;

const MAGIC: [u8; 8] = *b"UOCTX\0\0\0";
const VERSION: u32 = 1;
const HEADER: usize = 28;
/// zstd's own default: most of what higher levels reach, at a fraction of their time.
const ZSTD_LEVEL: i32 = 3;

/// Why a session was not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// There is no such session.
    #[error("there is no session {session}: nothing was written")]
    NoSession {
        /// The session.
        session: SessionId,
    },
    /// The file cannot be written.
    #[error("session cannot be written to {}: free space, or name another file", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The session cannot be written as JSON.
    #[error("session cannot be written as JSON: report this")]
    Encode(#[source] serde_json::Error),
    /// The work was given up: the runtime ends.
    #[error("the runtime ended before the session was saved")]
    RuntimeEnded,
}

/// Why a session was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The file cannot be read.
    #[error("{} cannot be read: check its name and its permissions", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is not a saved session.
    #[error("{} is not a saved session: name a file that save wrote", .file.display())]
    NotASession {
        /// The file.
        file: PathBuf,
    },
    /// The file is of a version that this program does not know.
    #[error("{} is of version {version}, this program reads {VERSION}: update it", .file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file was cut off or changed.
    #[error("{} is damaged ({what}): restore an older one", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where it shows.
        what: &'static str,
    },
    /// The session exceeds a limit.
    #[error("{} needs {needed} of {limit} = {max}: raise the limit, or close sessions", .file.display())]
    NoRoom {
        /// The file.
        file: PathBuf,
        /// The limit's key.
        limit: &'static str,
        /// What it needs.
        needed: usize,
        /// The limit's value.
        max: usize,
    },
    /// There are as many sessions as there may be.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The work was given up: the runtime ends.
    #[error("the runtime ended before the session was restored")]
    RuntimeEnded,
}

impl RestoreError {
    pub(crate) fn refused(file: PathBuf, refusal: ReplaceRefusal) -> Self {
        match refusal {
            ReplaceRefusal::Create(error) => Self::Create(error),
            ReplaceRefusal::NoRoom { limit, needed, max } => Self::NoRoom {
                file,
                limit,
                needed,
                max,
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct SavedSession {
    id: SessionId,
    next: u64,
    fragments: Vec<SavedFragment>,
}

#[derive(Serialize, Deserialize)]
struct SavedFragment {
    id: FragmentId,
    new: NewFragment,
    priority: Priority,
    level: Option<Level>,
    losses: Losses,
    shown: u64,
    repeats: u64,
    age_ms: u64,
    unused_ms: u64,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Writes to a file beside, and puts that in the place of the old one.
pub(crate) fn save(id: &SessionId, session: &Session, file: &Path) -> Result<u64, SaveError> {
    let io = |source| SaveError::Io {
        file: file.to_owned(),
        source,
    };
    let json = json(id, session)?;
    let bytes = packed(&json).map_err(io)?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    let written = write_synced(&beside, &bytes).and_then(|()| fs::rename(&beside, file));
    if let Err(error) = written {
        // What is left of the attempt helps nobody; if it cannot be removed either, the first error says why.
        let _ = fs::remove_file(&beside);
        return Err(io(error));
    }
    Ok(bytes.len() as u64)
}

fn write_synced(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn json(id: &SessionId, session: &Session) -> Result<Vec<u8>, SaveError> {
    let now = Instant::now();
    let fragments = session.fragments.iter().map(|(id, held)| SavedFragment {
        id: *id,
        new: NewFragment {
            kind: Some(held.fragment.kind),
            relevance: Some(held.fragment.relevance),
            ..NewFragment::clone(&held.fragment.new)
        },
        priority: held.priority,
        level: held.fragment.level,
        losses: held.fragment.losses,
        shown: held.shown,
        repeats: held.repeats,
        age_ms: millis(held.age(now)),
        unused_ms: millis(now.saturating_duration_since(held.used)),
    });
    let saved = SavedSession {
        id: id.clone(),
        next: session.next,
        fragments: fragments.collect(),
    };
    serde_json::to_vec(&saved).map_err(SaveError::Encode)
}

fn packed(json: &[u8]) -> io::Result<Vec<u8>> {
    let body = zstd::bulk::compress(json, ZSTD_LEVEL)?;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((json.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(&body).to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(body);
    Ok(bytes)
}

/// Reads a session; what it holds is counted and indexed anew.
pub(crate) fn restore(
    file: &Path,
    config: &ContextConfig,
    encoding: Encoding,
) -> Result<(SessionId, Session), RestoreError> {
    let io = |source| RestoreError::Io {
        file: file.to_owned(),
        source,
    };
    // JSON of a text is at most six times as long, compressed not longer; far more is no session that fits.
    let most = (config.store_bytes_max as u64)
        .saturating_mul(6)
        .saturating_add(1 << 20);
    let mut bytes = Vec::new();
    File::open(file)
        .map_err(io)?
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    let saved = decode(file, &bytes, most)?;
    let now = Instant::now();
    let ago = |ms| now.checked_sub(Duration::from_millis(ms)).unwrap_or(now);
    let mut session = Session::new(now);
    let damaged = |what| RestoreError::Damaged {
        file: file.to_owned(),
        what,
    };
    for fragment in saved.fragments {
        if fragment.id.number() >= saved.next || session.fragments.contains_key(&fragment.id) {
            return Err(damaged("numbers of fragments"));
        }
        let mut of = Fragment::of(fragment.new, encoding);
        (of.level, of.losses) = (fragment.level, fragment.losses);
        let held = Held {
            fragment: Arc::new(of),
            priority: fragment.priority,
            shown: fragment.shown,
            repeats: fragment.repeats,
            created: ago(fragment.age_ms),
            used: ago(fragment.unused_ms),
        };
        session.put(fragment.id, held);
    }
    session.next = saved.next;
    Ok((saved.id, session))
}

fn decode(file: &Path, bytes: &[u8], most: u64) -> Result<SavedSession, RestoreError> {
    let file = || file.to_owned();
    let damaged = |what| RestoreError::Damaged { file: file(), what };
    if !bytes.starts_with(&MAGIC) {
        return Err(RestoreError::NotASession { file: file() });
    }
    let (header, body) = bytes
        .split_at_checked(HEADER)
        .ok_or_else(|| damaged("header cut off"))?;
    let word = |at: usize| -> u32 {
        let word = header
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        word.map_or(0, u32::from_le_bytes)
    };
    if crc32fast::hash(&header[..HEADER - 4]) != word(24) {
        return Err(damaged("header changed"));
    }
    let version = word(8);
    if version != VERSION {
        return Err(RestoreError::Version {
            file: file(),
            version,
        });
    }
    if crc32fast::hash(body) != word(20) {
        return Err(damaged("content cut off or changed"));
    }
    let len = u64::from(word(12)) | u64::from(word(16)) << 32;
    if len > most {
        return Err(RestoreError::NoRoom {
            file: file(),
            limit: "store_bytes_max",
            needed: usize::try_from(len).unwrap_or(usize::MAX),
            max: usize::try_from(most / 6).unwrap_or(usize::MAX),
        });
    }
    let capacity = usize::try_from(len).map_err(|_| damaged("length"))?;
    let json = zstd::bulk::decompress(body, capacity).map_err(|_| damaged("compression"))?;
    serde_json::from_slice(&json).map_err(|_| damaged("JSON"))
}
