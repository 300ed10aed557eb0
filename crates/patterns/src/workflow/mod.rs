//! A graph of steps: described in Rust or read from a file, checked, planned, drawn and run.

mod builder;
mod check;
mod compiled;
mod critical_path;
mod expression;
mod file;
mod gate;
mod library;
mod picture;
mod plan;
mod problem;
mod progress;
mod reference;
mod report;
mod run;
mod spec;
mod type_words;
mod value_type;

pub use builder::{WorkflowBuilder, WorkflowStep};
pub use check::{ITERATIONS_MAX, LINKS_MAX};
pub use compiled::Workflow;
pub use critical_path::CriticalPath;
pub use expression::EXPRESSION_BYTES_MAX;
pub use file::{FILE_BYTES_MAX, FileProblem, WorkflowFileErrors};
pub use gate::{
    DecideError, GATE_DEADLINE, GATES_MAX, GateDecision, GateId, GateView, Gates, UnknownGateId,
};
pub use library::StepLibrary;
pub use plan::{Certainty, Plan, PlannedStep};
pub use problem::{PROBLEMS_MAX, Problem, ProblemKind, WorkflowErrors};
pub use progress::{
    PROGRESS_MAX, Progress, ProgressEvent, ProgressKind, ProgressReader, Progressed,
};
pub use report::WorkflowReport;
pub use spec::{Join, StepOnFailure, WorkflowSpec};
pub use value_type::{Misfit, TYPE_DEPTH_MAX, ValueType};
