//! Describes the context of one request.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use universal_orchestrator::{
    CancellationToken, IdError, Limits, RunId, SystemWallClock, Tenant, UniversalOrchestrator,
    WallClock,
};

use crate::context::budget::OpenRun;
use crate::context::cancellation::Cancellation;
use crate::context::metadata::{Added, Metadata};
use crate::context::{
    ContextError, DEPTH_MAX, Inner, OrchestrationContext, RequestId, Root, TraceContext, TraceError,
};

/// Describes the context of one request. What is wrong with it is reported by [`build`](Self::build).
#[must_use = "a builder does nothing until build is called"]
pub struct ContextBuilder {
    orchestrator: UniversalOrchestrator,
    request: Option<Result<RequestId, IdError>>,
    tenant: Option<Result<Tenant, IdError>>,
    trace: Option<Result<TraceContext, TraceError>>,
    added: Added,
    deadline: Option<Instant>,
    cancellation: Option<CancellationToken>,
    limits: Option<Limits>,
    run: Option<RunId>,
    clock: Option<Arc<dyn WallClock>>,
    seed: Option<u64>,
    depth_max: u32,
}

impl ContextBuilder {
    pub(super) fn new(orchestrator: &UniversalOrchestrator) -> Self {
        Self {
            orchestrator: orchestrator.clone(),
            request: None,
            tenant: None,
            trace: None,
            added: Added::default(),
            deadline: None,
            cancellation: None,
            limits: None,
            run: None,
            clock: None,
            seed: None,
            depth_max: DEPTH_MAX,
        }
    }

    /// Names the request; unset: the id of its trace.
    pub fn request(mut self, request: impl AsRef<str>) -> Self {
        self.request = Some(RequestId::new(request));
        self
    }

    /// Whom it is for.
    pub fn tenant(mut self, tenant: impl AsRef<str>) -> Self {
        self.tenant = Some(Tenant::new(tenant));
        self
    }

    /// Continues the trace of a caller, from the headers `traceparent` and `tracestate`.
    pub fn trace(mut self, traceparent: &str, tracestate: Option<&str>) -> Self {
        self.trace = Some(TraceContext::parse(traceparent, tracestate));
        self
    }

    /// Carries a value, found again by its type.
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.added.push(value);
        self
    }

    /// When it must be over, on tokio's clock; the earlier one when it is called twice.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
        self
    }

    /// How long it may take from now on. A time beyond the clock's range is no limit.
    pub fn deadline_in(self, time: Duration) -> Self {
        match Instant::now().checked_add(time) {
            Some(deadline) => self.deadline(deadline),
            None => self,
        }
    }

    /// Cancelled with this token too, for example that of the task at work.
    pub fn cancelled_with(mut self, token: &CancellationToken) -> Self {
        self.cancellation = Some(token.child_token());
        self
    }

    /// What it may spend in all: opens a run of its own, within that of [`run`](Self::run) if one is named.
    pub const fn budget(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// The open run whose budget it shares; it stays open when the context is gone.
    pub fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// The wall clock of its records; unset: the machine's.
    pub fn clock(mut self, clock: impl WallClock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Makes random choices, of jitter above all, repeatable; unset: random.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How deep contexts may lie below this one; at most [`DEPTH_MAX`].
    pub fn depth_max(mut self, depth: u32) -> Self {
        self.depth_max = depth.min(DEPTH_MAX);
        self
    }

    /// Builds the context and opens its budget.
    ///
    /// # Errors
    /// [`ContextError`] says which part does not fit.
    pub fn build(self) -> Result<OrchestrationContext, ContextError> {
        let trace = match self.trace.transpose()? {
            Some(caller) => caller.child(),
            None => TraceContext::start(),
        };
        let request = self.request.transpose()?;
        let request = request.unwrap_or_else(|| RequestId::of_trace(trace.trace_id()));
        let tenant = self.tenant.transpose()?;
        let metadata = Metadata::default().with(self.added)?;
        let outer = self.run;
        let run = match self.limits {
            Some(limits) => {
                let id = run_id(&request, &trace)?;
                let open = OpenRun::open(&self.orchestrator, id, outer.as_ref(), limits)?;
                Some(Arc::new(open))
            }
            None => outer.map(|id| Arc::new(OpenRun::of_another(id))),
        };
        let id = run.as_deref().map(OpenRun::id);
        let spending = self.orchestrator.spending(id, tenant.as_ref())?;
        let root = Root {
            orchestrator: self.orchestrator,
            request,
            tenant,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemWallClock)),
            depth_max: self.depth_max,
        };
        Ok(OrchestrationContext(Arc::new(Inner {
            root: Arc::new(root),
            parent: None,
            depth: 0,
            trace,
            metadata,
            deadline: self.deadline,
            cancellation: Cancellation::of_root(self.cancellation),
            spending,
            run,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
            frame: None,
        })))
    }
}

/// A name for the run of a context: of its request, and of its span, which no other context has.
pub(super) fn run_id(request: &RequestId, trace: &TraceContext) -> Result<RunId, IdError> {
    let request = request.as_str();
    let mut name = String::with_capacity(request.len() + 17);
    name.push_str(request);
    name.push('/');
    name.extend(hex_digits(trace.span_id()));
    RunId::new(name)
}

/// The sixteen hexadecimal digits of a number.
fn hex_digits(number: u64) -> impl Iterator<Item = char> {
    let digit = move |at: u32| (number >> (60 - 4 * at)) & 0xf;
    (0..16).map(move |at| char::from(b"0123456789abcdef"[digit(at) as usize]))
}

impl fmt::Debug for ContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBuilder")
            .field("request", &self.request)
            .field("tenant", &self.tenant)
            .field("deadline", &self.deadline)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
