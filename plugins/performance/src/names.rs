//! The plugin's own metrics: names, kinds and labels are written once.

use std::sync::Arc;

use hashbrown::HashMap;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};

use crate::snapshot::OTHER;

macro_rules! metrics_table {
    ($($variant:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)+) => {
        /// A metric of this plugin.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MetricName {
            $(#[doc = $help] $variant,)+
        }

        impl MetricName {
            /// All metrics of this plugin.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name that exporters show.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Its labels.
            #[must_use]
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($label),*],)+ }
            }

            fn describe(self, recorder: &SharedRecorder) {
                let name = KeyName::from_const_str(self.as_str());
                match self { $(Self::$variant => metrics_table!(@describe $kind recorder, name, $help),)+ }
            }
        }
    };
    (@describe Counter $recorder:ident, $name:ident, $help:literal) => {
        $recorder.describe_counter($name, Some(Unit::Count), SharedString::const_str($help))
    };
    (@describe Gauge $recorder:ident, $name:ident, $help:literal) => {
        $recorder.describe_gauge($name, None, SharedString::const_str($help))
    };
    (@describe Histogram $recorder:ident, $name:ident, $help:literal) => {
        $recorder.describe_histogram($name, Some(Unit::Seconds), SharedString::const_str($help))
    };
}

metrics_table! {
    Execution Histogram "orchestrator_performance_execution_seconds" ["task_type"] "From assignment to the end, of tasks that succeeded, failed or timed out."
    QueueWait Histogram "orchestrator_performance_queue_wait_seconds" ["capability"] "From acceptance to the first binding, by required capability."
    Tasks Counter "orchestrator_performance_tasks_total" ["task_type", "outcome"] "Tasks that ended."
    Retries Counter "orchestrator_performance_retries_total" ["task_type"] "Attempts that failed and were followed by another."
    CapabilityBusy Gauge "orchestrator_performance_capability_busy_ratio" ["capability"] "Share of the slots of the capability's agents that was used in the window."
    CpuBusy Gauge "orchestrator_performance_cpu_busy_ratio" [] "Use of the host's processors."
    MemoryUsed Gauge "orchestrator_performance_memory_used_ratio" [] "Use of the host's memory."
    DiskUsed Gauge "orchestrator_performance_disk_used_ratio" [] "Use of the fullest disk that can be written to."
    Load Gauge "orchestrator_performance_load_one" [] "Load average of one minute."
    ProcessCpu Gauge "orchestrator_performance_process_cpu_busy_ratio" [] "This process's share of the host's processors."
    NetworkReceived Counter "orchestrator_performance_network_received_bytes_total" [] "Received on all interfaces but loopback."
    NetworkSent Counter "orchestrator_performance_network_sent_bytes_total" [] "Sent on all interfaces but loopback."
    AlertsFiring Gauge "orchestrator_performance_alerts_firing" ["severity"] "Alerts that fire, acknowledged or not."
    AlertsTold Counter "orchestrator_performance_alert_notices_total" ["rule"] "Notices that an alert fires."
    Bottlenecks Gauge "orchestrator_performance_bottlenecks" [] "Bottlenecks found."
    Regressions Gauge "orchestrator_performance_regressions" [] "Regressions against the baseline."
    Samples Counter "orchestrator_performance_samples_total" [] "Readings of the machine."
    SamplesSkipped Counter "orchestrator_performance_samples_skipped_total" [] "Readings left out because the one before was still under way."
    Untracked Counter "orchestrator_performance_untracked_total" [] "Observations counted as `other`, because `tracked_max` series were taken."
}

impl MetricName {
    fn key(self, values: &[&str]) -> Key {
        let labels: Vec<Label> = self
            .labels()
            .iter()
            .zip(values)
            .map(|(name, value)| Label::new(*name, SharedString::from((*value).to_owned())))
            .collect();
        Key::from_parts(self.as_str(), labels)
    }

    const fn metadata() -> Metadata<'static> {
        Metadata::new("universal_orchestrator_performance", Level::INFO, None)
    }
}

/// A recorder that somebody else holds too.
pub(crate) type SharedRecorder = Arc<dyn Recorder + Send + Sync>;

/// The first so many names get a label value of their own for ever: series of an exporter never go away.
#[derive(Debug)]
struct LabelValues {
    known: HashMap<String, ()>,
    max: usize,
}

impl LabelValues {
    fn value<'a>(&mut self, name: &'a str) -> &'a str {
        if self.known.contains_key(name) {
            return name;
        }
        if self.known.len() >= self.max {
            return OTHER;
        }
        self.known.insert(name.to_owned(), ());
        name
    }
}

/// The plugin's metrics, written by its background task.
pub(crate) struct OwnMetrics {
    recorder: SharedRecorder,
    task_types: LabelValues,
    capabilities: LabelValues,
}

impl OwnMetrics {
    pub(crate) fn new(recorder: SharedRecorder, tracked_max: usize) -> Self {
        for name in MetricName::ALL {
            name.describe(&recorder);
        }
        let values = || LabelValues {
            known: HashMap::new(),
            max: tracked_max,
        };
        Self {
            recorder,
            task_types: values(),
            capabilities: values(),
        }
    }

    pub(crate) fn task_type<'a>(&mut self, name: &'a str) -> &'a str {
        self.task_types.value(name)
    }

    pub(crate) fn capability<'a>(&mut self, name: &'a str) -> &'a str {
        self.capabilities.value(name)
    }

    pub(crate) fn counter(&self, name: MetricName, labels: &[&str]) -> Counter {
        self.recorder
            .register_counter(&name.key(labels), &MetricName::metadata())
    }

    pub(crate) fn gauge(&self, name: MetricName, labels: &[&str]) -> Gauge {
        self.recorder
            .register_gauge(&name.key(labels), &MetricName::metadata())
    }

    pub(crate) fn histogram(&self, name: MetricName, labels: &[&str]) -> Histogram {
        self.recorder
            .register_histogram(&name.key(labels), &MetricName::metadata())
    }
}

impl std::fmt::Debug for OwnMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnMetrics").finish_non_exhaustive()
    }
}
