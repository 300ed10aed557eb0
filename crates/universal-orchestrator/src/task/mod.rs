//! Tasks: what is asked for, how it stands, what came of it.

mod dead_letter;
mod delegation;
mod dismantle;
mod failure;
mod outcome;
mod record;
mod refusal;
mod report;
mod request;
mod retry;
mod snapshot;
mod state;

pub use dead_letter::DeadLetter;
pub use delegation::Delegation;
pub(crate) use dismantle::{DEPTH_MAX, bounded, dismantle, walkable};
pub use failure::{FailureKind, TaskFailure};
pub(crate) use outcome::OutcomeParts;
pub use outcome::{TaskOutcome, TaskView};
pub use record::{Extensions, TaskRecord};
pub use refusal::{Refusal, Refused, UnavailableCounts, Veto};
pub(crate) use refusal::{busy_text, demand_text};
pub use report::ReportError;
pub(crate) use request::BoundsExceeded;
pub use request::{AfterFailure, Priority, Task, TaskPatch};
pub use request::{IdErrorOrNever, TaskFault};
pub(crate) use request::{TaskOptions, json_bounds};
pub use retry::RetryPolicy;
pub use snapshot::TaskSnapshot;
pub use state::{InvalidTransition, TaskEvent, TaskState};
