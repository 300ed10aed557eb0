//! Workflows from TOML: what is wrong is shown with line, column, the text at fault and what to write instead.

mod form;
mod places;
mod problem;

use toml::de::DeTable;

use crate::workflow::compiled::Workflow;
use crate::workflow::library::StepLibrary;
use crate::workflow::spec::WorkflowSpec;

pub use problem::{FileProblem, WorkflowFileErrors};

use problem::Found;

/// The longest workflow file, in bytes.
pub const FILE_BYTES_MAX: usize = 8 << 20;

impl WorkflowSpec {
    /// Reads a workflow from TOML. Its form is checked here, its meaning when it is built.
    ///
    /// # Errors
    /// [`WorkflowFileErrors`] lists everything that is wrong with the form.
    pub fn from_toml(text: &str) -> Result<Self, WorkflowFileErrors> {
        parsed(text).map(|(spec, _)| spec)
    }
}

impl Workflow {
    /// Reads a workflow from TOML, checks and builds it. Steps that run a function find it in the library.
    ///
    /// ```
    /// use universal_orchestrator_patterns::{StepLibrary, Workflow};
    /// let text = r#"
    /// name = "greet"
    /// [[steps]]
    /// name = "greet"
    /// run = "greet"
    /// needs = ["gret"]
    /// "#;
    /// let errors = Workflow::from_toml(text, &StepLibrary::new()).unwrap_err();
    /// assert_eq!(errors.problems().len(), 2);
    /// assert_eq!((errors.problems()[1].line(), errors.problems()[1].column()), (6, 10));
    /// ```
    ///
    /// # Errors
    /// [`WorkflowFileErrors`] lists everything that is wrong: with the form, or with the meaning of a file whose form is right.
    pub fn from_toml(text: &str, library: &StepLibrary) -> Result<Self, WorkflowFileErrors> {
        let (spec, table) = parsed(text)?;
        spec.build(library).map_err(|errors| {
            let unlisted = errors.unlisted();
            let found = errors.into_problems().into_iter().map(|problem| {
                let span = places::of(&table, problem.place());
                let span = match problem.at {
                    Some(at) => places::within(text, span, at),
                    None => span,
                };
                Found { span, problem }
            });
            WorkflowFileErrors::new(text, found.collect(), unlisted)
        })
    }
}

fn parsed(text: &str) -> Result<(WorkflowSpec, DeTable<'_>), WorkflowFileErrors> {
    if text.len() > FILE_BYTES_MAX {
        return Err(WorkflowFileErrors::new(
            text,
            vec![form::too_long(text.len())],
            0,
        ));
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let found: Vec<Found> = errors.iter().map(form::of_toml).collect();
        return Err(WorkflowFileErrors::new(text, found, 0));
    }
    let table = table.into_inner();
    let spec = form::read(&table).map_err(|found| WorkflowFileErrors::new(text, found, 0))?;
    Ok((spec, table))
}
