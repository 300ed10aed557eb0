//! In which order specialists are asked.

use std::fmt;

/// In which order specialists are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// All wide specialists at once, then deep ones in waves where the findings point.
    #[default]
    Waves,
    /// As [`Waves`](Self::Waves), but one specialist after the other.
    Sequential,
    /// All specialists about all of their nodes at once, in one wave.
    Parallel,
    /// One specialist after the other, and no further one once the first node is sure enough: the least calls.
    Adaptive,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Waves,
        Self::Sequential,
        Self::Parallel,
        Self::Adaptive,
    ];
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waves => "waves",
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
            Self::Adaptive => "adaptive",
        })
    }
}
