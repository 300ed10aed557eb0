//! What is wrong with a workflow.

use std::fmt;

/// The most problems that are listed; further ones are counted.
pub const PROBLEMS_MAX: usize = 100;

/// One thing that is wrong with a workflow, found before anything ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: String,
    step: Option<String>,
    /// The character within the text at the place.
    pub(super) at: Option<usize>,
    kind: ProblemKind,
    message: String,
    remedy: String,
}

/// What kind of problem it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The text is no TOML, or a key or value is not what the form asks for.
    Form,
    /// A name that may not be one.
    Name,
    /// A name is given twice.
    Duplicate,
    /// A reference leads nowhere: to no step, function, field or variable.
    Unknown,
    /// A value of another type than declared.
    Type,
    /// Steps depend on each other.
    Cycle {
        /// The steps, each of which depends on the next; the last is the first.
        path: Vec<String>,
    },
    /// A step that can never run.
    Unreachable,
    /// An expression that cannot be read.
    Expression,
    /// Two settings that exclude each other, or one that does nothing.
    Conflict,
    /// More than may be.
    Limit,
    /// Something that this program was built without.
    Feature,
}

impl Problem {
    pub(super) fn new(
        place: impl Into<String>,
        kind: ProblemKind,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            place: place.into(),
            step: None,
            at: None,
            kind,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    pub(super) fn of_step(mut self, name: &str) -> Self {
        self.step = Some(name.to_owned());
        self
    }

    /// The step that it is in; `None` when it is in none.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        self.step.as_deref()
    }

    /// Where it is, for example `steps[2].inputs.text`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> &ProblemKind {
        &self.kind
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, for people.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = &self.step {
            write!(f, "step {step:?}, ")?;
        }
        write!(f, "{}: {}; {}", self.place, self.message, self.remedy)
    }
}

/// Everything that is wrong with a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct WorkflowErrors {
    workflow: String,
    problems: Vec<Problem>,
    unlisted: usize,
}

impl WorkflowErrors {
    /// The workflow.
    #[must_use]
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// The problems, in the order of the steps; at most [`PROBLEMS_MAX`].
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many problems there are besides those listed.
    #[must_use]
    pub const fn unlisted(&self) -> usize {
        self.unlisted
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

impl fmt::Display for WorkflowErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len() + self.unlisted;
        let plural = if count == 1 { "" } else { "s" };
        write!(
            f,
            "workflow {:?} has {count} problem{plural}",
            self.workflow
        )?;
        for problem in &self.problems {
            write!(f, "\n- {problem}")?;
        }
        match self.unlisted {
            0 => Ok(()),
            more => write!(f, "\n- and {more} more"),
        }
    }
}

/// Collects problems up to the limit.
#[derive(Debug, Default)]
pub(super) struct Problems {
    listed: Vec<Problem>,
    unlisted: usize,
}

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        match self.listed.len() < PROBLEMS_MAX {
            true => self.listed.push(problem),
            false => self.unlisted += 1,
        }
    }

    /// How many there are, those included that are counted only.
    pub(super) fn count(&self) -> usize {
        self.listed.len() + self.unlisted
    }

    /// Whether further problems are counted only.
    pub(super) fn is_full(&self) -> bool {
        self.listed.len() == PROBLEMS_MAX
    }

    /// The problems as an error, `Ok` when there is none.
    pub(super) fn into_result(self, workflow: &str) -> Result<(), WorkflowErrors> {
        match self.listed.is_empty() {
            true => Ok(()),
            false => Err(WorkflowErrors {
                workflow: workflow.to_owned(),
                problems: self.listed,
                unlisted: self.unlisted,
            }),
        }
    }
}

/// Of the names, the one that was probably meant.
pub(super) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// So many names are looked through, and so long ones.
    const NAMES_MAX: usize = 20_000;
    const BYTES_MAX: usize = 64;
    if wanted.len() > BYTES_MAX {
        return None;
    }
    let near = names.into_iter().take(NAMES_MAX).filter_map(|name| {
        let distance = strsim::damerau_levenshtein(wanted, name);
        (name.len() <= BYTES_MAX && distance <= (wanted.len() / 3).max(1))
            .then_some((distance, name))
    });
    near.min().map(|(_, name)| name)
}

/// What to write instead of an unknown name.
pub(super) fn meant<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    match nearest(wanted, names) {
        Some(name) => format!("did you mean {name}?"),
        None => otherwise.to_owned(),
    }
}
