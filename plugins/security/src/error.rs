//! What goes wrong outside of a decision.

use std::io;
use std::path::PathBuf;

use crate::audit::AuditError;

/// Why the plugin or its service could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The key file cannot be read.
    #[error("key file {} (key_file) cannot be read: make it, for example with `head -c 48 /dev/urandom | base64`, readable by its owner alone", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The environment variable of the key is not set.
    #[error(
        "environment variable {name} (key_env) is not set: set it to at least 32 random bytes, or use key_file"
    )]
    KeyMissing {
        /// The variable.
        name: String,
    },
    /// The key is too short.
    #[error("{source_name} holds {bytes} bytes: a key has at least 32 random bytes")]
    KeyTooShort {
        /// Where it is from.
        source_name: String,
        /// How many it has.
        bytes: usize,
    },
    /// The key file is too large to be one.
    #[error("key file {} has {bytes} bytes, the limit is {max}: name the file that holds the key alone", path.display())]
    KeyTooLong {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: usize,
    },
    /// Identities without a key that outlives the process.
    #[error(
        "identities are configured and no server key is: write key_file = \"/path/to/key\" or key_env = \"NAME\" into [plugins.security]"
    )]
    NoKey,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {text}")]
    Random {
        /// What it said.
        text: String,
    },
    /// No such identity.
    #[error("no identity {name:?}: add it to identities in [plugins.security]")]
    UnknownIdentity {
        /// The name.
        name: String,
    },
    /// No such token.
    #[error("no token {id:?}: tokens() lists them")]
    UnknownToken {
        /// The id.
        id: String,
    },
    /// The token cannot be rotated.
    #[error("token {id:?} was revoked or has expired: issue another one")]
    TokenEnded {
        /// The id.
        id: String,
    },
    /// A text that is no token id.
    #[error("token id {id:?}: write 1 to 64 of A-Z a-z 0-9 _ -")]
    TokenId {
        /// The text.
        id: String,
    },
    /// Too many tokens.
    #[error("{max} tokens are held, which is tokens_max: let some expire, or raise it")]
    TooManyTokens {
        /// The limit.
        max: usize,
    },
    /// A life or a block of a length that is not allowed.
    #[error("{what} of {seconds} s: write 1 to {max} s")]
    Length {
        /// What it is.
        what: &'static str,
        /// What was asked for.
        seconds: u64,
        /// The limit.
        max: u64,
    },
    /// A name that is no principal's.
    #[error("{name:?} is no name of a principal: {text}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        text: String,
    },
    /// The wall clock cannot be used.
    #[error("the wall clock stands before 1970 or beyond what can be counted: set it")]
    Clock,
    /// The audit log is off.
    #[error("no audit log: write audit.directory into [plugins.security] and restart")]
    NoAudit,
    /// The plugin has been stopped.
    #[error("the plugin has been stopped")]
    Stopped,
    /// Something with the audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl SecurityError {
    pub(crate) fn random(error: getrandom::Error) -> Self {
        Self::Random {
            text: error.to_string(),
        }
    }
}
