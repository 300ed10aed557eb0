//! Logs: streamed, sorted into templates, and compared before and after the onset.

mod category;
mod change;
mod drain;
mod folder;
mod line;
#[cfg(test)]
mod loghub;
mod mask;
mod stream;
mod summary;
mod text;
mod time;

pub use change::{LogChange, LogChangeKind, LogChanges, SURGE_RATIO_MIN, SURPRISE_MAX};
pub use drain::LOG_TEMPLATES_MAX;
pub use folder::{LOG_FILES_MAX, LogFolder};
pub use line::{LogLevel, LogLine};
pub use summary::{LogSummary, LogTemplate};
pub use time::time_of;

pub(crate) use category::{category_of, names};
pub(crate) use text::clean;
