//! What a failure means, and what is enough.

/// What a failing step means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The others go on; the report says what is missing.
    #[default]
    GoOn,
    /// What has not begun is skipped, and what runs is dropped.
    FailFast,
}

/// How many successes a strategy needs to count as a success itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Every step.
    All,
    /// So many; with fewer steps, all of them.
    AtLeast(usize),
}

impl Default for Required {
    /// One: whatever was found is better than nothing.
    fn default() -> Self {
        Self::AtLeast(1)
    }
}

impl Required {
    /// Whether so many successes of so many steps are enough.
    #[must_use]
    pub fn is_met(self, successes: usize, steps: usize) -> bool {
        match self {
            Self::All => successes == steps,
            Self::AtLeast(number) => successes >= number.min(steps),
        }
    }
}
