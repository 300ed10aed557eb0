//! The values that rules, trends and the history look at.

use serde::{Deserialize, Serialize};

use crate::snapshot::{Figures, PerformanceSnapshot};

/// One agent, task type or capability.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// An agent, by its id.
    Agent(String),
    /// A task type.
    TaskType(String),
    /// A capability that tasks require.
    Capability(String),
}

impl Scope {
    /// What it is, in words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Agent(_) => "agent",
            Self::TaskType(_) => "task type",
            Self::Capability(_) => "capability",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Agent(name) | Self::TaskType(name) | Self::Capability(name) => name,
        }
    }
}

macro_rules! signals {
    ($($variant:ident $name:literal $doc:literal)+) => {
        /// A value that is measured once an interval.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Signal {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)+
        }

        impl Signal {
            /// All signals.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

signals! {
    CpuPercent "cpu_percent" "Use of the host's processors, all together."
    MemoryPercent "memory_percent" "Use of the host's memory."
    DiskPercent "disk_percent" "Use of the fullest disk that can be written to."
    LoadPerCore "load_per_core" "Load average of one minute, divided by the processors."
    ProcessCpuPercent "process_cpu_percent" "Share of the host's processors that this process uses."
    ProcessMemoryMb "process_memory_mb" "Resident memory of this process, in millions of bytes."
    RegistrationP95Ms "registration_p95_ms" "95th percentile of the time of a registration, in the window."
    DelegationP95Ms "delegation_p95_ms" "95th percentile of the time of a `delegate_task` call, in the window."
    QueueWaitP95Ms "queue_wait_p95_ms" "95th percentile of the time from acceptance to the first binding, in the window."
    ExecutionP50Ms "execution_p50_ms" "Median of the time from assignment to the end, in the window."
    ExecutionP95Ms "execution_p95_ms" "95th percentile of the same."
    ExecutionP99Ms "execution_p99_ms" "99th percentile of the same."
    ErrorRatePercent "error_rate_percent" "Failed and timed-out share of the tasks that ended in the window; unknown before `judged_from` have."
    ThroughputPerSecond "throughput_per_second" "Tasks that succeeded, failed or timed out, per second; unknown while there is no work."
    QueueReady "queue_ready" "Tasks that are ready and wait for an agent."
    WaitingWithoutAgent "waiting_without_agent" "Ready tasks while no agent is available; 0 while one is."
    AgentsActive "agents_active" "Agents that may take work."
    Bottlenecks "bottlenecks" "Bottlenecks found."
    Regressions "regressions" "Regressions against the baseline; unknown without one."
}

impl Signal {
    /// Whether it exists for one of a kind and not only for all together.
    #[must_use]
    pub const fn is_measured_of(self, scope: &Scope) -> bool {
        match self {
            Self::ExecutionP50Ms
            | Self::ExecutionP95Ms
            | Self::ExecutionP99Ms
            | Self::ErrorRatePercent
            | Self::ThroughputPerSecond => true,
            Self::QueueWaitP95Ms => !matches!(scope, Scope::Agent(_)),
            _ => false,
        }
    }

    fn of_figures(self, figures: &Figures, judged_from: u64) -> Option<f64> {
        match self {
            Self::QueueWaitP95Ms => figures.queue_wait.known().map(|l| l.p95_ms),
            Self::ExecutionP50Ms => figures.execution.known().map(|l| l.p50_ms),
            Self::ExecutionP95Ms => figures.execution.known().map(|l| l.p95_ms),
            Self::ExecutionP99Ms => figures.execution.known().map(|l| l.p99_ms),
            Self::ErrorRatePercent => figures
                .error_rate_percent
                .filter(|_| figures.ended() >= judged_from),
            Self::ThroughputPerSecond => Some(figures.throughput_per_second),
            _ => None,
        }
    }

    /// Its value in a snapshot; `None` when it is not known.
    #[must_use]
    pub fn value(self, snapshot: &PerformanceSnapshot, only: Option<&Scope>) -> Option<f64> {
        let judged_from = snapshot.judged_from;
        if let Some(scope) = only {
            return self.of_figures(snapshot.figures(scope)?, judged_from);
        }
        let machine = snapshot.machine.as_ref();
        let number = |n: usize| Some(n as f64);
        match self {
            Self::CpuPercent => machine?.cpu_percent,
            Self::MemoryPercent => machine?.memory_percent,
            Self::DiskPercent => machine?.disk_percent,
            Self::LoadPerCore => machine?.load_per_core(),
            Self::ProcessCpuPercent => machine?.process_cpu_percent,
            Self::ProcessMemoryMb => machine?.process_memory_bytes.map(|b| b as f64 / 1e6),
            Self::RegistrationP95Ms => snapshot.registration.known().map(|l| l.p95_ms),
            Self::DelegationP95Ms => snapshot.delegation.known().map(|l| l.p95_ms),
            Self::ThroughputPerSecond if snapshot.is_idle() => None,
            Self::QueueReady => number(snapshot.queue.ready),
            Self::WaitingWithoutAgent => match snapshot.agents_active {
                0 => number(snapshot.queue.ready),
                _ => Some(0.0),
            },
            Self::AgentsActive => number(snapshot.agents_active),
            Self::Bottlenecks => number(snapshot.bottlenecks.len()),
            Self::Regressions => number(snapshot.regressions.as_ref()?.len()),
            _ => self.of_figures(&snapshot.overall, judged_from),
        }
    }
}
