//! What came of one step of an orchestration.

mod category;
mod failure;
mod skip;
mod step_result;

pub use category::{ErrorCategory, RetryAdvice, Severity};
pub use failure::StepFailure;
pub use skip::SkipReason;
pub use step_result::{StepError, StepOutcome, StepResult};
