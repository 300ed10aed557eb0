//! What goes wrong with plugins.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a plugin could not be built, started or reconfigured.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// Its section does not fit.
    #[error("section [plugins.{plugin}]: {text}")]
    Section {
        /// The plugin.
        plugin: String,
        /// What is wrong, with the key.
        text: String,
    },
    /// It cannot take another configuration while it runs.
    #[error("plugin cannot be reconfigured at run time: restart with the new section")]
    NotReconfigurable,
    /// It did not start in time.
    #[error("no answer within hooks.start_timeout_ms {limit:?}: start faster, or raise the limit")]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// No plugin of this name.
    #[error("no plugin {name:?}: known are {known}")]
    Unknown {
        /// The unknown name.
        name: String,
        /// The known ones.
        known: String,
    },
    /// Anything else that the plugin says.
    #[error("{text}")]
    Failed {
        /// What it says.
        text: String,
        /// The cause.
        #[source]
        source: Option<Arc<dyn Error + Send + Sync>>,
    },
}

impl PluginError {
    /// A failure with a text.
    #[must_use]
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed {
            text: text.into(),
            source: None,
        }
    }

    /// A failure with a text and its cause.
    #[must_use]
    pub fn caused(text: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed {
            text: text.into(),
            source: Some(Arc::new(source)),
        }
    }
}

/// Writes an error as people read it, with those causes that its text does not tell: `main` shows the `Debug` form of what it returns.
pub(crate) fn write_told(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = error.source();
    }
    f.write_str(&told)
}

/// A hook that could not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct HookFault {
    text: String,
}

impl HookFault {
    /// A fault with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}
