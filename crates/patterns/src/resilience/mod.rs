//! Resilience around a step. The result of each is a step again, so they are put around each other: the outermost is asked first.

mod breaker;
mod guarded;
mod hedged;
mod provider;
mod retry;
mod routed;
mod throttled;

pub use breaker::Breaker;
pub use guarded::Guarded;
pub use hedged::Hedged;
pub use provider::{Place, Provider, ProviderLimits, ProviderView, Rate};
pub use retry::Retry;
pub use routed::{ArmView, Routed};
pub use throttled::Throttled;
