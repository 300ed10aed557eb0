//! What the runnable examples share: each example is a short `main` over a module of this library.
//!
//! [`audit`] holds the analysers, the report and the command line of `audit_tree`, which sends sixty
//! agents through every file of a source tree. [`talk`] is what `fallback_pipeline` works on,
//! [`shelf`] and [`health`] belong to `resilience_monitor`, [`feedback`] to `feedback_coordinator`.
//! [`log_triage`] holds what the workflow of `workflow_from_file` does.

pub mod audit;
pub mod feedback;
pub mod health;
pub mod log_triage;
pub mod shelf;
pub mod talk;
