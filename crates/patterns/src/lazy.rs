//! A dependency that is built on its first use.

use std::fmt;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::contain::panicked;
use crate::result::StepFailure;

type Factory<T> = Box<dyn Fn() -> BoxFuture<'static, Result<T, StepFailure>> + Send + Sync>;

/// A dependency that is built once, on its first use.
///
/// Callers that come while it is built wait for the same value. A failure is returned to whoever asked, and the next use tries again.
///
/// ```
/// use universal_orchestrator_patterns::{Lazy, StepFailure};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StepFailure> {
/// let model = Lazy::new("model", || async { Ok::<_, StepFailure>("loaded".to_owned()) });
/// assert!(!model.is_built());
/// assert_eq!(model.get().await?, "loaded");
/// # Ok(())
/// # }
/// ```
pub struct Lazy<T> {
    name: &'static str,
    factory: Factory<T>,
    cell: OnceCell<T>,
}

impl<T: Send + Sync + 'static> Lazy<T> {
    /// A dependency that is not built yet.
    pub fn new<F, Fut, E>(name: &'static str, factory: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<StepFailure>,
    {
        Self {
            name,
            factory: Box::new(move || factory().map(|built| built.map_err(Into::into)).boxed()),
            cell: OnceCell::new(),
        }
    }

    /// The value, built by the first caller.
    ///
    /// # Errors
    /// The factory's failure, or that it panicked. Nothing is remembered of it.
    ///
    /// # Cancel safety
    /// When the caller that builds it is dropped, the next one that waits begins again.
    pub async fn get(&self) -> Result<&T, StepFailure> {
        let build = || async {
            let built = AssertUnwindSafe(async { (self.factory)().await }).catch_unwind();
            built
                .await
                .unwrap_or_else(|panic| Err(panicked(self.name, panic.as_ref())))
        };
        self.cell.get_or_try_init(build).await
    }

    /// Whether it is built.
    #[must_use]
    pub fn is_built(&self) -> bool {
        self.cell.initialized()
    }
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy")
            .field("name", &self.name)
            .field("built", &self.cell.initialized())
            .finish_non_exhaustive()
    }
}
