//! The sections about tasks: `queue`, `tasks`, `retry` and `concurrency_keys`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::root::DURATION_MS_MAX;

/// Which of two tasks of equal priority leaves the queue first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueueOrder {
    /// The one that was submitted first.
    #[default]
    Fifo,
    /// The one whose deadline comes first; tasks without a deadline come last, in order of
    /// submission.
    EarliestDeadlineFirst,
}

/// The queue of tasks that no agent has taken yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct QueueConfig {
    /// Tasks that may wait; one more is refused with its payload. Default 100_000; 0 to 10_000_000;
    /// 0 refuses every submit, so that only direct delegation works.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub max_tasks: usize,

    /// Each such time of waiting, in milliseconds, lifts a task by one priority level, so that low
    /// priorities do not starve. Default 30_000; 0 to 31_536_000_000; 0 means no ageing.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub ageing_ms: u64,

    /// Which of two tasks of equal priority goes first: `fifo` or `earliest_deadline_first`.
    /// Default `fifo`.
    pub order: QueueOrder,

    /// Whether a task that no registered agent can do is queued instead of refused. Default false.
    pub queue_unroutable: bool,

    /// How long a queued task may wait while no registered agent can do it, in milliseconds; then
    /// it fails. Default 60_000; 0 to 31_536_000_000; 0 lets it wait without limit.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub unroutable_ttl_ms: u64,

    /// Share of each tenant when several wait: one with weight 3 gets three tasks for each task of
    /// one with weight 1. A tenant that is not named has weight 1; each weight is 1 to 1_000_000.
    /// Default empty.
    #[schemars(extend("additionalProperties" = {
        "type": "integer", "format": "uint32", "minimum": 1, "maximum": 1_000_000
    }))]
    pub tenant_weights: BTreeMap<String, u32>,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            max_tasks: 100_000,
            ageing_ms: 30_000,
            order: QueueOrder::Fifo,
            queue_unroutable: false,
            unroutable_ttl_ms: 60_000,
            tenant_weights: BTreeMap::new(),
        }
    }
}

/// Limits of one task: sizes, times, children, and how long its result is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TasksConfig {
    /// Size of a payload as JSON, in bytes, inclusive; a larger one is refused. Default 1_048_576;
    /// 0 to 1_073_741_824; 0 refuses every payload.
    #[schemars(range(min = 0, max = 1_073_741_824))]
    pub payload_bytes_max: usize,

    /// Arrays and objects that a payload may nest, inclusive; a deeper one is refused. Default 64;
    /// 0 to 128; 0 admits only plain values.
    #[schemars(range(min = 0, max = 128))]
    pub payload_depth_max: usize,

    /// Size of a result as JSON, in bytes, inclusive; an attempt with a larger one fails. Default
    /// 1_048_576; 0 to 1_073_741_824; 0 admits no result at all.
    #[schemars(range(min = 0, max = 1_073_741_824))]
    pub result_bytes_max: usize,

    /// Time that one attempt may run, in milliseconds; then it is cancelled and counts as timed
    /// out. A task may ask for less. Default 3_600_000; 0 to 31_536_000_000; 0 means no limit.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub attempt_timeout_ms: u64,

    /// Time that a cancelled attempt has to stop by itself before it is aborted, in milliseconds.
    /// Default 1_000; 0 to 31_536_000_000; 0 aborts at once.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub cancel_grace_ms: u64,

    /// Longest time from submit to deadline, in milliseconds; a later deadline, or none, is cut to
    /// it. Default 0; 0 to 31_536_000_000; 0 means no limit.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub deadline_max_ms: u64,

    /// Finished tasks whose result can still be awaited and whose id is still taken; beyond it the
    /// oldest goes. Default 1_000; 0 to 10_000_000; 0 keeps none, so that only those who already
    /// wait get the result.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub retained_results_max: usize,

    /// How long a finished task is retained, in milliseconds. Default 600_000; 0 to 31_536_000_000;
    /// 0 means no limit by time, so that only `retained_results_max` drops anything.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub result_retention_ms: u64,

    /// Failed and timed-out tasks kept for inspection and replay; beyond it the oldest goes.
    /// Default 1_000; 0 to 10_000_000; 0 keeps none.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub dead_letters_max: usize,

    /// Generations below a task that was submitted from outside; a deeper child is refused. Default
    /// 8; 0 to 1_000; 0 means that agents cannot run children.
    #[schemars(range(min = 0, max = 1_000))]
    pub child_depth_max: u32,

    /// Live children that one task may have; one more is refused. Default 1_000; 0 to 1_000_000; 0
    /// means that agents cannot run children.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub children_max: usize,

    /// Tasks that one task may wait for; more are refused. Default 64; 0 to 10_000; 0 admits no
    /// dependencies.
    #[schemars(range(min = 0, max = 10_000))]
    pub dependencies_max: usize,

    /// Length of a task id, agent id, task type or capability name, in bytes, inclusive. Default
    /// 256; 1 to 256, which is what an id can hold.
    #[schemars(range(min = 1, max = 256))]
    pub id_bytes_max: usize,

    /// Labels that one task or agent may carry. Default 32; 0 to 1_024; 0 admits none.
    #[schemars(range(min = 0, max = 1_024))]
    pub labels_max: usize,

    /// Tasks in one batch call; a larger batch is refused as a whole. Default 10_000; 1 to
    /// 1_000_000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_max: usize,

    /// Progress reports of one task kept for readers that are slow; beyond it the oldest goes.
    /// Default 64; 1 to 65_536.
    #[schemars(range(min = 1, max = 65_536))]
    pub progress_buffer: usize,
}

