//! One door to all orchestrations.

mod call;
mod entry;
mod error;
mod lifecycle;
mod view;

pub use error::{CallRefusal, CallRefused, RegisterRefusal, RegisterRefused, UnknownOrchestration};
pub use lifecycle::Removed;
pub use view::OrchestrationView;

use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::RwLock;

use crate::facade::entry::Entry;
use crate::orchestration::{Layer, OrchestrationKind, OrchestrationName};

/// The most orchestrations of one facade, unless it is made with another limit.
const ORCHESTRATIONS_MAX: usize = 1_024;

type Entries = HashMap<OrchestrationName, Arc<Entry>>;

struct Inner {
    entries: RwLock<Entries>,
    orchestrations_max: usize,
}

/// One door to all orchestrations: they are registered once and called by name. A cheap clone; all clones are the same facade.
///
/// What is registered lives until it is removed or the last clone is dropped, however many calls there are.
///
/// ```
/// use universal_orchestrator::{UniversalOrchestrator, json};
/// use universal_orchestrator_patterns::{
///     Facade, Layer, OrchestrationContext, OrchestrationKind, OrchestrationSpec, StepResult, orchestration_fn,
/// };
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orchestrator = UniversalOrchestrator::builder().start().await?;
/// let facade = Facade::new();
/// let double = orchestration_fn(|n: u32, _context: OrchestrationContext| async move { StepResult::success(n * 2) });
/// let spec = OrchestrationSpec::new("double", Layer::Domain, OrchestrationKind::Sequential);
/// facade.register(spec, double).await?;
///
/// let context = OrchestrationContext::builder(&orchestrator).build()?;
/// let result = facade.orchestrate("double", &context, json!(21)).await?;
/// assert_eq!(result.data(), Some(&json!(42)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Facade(Arc<Inner>);

impl Facade {
    /// An empty facade for at most 1,024 orchestrations.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room_for(ORCHESTRATIONS_MAX)
    }

    /// An empty facade for at most so many orchestrations.
    #[must_use]
    pub fn with_room_for(orchestrations_max: usize) -> Self {
        Self(Arc::new(Inner {
            entries: RwLock::default(),
            orchestrations_max,
        }))
    }

    fn entry(&self, name: &str) -> Option<Arc<Entry>> {
        self.0.entries.read().get(name).cloned()
    }

    fn names(&self) -> Vec<OrchestrationName> {
        let mut names: Vec<_> = self.0.entries.read().keys().cloned().collect();
        names.sort();
        names
    }

    /// How an orchestration stands.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<OrchestrationView> {
        self.entry(name).map(|entry| entry.view())
    }

    /// How all orchestrations stand, by name.
    #[must_use]
    pub fn list(&self) -> Vec<OrchestrationView> {
        self.list_where(|_| true)
    }

    /// The orchestrations of one layer, by name.
    #[must_use]
    pub fn in_layer(&self, layer: Layer) -> Vec<OrchestrationView> {
        self.list_where(|entry| entry.layer == layer)
    }

    /// The orchestrations of one kind, by name.
    #[must_use]
    pub fn of_kind(&self, kind: OrchestrationKind) -> Vec<OrchestrationView> {
        self.list_where(|entry| entry.kind == kind)
    }

    fn list_where(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<OrchestrationView> {
        let entries = self.0.entries.read();
        let wanted = entries.values().filter(|entry| wanted(entry));
        let mut views: Vec<_> = wanted.map(|entry| entry.view()).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }
}

impl Default for Facade {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Facade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facade")
            .field("orchestrations", &self.names())
            .finish_non_exhaustive()
    }
}
