//! Describes a context below another.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::Limits;

use crate::context::budget::OpenRun;
use crate::context::builder::run_id;
use crate::context::cancellation::Cancellation;
use crate::context::metadata::Added;
use crate::context::{ContextError, Frame, Inner, OrchestrationContext, seed};

/// Describes a context below another: it inherits everything and can only narrow.
#[must_use = "a builder does nothing until build is called"]
pub struct ChildBuilder<'a> {
    parent: &'a OrchestrationContext,
    name: &'a str,
    added: Added,
    deadline: Option<Instant>,
    limits: Option<Limits>,
    frame: Option<Frame>,
}

impl<'a> ChildBuilder<'a> {
    pub(super) fn new(parent: &'a OrchestrationContext) -> Self {
        Self {
            parent,
            name: "",
            added: Added::default(),
            deadline: parent.deadline(),
            limits: None,
            frame: parent.frame().cloned(),
        }
    }

    /// Names it among its siblings: its seed is made of the name.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Carries a value; it hides one of the same type from above.
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.added.push(value);
        self
    }

    /// An earlier deadline; a later one than the parent's changes nothing.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
        self
    }

    /// How long it may take from now on, if that ends before the parent's deadline.
    pub fn deadline_in(self, time: Duration) -> Self {
        match Instant::now().checked_add(time) {
            Some(deadline) => self.deadline(deadline),
            None => self,
        }
    }

    /// What it may spend in all: what it spends counts for its parent too, so that it cannot have more than is left there.
    pub const fn budget(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    pub(super) fn at_work(mut self, frame: Frame) -> Self {
        self.frame = Some(frame);
        self
    }

    /// Builds the context and opens its budget.
    ///
    /// # Errors
    /// [`ContextError`] when it would lie too deep, would carry too much, or its parent's run was closed.
    pub fn build(self) -> Result<OrchestrationContext, ContextError> {
        let above = &self.parent.0;
        let depth = above.depth + 1;
        if depth > above.root.depth_max {
            return Err(ContextError::TooDeep {
                depth,
                max: above.root.depth_max,
            });
        }
        let trace = above.trace.child();
        let metadata = above.metadata.with(self.added)?;
        let (run, spending) = match self.limits {
            None => (above.run.clone(), above.spending.clone()),
            Some(limits) => {
                let root = &above.root;
                let id = run_id(&root.request, &trace)?;
                let outer = above.run.as_deref().map(OpenRun::id);
                let run = OpenRun::open(&root.orchestrator, id, outer, limits)?;
                let spending = root
                    .orchestrator
                    .spending(Some(run.id()), root.tenant.as_ref())?;
                (Some(Arc::new(run)), spending)
            }
        };
        Ok(OrchestrationContext(Arc::new(Inner {
            root: Arc::clone(&above.root),
            parent: Some(self.parent.clone()),
            depth,
            trace,
            metadata,
            deadline: self.deadline,
            cancellation: Cancellation::below(self.parent.clone()),
            spending,
            run,
            seed: seed::derived(above.seed, self.name),
            frame: self.frame,
        })))
    }
}

impl fmt::Debug for ChildBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildBuilder")
            .field("parent", self.parent)
            .field("name", &self.name)
            .field("deadline", &self.deadline)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
