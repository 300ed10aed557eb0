//! Stands between the orchestrator and a plugin and writes down its calls.

use universal_orchestrator::plugin::{HookPoint, Observed};

/// The point of an observation.
pub(crate) fn point_of(what: &Observed<'_>) -> HookPoint {
    match what {
        Observed::Registered { .. } => HookPoint::Register,
        Observed::Deregistered { .. } => HookPoint::Deregister,
        Observed::Submitted { .. } => HookPoint::Submit,
        Observed::Delegated { .. } => HookPoint::Delegate,
        Observed::Started { .. } => HookPoint::Start,
        Observed::Completed { .. } => HookPoint::Complete,
        Observed::Failed { .. } => HookPoint::Fail,
        Observed::Retrying { .. } => HookPoint::Retry,
        Observed::Cancelled { .. } => HookPoint::Cancel,
        Observed::HealthCheck => HookPoint::Health,
        Observed::Tick => HookPoint::Tick,
        _ => HookPoint::Shutdown,
    }
}
