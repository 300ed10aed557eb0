//! The module layers of the core: the table. Edit it here and in ARCHITECTURE.md together.

/// The layers from bottom to top.
///
/// A module may refer to the modules of its own row and of the rows above it in this list. `lib.rs` is free.
pub(crate) const LAYERS: &[&[&str]] = &[
    &["id", "principal", "capability", "clock", "config"],
    &["task", "agent", "breaker", "budget"],
    &["routing", "event", "metrics"],
    &["plugin", "status"],
    &["engine"],
    &["orchestrator"],
];
