//! Why a report about a task changed nothing.

use crate::id::{AgentId, TaskId};
use crate::task::{BoundsExceeded, TaskState};

/// Why a report or a call about a task changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// No task of this id is live or retained.
    #[error("task {task} is not known: it was never accepted, or its result is no longer retained")]
    UnknownTask {
        /// The id.
        task: TaskId,
    },
    /// The task is over: this is a duplicate or late report.
    #[error("task {task} is over already ({state:?}): the report changes nothing")]
    AlreadyOver {
        /// The task.
        task: TaskId,
        /// Its state.
        state: TaskState,
    },
    /// The report is about an earlier attempt.
    #[error(
        "report is about attempt {reported} of task {task}, which is at attempt {current}: it changes nothing"
    )]
    Stale {
        /// The task.
        task: TaskId,
        /// The attempt of the report.
        reported: u32,
        /// The current one.
        current: u32,
    },
    /// The task is not bound to the agent that reports.
    #[error("task {task} is not bound to agent {agent}: the report changes nothing")]
    NotYours {
        /// The task.
        task: TaskId,
        /// The agent that reported.
        agent: AgentId,
    },
    /// The agent runs in this process: what its `run` returns is the report.
    #[error(
        "agent {agent} runs in this process: what its run returns ends task {task}, a report changes nothing"
    )]
    InProcess {
        /// The task.
        task: TaskId,
        /// Its agent.
        agent: AgentId,
    },
    /// A guard vetoed the start: the task is over, rejected.
    #[error("the start of task {task} was vetoed, do not work on it: {reason}")]
    Vetoed {
        /// The task.
        task: TaskId,
        /// The guard's reason.
        reason: String,
    },
    /// The result is too large; the task stays as it is, so a smaller one can be reported.
    #[error(
        "result has at least {bytes} bytes of JSON, the limit tasks.result_bytes_max is {max}: report a reference to the data instead"
    )]
    ResultTooLarge {
        /// Bytes counted until the limit was passed.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The result is nested too deeply; the task stays as it is.
    #[error("result is nested deeper than tasks.payload_depth_max {max}: flatten it")]
    ResultTooDeep {
        /// The limit.
        max: usize,
    },
}

impl ReportError {
    pub(crate) const fn of_bounds(
        exceeded: BoundsExceeded,
        bytes_max: usize,
        depth_max: usize,
    ) -> Self {
        match exceeded {
            BoundsExceeded::Bytes(bytes) => Self::ResultTooLarge {
                bytes,
                max: bytes_max,
            },
            BoundsExceeded::Depth => Self::ResultTooDeep { max: depth_max },
        }
    }
}
