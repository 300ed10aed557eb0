//! The server key: with it tokens are hashed and the audit log is sealed.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::SecurityConfig;
use crate::error::SecurityError;

/// The fewest bytes of a key.
const KEY_BYTES_MIN: usize = 32;
/// The most bytes of a key file: more is another file.
const KEY_BYTES_MAX: usize = 65_536;

/// An HMAC-SHA-256 key (RFC 2104, FIPS 180-4). Wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct ServerKey(Zeroizing<Vec<u8>>);

impl ServerKey {
    /// Takes key bytes over.
    ///
    /// # Errors
    /// [`SecurityError::KeyTooShort`] below 32 bytes.
    pub(crate) fn new(bytes: Vec<u8>, source: &str) -> Result<Self, SecurityError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() < KEY_BYTES_MIN {
            return Err(SecurityError::KeyTooShort {
                source_name: source.to_owned(),
                bytes: bytes.len(),
            });
        }
        Ok(Self(bytes))
    }

    /// A key that nobody else has and that ends with the process.
    pub(crate) fn ephemeral() -> Result<Self, SecurityError> {
        let mut bytes = vec![0; KEY_BYTES_MIN];
        getrandom::fill(&mut bytes).map_err(SecurityError::random)?;
        Self::new(bytes, "random")
    }

    /// The keyed hash of parts. The domain keeps hashes of one purpose from being taken for another's.
    pub(crate) fn hash(&self, domain: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length, so this cannot fail; a hash that fits nothing would be the safe answer.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return [0; 32];
        };
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The configured key; `None` when none is configured. `env` looks up an environment variable.
    pub(crate) fn configured(
        config: &SecurityConfig,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, SecurityError> {
        if let Some(path) = &config.key_file {
            return Self::from_file(path).map(Some);
        }
        if let Some(name) = &config.key_env {
            let Some(value) = env(name) else {
                return Err(SecurityError::KeyMissing { name: name.clone() });
            };
            let source = format!("the environment variable {name} (key_env)");
            return Self::new(value.into_encoded_bytes(), &source).map(Some);
        }
        match &config.key_inline {
            Some(text) => {
                tracing::warn!(
                    "key_inline is set: whoever reads the configuration can forge tokens; use key_file or key_env"
                );
                let bytes = text.expose().as_bytes().to_vec();
                Self::new(bytes, "key_inline").map(Some)
            }
            None => Ok(None),
        }
    }

    /// Reads a key file.
    pub(crate) fn from_file(path: &Path) -> Result<Self, SecurityError> {
        let unreadable = |source| SecurityError::KeyFile {
            path: path.to_owned(),
            source,
        };
        let about = std::fs::metadata(path).map_err(unreadable)?;
        if about.len() > KEY_BYTES_MAX as u64 {
            return Err(SecurityError::KeyTooLong {
                path: path.to_owned(),
                bytes: about.len(),
                max: KEY_BYTES_MAX,
            });
        }
        warn_when_others_can_read(path, &about);
        let mut bytes = std::fs::read(path).map_err(unreadable)?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        Self::new(bytes, &format!("the key file {}", path.display()))
    }
}

#[cfg(unix)]
fn warn_when_others_can_read(path: &Path, about: &std::fs::Metadata) {
    use std::os::unix::fs::PermissionsExt;
    if about.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        tracing::warn!(%path, "others than the owner can use the key file: chmod 600");
    }
}

#[cfg(not(unix))]
fn warn_when_others_can_read(_: &Path, _: &std::fs::Metadata) {}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(<redacted>)")
    }
}
