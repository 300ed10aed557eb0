//! Bearer tokens: what a caller shows.

use std::fmt;
use std::sync::Arc;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use parking_lot::RwLock;
use zeroize::Zeroizing;

use crate::error::SecurityError;
use crate::key::ServerKey;
use crate::secret::SecretText;
use crate::tokens::Verified;

const ID_BYTES_MAX: usize = 64;
const SECRET_BYTES: usize = 32;
/// Longer texts are no tokens, and are not hashed.
const TEXT_BYTES_MAX: usize = 512;
const DOMAIN: &str = "universal-orchestrator token";

/// What proves a principal's name: `<token id>.<secret>`.
///
/// It is wiped when its last owner drops it, shown as `<redacted>`, and cannot be serialised.
/// A principal's clones share it, so that it is checked once and remembered; a revocation is seen by the next call.
///
/// ```
/// use universal_orchestrator::Principal;
/// use universal_orchestrator_security::BearerToken;
/// let ci = Principal::new("ci")?.with_credential(BearerToken::new("ci-1.secret"));
/// assert_eq!(format!("{:?}", BearerToken::new("ci-1.secret")), "BearerToken(<redacted>)");
/// # Ok::<(), universal_orchestrator::IdError>(())
/// ```
pub struct BearerToken {
    text: SecretText,
    verified: RwLock<Option<Remembered>>,
}

/// What a gate found out about a token.
struct Remembered {
    /// The gate; kept alive, so that no other one gets its address.
    by: Arc<()>,
    epoch: u64,
    verified: Arc<Verified>,
}

impl BearerToken {
    /// Takes a text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self::from(SecretText::new(text))
    }

    /// The text, to hand it to its owner once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What the same gate found out in the same epoch.
    pub(crate) fn remembered(&self, by: &Arc<()>, epoch: u64) -> Option<Arc<Verified>> {
        let remembered = self.verified.read();
        let remembered = remembered.as_ref()?;
        let same = Arc::ptr_eq(&remembered.by, by) && remembered.epoch == epoch;
        same.then(|| Arc::clone(&remembered.verified))
    }

    pub(crate) fn remember(&self, by: &Arc<()>, epoch: u64, verified: &Arc<Verified>) {
        *self.verified.write() = Some(Remembered {
            by: Arc::clone(by),
            epoch,
            verified: Arc::clone(verified),
        });
    }
}

impl From<SecretText> for BearerToken {
    fn from(text: SecretText) -> Self {
        Self {
            text,
            verified: RwLock::new(None),
        }
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(<redacted>)")
    }
}

/// The id and the secret of a text; `None` when it has not the form of a token.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.split_once('.')?;
    let fits = text.len() <= TEXT_BYTES_MAX && is_token_id(id) && !secret.is_empty();
    fits.then_some((id, secret))
}

pub(crate) fn is_token_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// The keyed hash of a token: over id and secret, so that a hash fits one id alone.
pub(crate) fn hash(key: &ServerKey, id: &str, secret: &str) -> [u8; 32] {
    key.hash(DOMAIN, &[id.as_bytes(), b".", secret.as_bytes()])
}

pub(crate) fn hash_from_hex(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// A new token with 256 random bits from the operating system, and its hash.
pub(crate) fn generate(
    key: &ServerKey,
    id: &str,
) -> Result<(BearerToken, [u8; 32]), SecurityError> {
    let mut random = Zeroizing::new([0u8; SECRET_BYTES]);
    getrandom::fill(&mut *random).map_err(SecurityError::random)?;
    // Encoded in place into a buffer of the right size: growing would leave copies behind.
    let length = BASE64URL_NOPAD.encode_len(SECRET_BYTES);
    let mut secret = Zeroizing::new(vec![0u8; length]);
    BASE64URL_NOPAD.encode_mut(&*random, &mut secret);
    let mut text = String::with_capacity(id.len() + 1 + length);
    text.push_str(id);
    text.push('.');
    text.extend(secret.iter().map(|byte| char::from(*byte)));
    let hash = hash(key, id, text.get(id.len() + 1..).unwrap_or_default());
    Ok((BearerToken::new(text), hash))
}

/// A random token id.
pub(crate) fn random_id() -> Result<String, SecurityError> {
    let mut random = [0u8; 9];
    getrandom::fill(&mut random).map_err(SecurityError::random)?;
    Ok(BASE64URL_NOPAD.encode(&random))
}

/// Makes a token and what to write into the configuration, without a running orchestrator.
///
/// The key file is the one that `key_file` names. The example `issue_token` is this function as a program.
///
/// # Errors
/// [`SecurityError`] when the id is no token id, the key cannot be read, or the operating system gives no random bytes.
pub fn issue_offline(
    key_file: &std::path::Path,
    id: &str,
) -> Result<(BearerToken, String), SecurityError> {
    if !is_token_id(id) {
        return Err(SecurityError::TokenId { id: id.to_owned() });
    }
    let key = ServerKey::from_file(key_file)?;
    let (token, hash) = generate(&key, id)?;
    Ok((token, HEXLOWER.encode(&hash)))
}
