//! Runs code of others so that it ends in time and its panics stay in it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt;
use tokio::time::Instant;

use crate::context::OrchestrationContext;
use crate::result::{ErrorCategory, RetryAdvice, StepFailure};

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "a panic without a text"
    }
}

/// A failure that says which code panicked.
pub(crate) fn panicked(what: &str, panic: &(dyn Any + Send)) -> StepFailure {
    let text = format!("{what} panicked: {}", panic_text(panic));
    StepFailure::new(ErrorCategory::Panicked, text)
}

/// Calls code that may panic.
pub(crate) fn call<R>(what: &str, code: impl FnOnce() -> R) -> Result<R, StepFailure> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| panicked(what, panic.as_ref()))
}

/// Until when code may run.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'a> {
    /// Its own limit, which a further attempt may keep.
    pub(crate) timeout: Option<Instant>,
    /// The deadline of its context.
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancelled: CancelledBy<'a>,
}

/// Who may cancel code.
#[derive(Clone, Copy)]
pub(crate) enum CancelledBy<'a> {
    Nobody,
    /// Its token is asked for when it is first waited for, and not before.
    Context(&'a OrchestrationContext),
}

/// Awaits code until it is done, its time is over, or it is cancelled. It is dropped then.
pub(crate) async fn bounded<R>(
    what: &str,
    bounds: Bounds<'_>,
    code: impl Future<Output = R>,
) -> Result<R, StepFailure> {
    let end = match (bounds.timeout, bounds.deadline) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let contained = AssertUnwindSafe(code).catch_unwind();
    // What ends it early is made when it is first waited for: most code is done at once, and its future stays small.
    let ends = async { Box::pin(ended(bounds.cancelled, end)).await };
    let ended = tokio::select! {
        biased;
        done = contained => return done.map_err(|panic| panicked(what, panic.as_ref())),
        ended = ends => ended,
    };
    Err(cut_off(what, bounds.deadline, ended))
}

/// Why code was ended by a cancellation, which is `None`, or at an instant.
pub(crate) fn cut_off(
    what: &str,
    deadline: Option<Instant>,
    ended: Option<Instant>,
) -> StepFailure {
    match ended {
        None => StepFailure::new(ErrorCategory::Cancelled, format!("{what} was cancelled")),
        Some(end) if deadline.is_some_and(|deadline| deadline <= end) => {
            let text = format!("{what} was not done when the deadline passed");
            // A deadline that has passed stays so.
            StepFailure::new(ErrorCategory::Timeout, text).with_retry(RetryAdvice::Never)
        }
        Some(_) => {
            let text = format!("{what} took longer than its timeout");
            StepFailure::new(ErrorCategory::Timeout, text)
        }
    }
}

/// Awaits a cancellation, which is `None`, or an instant.
pub(crate) async fn ended(by: CancelledBy<'_>, end: Option<Instant>) -> Option<Instant> {
    let cancelled = async {
        match by {
            CancelledBy::Nobody => std::future::pending().await,
            CancelledBy::Context(context) => context.cancellation().cancelled().await,
        }
    };
    let Some(at) = end else {
        cancelled.await;
        return None;
    };
    tokio::select! {
        biased;
        () = cancelled => None,
        () = tokio::time::sleep_until(at) => end,
    }
}
