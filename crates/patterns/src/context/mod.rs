//! Whom an orchestration is for, until when it may run, and what it may spend.

mod budget;
mod builder;
mod cancellation;
mod child;
mod error;
mod metadata;
mod request;
mod seed;
mod trace;

pub use builder::ContextBuilder;
pub use child::ChildBuilder;
pub use error::ContextError;
pub use metadata::METADATA_MAX;
pub use request::{REQUEST_BYTES_MAX, RequestId};
pub use trace::{TraceContext, TraceError};

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::{
    AccountId, AccountView, CancellationToken, RunId, Spending, Task, Tenant,
    UniversalOrchestrator, WallClock,
};

use crate::context::budget::OpenRun;
use crate::context::cancellation::Cancellation;
use crate::context::metadata::Metadata;
use crate::orchestration::{Layer, OrchestrationName};

/// The deepest that a context may lie below its root, unless the builder says less.
pub const DEPTH_MAX: u32 = 32;

/// What all contexts of one request share.
struct Root {
    orchestrator: UniversalOrchestrator,
    request: RequestId,
    tenant: Option<Tenant>,
    clock: Arc<dyn WallClock>,
    depth_max: u32,
}

struct Inner {
    root: Arc<Root>,
    parent: Option<OrchestrationContext>,
    depth: u32,
    trace: TraceContext,
    metadata: Metadata,
    deadline: Option<Instant>,
    cancellation: Cancellation,
    spending: Spending,
    run: Option<Arc<OpenRun>>,
    seed: u64,
    /// The orchestration at work; its children have it too.
    frame: Option<Frame>,
}

/// An orchestration at work.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) name: OrchestrationName,
    pub(crate) layer: Layer,
    /// The depth of the context that it was called with.
    depth: u32,
}

/// Whom an orchestration is for, until when, and for how much. Immutable; a cheap clone.
///
/// A [`child`](Self::child) inherits everything and can only narrow: an earlier deadline, a smaller budget.
/// It is cancelled with its parent, and a parent is not cancelled with its child.
/// The budget of a context is a run of the orchestrator: it is closed when the last clone is dropped.
#[derive(Clone)]
pub struct OrchestrationContext(Arc<Inner>);

impl OrchestrationContext {
    /// Starts to describe the context of one request.
    pub fn builder(orchestrator: &UniversalOrchestrator) -> ContextBuilder {
        ContextBuilder::new(orchestrator)
    }

    /// Starts to describe a context below this one.
    pub fn child(&self) -> ChildBuilder<'_> {
        ChildBuilder::new(self)
    }

    /// The orchestrator that agents are asked through.
    #[must_use]
    pub fn orchestrator(&self) -> &UniversalOrchestrator {
        &self.0.root.orchestrator
    }

    /// The request that all of this is for.
    #[must_use]
    pub fn request(&self) -> &RequestId {
        &self.0.root.request
    }

    /// Whom it is for.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        self.0.root.tenant.as_ref()
    }

    /// The wall clock of records; deadlines use tokio's.
    #[must_use]
    pub fn clock(&self) -> &dyn WallClock {
        &*self.0.root.clock
    }

    /// The context that this one is below.
    #[must_use]
    pub fn parent(&self) -> Option<&Self> {
        self.0.parent.as_ref()
    }

    /// How many contexts lie above.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.0.depth
    }

    /// Where it stands in the distributed trace.
    #[must_use]
    pub fn trace(&self) -> &TraceContext {
        &self.0.trace
    }

    /// A value that this context or one above carries, by its type; the nearest one.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.metadata.get()
    }

    /// When it must be over, on tokio's clock.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The time left until the deadline; zero when it has passed, `None` when there is none.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.0.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Cancelled with this context or one above.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.0.cancellation.token()
    }

    /// Cancels this context and those below.
    pub fn cancel(&self) {
        self.cancellation().cancel();
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancellation.is_cancelled()
    }

    /// The accounts that work under this context draws on.
    #[must_use]
    pub fn spending(&self) -> &Spending {
        &self.0.spending
    }

    /// The run whose budget it shares; `None` when neither it nor a context above has one.
    #[must_use]
    pub fn run(&self) -> Option<&RunId> {
        self.0.run.as_deref().map(OpenRun::id)
    }

    /// How the account of its run stands.
    #[must_use]
    pub fn account(&self) -> Option<AccountView> {
        let run = self.run()?.clone();
        self.orchestrator().account(&AccountId::Run(run))
    }

    /// What makes random choices repeatable; a child has a seed of its own.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// A seed for one purpose: the same for the same context seed and name, whatever ran before.
    #[must_use]
    pub fn seed_for(&self, purpose: &str) -> u64 {
        seed::derived(self.0.seed, purpose)
    }

    /// The name of the orchestration at work.
    #[must_use]
    pub fn orchestration(&self) -> Option<&OrchestrationName> {
        self.frame().map(|frame| &frame.name)
    }

    pub(crate) fn frame(&self) -> Option<&Frame> {
        self.0.frame.as_ref()
    }

    /// Whether this is the very context that an orchestration of this name was called with.
    pub(crate) fn calls_itself(&self, name: &OrchestrationName) -> bool {
        self.frame()
            .is_some_and(|frame| frame.depth == self.depth() && frame.name == *name)
    }

    /// The context that an orchestration is called with.
    pub(crate) fn called(
        &self,
        name: &OrchestrationName,
        layer: Layer,
    ) -> Result<Self, ContextError> {
        let frame = Frame {
            name: name.clone(),
            layer,
            depth: self.depth() + 1,
        };
        self.child().name(name.as_str()).at_work(frame).build()
    }

    /// The same context with a cancellation of its own, below this one's.
    pub(crate) fn branch(&self) -> Self {
        let Inner {
            root,
            parent,
            depth,
            trace,
            metadata,
            deadline,
            cancellation: _,
            spending,
            run,
            seed,
            frame,
        } = &*self.0;
        Self(Arc::new(Inner {
            root: Arc::clone(root),
            parent: parent.clone(),
            depth: *depth,
            trace: trace.clone(),
            metadata: metadata.clone(),
            deadline: *deadline,
            cancellation: Cancellation::below(self.clone()),
            spending: spending.clone(),
            run: run.clone(),
            seed: *seed,
            frame: frame.clone(),
        }))
    }

    /// Cancels a branch of `trunk`; the trunk itself is left alone.
    pub(crate) fn cancel_branch(&self, trunk: &Self) {
        if !Arc::ptr_eq(&self.0, &trunk.0) {
            self.cancel();
        }
    }

    /// A task under this context: of its tenant and run, with its deadline and, as the notes `request`, `traceparent` and `tracestate`, its request and trace.
    #[must_use]
    pub fn apply_to(&self, mut task: Task) -> Task {
        if let Some(tenant) = self.tenant() {
            task = task.tenant(tenant.as_str());
        }
        if let Some(run) = self.run() {
            task = task.run(run.as_str());
        }
        if let Some(deadline) = self.deadline() {
            task = task.deadline(deadline);
        }
        task = task
            .metadata("request", self.request().as_str())
            .metadata("traceparent", &self.trace().to_string());
        match self.trace().state() {
            Some(state) => task.metadata("tracestate", state),
            None => task,
        }
    }
}

impl fmt::Debug for OrchestrationContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrchestrationContext")
            .field("request", self.request())
            .field("tenant", &self.tenant())
            .field("depth", &self.depth())
            .field("trace", self.trace())
            .field("deadline", &self.deadline())
            .field("run", &self.run())
            .finish_non_exhaustive()
    }
}
