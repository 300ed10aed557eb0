//! Tasks: what is asked for, how it stands, what came of it.

mod bounds;
mod dead_letter;
mod delegation;
mod dismantle;
mod failure;
mod fault;
mod outcome;
mod patch;
mod record;
mod refusal;
mod report;
mod request;
mod retry;
mod snapshot;
mod state;

pub(crate) use bounds::{BoundsExceeded, json_bounds};
pub use dead_letter::DeadLetter;
pub use delegation::Delegation;
pub(crate) use dismantle::{DEPTH_MAX, bounded, dismantle, walkable};
pub use failure::{FailureKind, TaskFailure};
pub use fault::TaskFault;
pub(crate) use outcome::OutcomeParts;
pub use outcome::{TaskOutcome, TaskView};
pub use patch::TaskPatch;
pub use record::{Extensions, TaskRecord};
pub use refusal::{Deadlock, Refusal, Refused, UnavailableCounts, Veto};
pub(crate) use refusal::{busy_text, demand_text};
pub use report::ReportError;
pub(crate) use request::TaskOptions;
pub use request::{AfterFailure, Priority, Task};
pub use retry::RetryPolicy;
pub use snapshot::TaskSnapshot;
pub use state::{InvalidTransition, TaskEvent, TaskState};
