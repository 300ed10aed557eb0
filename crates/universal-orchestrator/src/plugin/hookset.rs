//! Which hooks a plugin wants, as a mask.

use serde::Serialize;

/// Where hooks fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum HookPoint {
    /// An agent registers.
    Register = 0,
    /// An agent leaves.
    Deregister = 1,
    /// A task is given to any of the doors.
    Submit = 2,
    /// An attempt is bound to an agent.
    Delegate = 3,
    /// An agent begins an attempt.
    Start = 4,
    /// A task succeeds.
    Complete = 5,
    /// A task fails, times out or is rejected.
    Fail = 6,
    /// A failed attempt is about to be followed by another.
    Retry = 7,
    /// A task is cancelled.
    Cancel = 8,
    /// The health check, each `health_check_interval_ms`.
    Health = 9,
    /// Each `tick_interval_ms`.
    Tick = 10,
    /// Shutdown begins.
    Shutdown = 11,
}

impl HookPoint {
    /// All points.
    pub const ALL: [Self; 12] = [
        Self::Register,
        Self::Deregister,
        Self::Submit,
        Self::Delegate,
        Self::Start,
        Self::Complete,
        Self::Fail,
        Self::Retry,
        Self::Cancel,
        Self::Health,
        Self::Tick,
        Self::Shutdown,
    ];
}

/// What a hook may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Stage {
    /// Rewrite.
    Shape = 0,
    /// Refuse.
    Guard = 1,
    /// See.
    Observe = 2,
}

/// A set of hooks, made in a `const`.
///
/// A combination that the orchestrator never fires does not compile: shape exists at submit, delegate and start; guard there and at register and retry; observe everywhere.
///
/// ```
/// use universal_orchestrator::plugin::{HookPoint, HookSet};
/// const HOOKS: HookSet = HookSet::none().guard(HookPoint::Submit).observe(HookPoint::Complete);
/// ```
/// ```compile_fail
/// use universal_orchestrator::plugin::{HookPoint, HookSet};
/// const HOOKS: HookSet = HookSet::none().guard(HookPoint::Complete);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HookSet(u64);

impl HookSet {
    /// No hook.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// With a shape hook.
    ///
    /// # Panics
    /// At a point without shape hooks; in a `const`, that is a compile error.
    #[must_use]
    pub const fn shape(self, point: HookPoint) -> Self {
        assert!(
            matches!(
                point,
                HookPoint::Submit | HookPoint::Delegate | HookPoint::Start
            ),
            "shape hooks exist at submit, delegate and start"
        );
        self.with(Stage::Shape, point)
    }

    /// With a guard hook.
    ///
    /// # Panics
    /// At a point without guard hooks; in a `const`, that is a compile error.
    #[must_use]
    pub const fn guard(self, point: HookPoint) -> Self {
        assert!(
            matches!(
                point,
                HookPoint::Register
                    | HookPoint::Submit
                    | HookPoint::Delegate
                    | HookPoint::Start
                    | HookPoint::Retry
            ),
            "guard hooks exist at register, submit, delegate, start and retry"
        );
        self.with(Stage::Guard, point)
    }

    /// With an observe hook.
    #[must_use]
    pub const fn observe(self, point: HookPoint) -> Self {
        self.with(Stage::Observe, point)
    }

    /// With an observe hook at every point.
    #[must_use]
    pub const fn observe_all(self) -> Self {
        Self(self.0 | (0xfff << (16 * Stage::Observe as u64)))
    }

    const fn with(self, stage: Stage, point: HookPoint) -> Self {
        Self(self.0 | Self::bit(stage, point))
    }

    const fn bit(stage: Stage, point: HookPoint) -> u64 {
        1 << (16 * stage as u64 + point as u64)
    }

    /// Whether the hook is in the set.
    #[must_use]
    pub const fn contains(self, stage: Stage, point: HookPoint) -> bool {
        self.0 & Self::bit(stage, point) != 0
    }

    /// All hooks of the set.
    pub fn iter(self) -> impl Iterator<Item = (Stage, HookPoint)> {
        [Stage::Shape, Stage::Guard, Stage::Observe]
            .into_iter()
            .flat_map(|stage| HookPoint::ALL.into_iter().map(move |point| (stage, point)))
            .filter(move |(stage, point)| self.contains(*stage, *point))
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
