//! The life of a task as a pure function.

use serde::{Deserialize, Serialize};

/// Where a task stands. The first three are live; the others are terminal and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for its time, its dependencies, or an agent.
    Queued,
    /// Bound to an agent that has not started it.
    Assigned,
    /// An agent is at work on it.
    Running,
    /// An agent reported a result.
    Succeeded,
    /// The last attempt failed, or the task can no longer run.
    Failed,
    /// Deadline, attempt timeout or idle timeout passed.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
    /// A hook or the budget refused it after it had been accepted.
    Rejected,
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// An agent's slot was bound to it.
    Assign,
    /// The agent began.
    Start,
    /// The agent reported a result.
    Succeed,
    /// The last attempt failed.
    Fail,
    /// A time limit passed.
    TimeOut,
    /// Somebody cancelled it.
    Cancel,
    /// A hook or the budget refused it.
    Reject,
    /// The attempt failed and another one follows.
    Retry,
    /// The binding was undone before the agent began.
    Release,
}

/// An event that does not fit the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a task that is {from:?} cannot {event:?}")]
pub struct InvalidTransition {
    /// The state, which stays as it is.
    pub from: TaskState,
    /// The refused event.
    pub event: TaskEvent,
}

impl TaskState {
    /// All states, live ones first.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Assigned,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Rejected,
    ];

    /// The state that follows `event`.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the event does not fit; the task keeps its state.
    pub const fn apply(self, event: TaskEvent) -> Result<Self, InvalidTransition> {
        use TaskEvent as E;
        Ok(match (self, event) {
            (Self::Queued, E::Assign) => Self::Assigned,
            (Self::Assigned, E::Start) => Self::Running,
            (Self::Assigned, E::Release) | (Self::Assigned | Self::Running, E::Retry) => {
                Self::Queued
            }
            (Self::Assigned | Self::Running, E::Succeed) => Self::Succeeded,
            (Self::Queued | Self::Assigned | Self::Running, E::Fail) => Self::Failed,
            (Self::Queued | Self::Assigned | Self::Running, E::TimeOut) => Self::TimedOut,
            (Self::Queued | Self::Assigned | Self::Running, E::Cancel) => Self::Cancelled,
            (Self::Queued | Self::Assigned, E::Reject) => Self::Rejected,
            _ => return Err(InvalidTransition { from: self, event }),
        })
    }

    /// Whether the task can still change.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Assigned | Self::Running)
    }

    /// Whether the task is over.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !self.is_live()
    }

    /// The name used in status documents, logs and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TaskEvent as E, TaskState as S};

    const EVENTS: [E; 9] = [
        E::Assign,
        E::Start,
        E::Succeed,
        E::Fail,
        E::TimeOut,
        E::Cancel,
        E::Reject,
        E::Retry,
        E::Release,
    ];

    /// One row a state, one column an event, in the order of `EVENTS`.
    const TABLE: [(S, [Option<S>; 9]); 8] = [
        (
            S::Queued,
            [
                Some(S::Assigned),
                None,
                None,
                Some(S::Failed),
                Some(S::TimedOut),
                Some(S::Cancelled),
                Some(S::Rejected),
                None,
                None,
            ],
        ),
        (
            S::Assigned,
            [
                None,
                Some(S::Running),
                Some(S::Succeeded),
                Some(S::Failed),
                Some(S::TimedOut),
                Some(S::Cancelled),
                Some(S::Rejected),
                Some(S::Queued),
                Some(S::Queued),
            ],
        ),
        (
            S::Running,
            [
                None,
                None,
                Some(S::Succeeded),
                Some(S::Failed),
                Some(S::TimedOut),
                Some(S::Cancelled),
                None,
                Some(S::Queued),
                None,
            ],
        ),
        (S::Succeeded, [None; 9]),
        (S::Failed, [None; 9]),
        (S::TimedOut, [None; 9]),
        (S::Cancelled, [None; 9]),
        (S::Rejected, [None; 9]),
    ];

    #[test]
    fn the_whole_table() {
        for (row, (state, expected)) in TABLE.iter().enumerate() {
            assert_eq!(*state, S::ALL[row]);
            for (event, expected) in EVENTS.iter().zip(expected) {
                assert_eq!(state.apply(*event).ok(), *expected, "{state:?} {event:?}");
            }
        }
    }
}