impl Default for TasksConfig {
    fn default() -> Self {
        Self {
            payload_bytes_max: 1_048_576,
            payload_depth_max: 64,
            result_bytes_max: 1_048_576,
            attempt_timeout_ms: 3_600_000,
            cancel_grace_ms: 1_000,
            deadline_max_ms: 0,
            retained_results_max: 1_000,
            result_retention_ms: 600_000,
            dead_letters_max: 1_000,
            child_depth_max: 8,
            children_max: 1_000,
            dependencies_max: 64,
            id_bytes_max: 256,
            labels_max: 32,
            batch_max: 10_000,
            progress_buffer: 64,
        }
    }
}

/// Repeating a failed attempt; a task may ask for a policy of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RetryConfig {
    /// Attempts of one task, the first included; only errors marked retryable are repeated. Default
    /// 3; 1 to 1_000; 1 means no retry.
    #[schemars(range(min = 1, max = 1_000))]
    pub max_attempts: u32,

    /// Attempts that a policy of a task's own may ask for; a task that asks for more is refused.
    /// Default 100; 1 to 1_000_000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub attempts_max: u32,

    /// Wait before the second attempt, in milliseconds, before jitter. Default 100; 0 to
    /// 31_536_000_000; 0 repeats at once.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub base_delay_ms: u64,

    /// Longest wait before any attempt, in milliseconds; not less than `base_delay_ms`. Default
    /// 30_000; 0 to 31_536_000_000; 0 never waits.
    #[schemars(range(min = 0, max = DURATION_MS_MAX))]
    pub max_delay_ms: u64,

    /// Factor from one wait to the next. Default 2.0; 1 to 100; 1 keeps the wait constant.
    #[schemars(range(min = 1, max = 100))]
    pub multiplier: f64,

    /// Share of each wait that is random: with 0.5 a wait lies between half of it and all of it.
    /// Default 0.5; 0 to 1; 0 means no jitter.
    #[schemars(range(min = 0, max = 1))]
    pub jitter: f64,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            attempts_max: 100,
            base_delay_ms: 100,
            max_delay_ms: 30_000,
            multiplier: 2.0,
            jitter: 0.5,
        }
    }
}

/// Limits shared by all tasks that carry the same concurrency key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ConcurrencyKeysConfig {
    /// Attempts in flight at once for a key whose own `max_in_flight` is unset. Default 1; 1 to
    /// 10_000_000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub default_max_in_flight: u32,

    /// Limits of single keys, by key. Default empty.
    pub keys: BTreeMap<String, KeyLimit>,
}

impl Default for ConcurrencyKeysConfig {
    fn default() -> Self {
        Self {
            default_max_in_flight: 1,
            keys: BTreeMap::new(),
        }
    }
}

/// The limits of one concurrency key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct KeyLimit {
    /// Attempts in flight at once for this key; 1 to 10_000_000. Default unset:
    /// `default_max_in_flight` holds.
    #[schemars(range(min = 1, max = 10_000_000), example = 4)]
    pub max_in_flight: Option<u32>,

    /// Attempts that may start for this key in a second, on average; 0.001 to 1_000_000. Default
    /// unset: no limit.
    #[schemars(range(min = 0.001, max = 1_000_000), example = 2.5)]
    pub rate_per_second: Option<f64>,

    /// Attempts that may start at once after a pause, within the rate; needs `rate_per_second`; 1
    /// to 1_000_000. Default unset: 1.
    #[schemars(range(min = 1, max = 1_000_000), example = 10)]
    pub burst: Option<u32>,
}
