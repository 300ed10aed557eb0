//! Feedback on the parts of an assistant: seven sources of records, what each record says, and the scores that follow.
//!
//! The records are written for the example `feedback_coordinator`; what is read out of them and how it is weighed is real.

mod depot;
mod record;
mod score;
mod signal;

pub use depot::{Depot, DepotClosed, Reader};
pub use record::{RecordError, Source};
pub use score::{Score, scores};
pub use signal::{Component, Signal, SignalError, Target};
