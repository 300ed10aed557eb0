//! Every metric of the core: one enum, so that names, kinds and labels are written once.

use std::fmt::Write as _;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};

mod fanout;

pub(crate) use fanout::{ProcessRecorder, SharedRecorder, fan_out};

use crate::task::TaskState;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! metrics_table {
    ($($variant:ident $kind:ident $name:literal [$($label:literal)?] $help:literal)+) => {
        /// A metric of the core.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MetricName {
            $(#[doc = $help] $variant,)+
        }

        impl MetricName {
            /// All metrics of the core.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name that exporters show.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            const fn label(self) -> Option<&'static str> {
                let label: &[&'static str] = match self { $(Self::$variant => &[$($label)?],)+ };
                match label { [label] => Some(label), _ => None }
            }

            const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }
        }
    };
}

metrics_table! {
    AgentsRegistered Counter "orchestrator_agents_registered_total" [] "Agents registered."
    AgentsDeregistered Counter "orchestrator_agents_deregistered_total" [] "Agents deregistered."
    TasksAccepted Counter "orchestrator_tasks_accepted_total" [] "Tasks accepted through any door."
    TasksRefused Counter "orchestrator_tasks_refused_total" ["reason"] "Tasks refused, by reason."
    TasksFinished Counter "orchestrator_tasks_finished_total" ["state"] "Tasks that ended, by terminal state."
    Delegations Counter "orchestrator_delegations_total" [] "Attempts bound to an agent."
    Retries Counter "orchestrator_retries_total" [] "Attempts that failed and are followed by another."
    ReportsRefused Counter "orchestrator_reports_refused_total" [] "Reports refused as duplicate, stale or from a stranger."
    LeasesLost Counter "orchestrator_leases_lost_total" [] "Attempts lost because a lease or heartbeat ran out, or the agent left."
    HookFaults Counter "orchestrator_hook_faults_total" ["plugin"] "Hooks that failed, panicked or overran their limit."
    HookVetoes Counter "orchestrator_hook_vetoes_total" ["plugin"] "Vetoes."
    ControlDropped Counter "orchestrator_control_dropped_total" [] "Commands of plugins dropped because their queue was full."
    TargetsExceeded Counter "orchestrator_targets_exceeded_total" ["target"] "Targets (`max_*`) found exceeded."
    EventsLagged Counter "orchestrator_events_lagged_total" [] "Events that slow listeners missed."
    Agents Gauge "orchestrator_agents" [] "Agents registered now."
    TasksQueued Gauge "orchestrator_tasks_queued" [] "Tasks queued now."
    TasksInFlight Gauge "orchestrator_tasks_in_flight" [] "Tasks assigned or running now."
    Zombies Gauge "orchestrator_zombies" [] "Slots held by attempts that are over and could not be stopped yet."
    DeadLetters Gauge "orchestrator_dead_letters" [] "Dead letters held now."
    ProcessMemory Gauge "orchestrator_process_memory_bytes" [] "Resident memory of this process."
    TaskDuration Histogram "orchestrator_task_duration_seconds" [] "From assignment to the end of a task."
    QueueWait Histogram "orchestrator_queue_wait_seconds" [] "From acceptance to assignment of a queued task."
    RegistrationDuration Histogram "orchestrator_registration_duration_seconds" [] "Time of a register_agent call."
    DelegationDuration Histogram "orchestrator_delegation_duration_seconds" [] "Time of a delegate_task call; one in sixteen of those without hooks is timed."
}

impl MetricName {
    const fn metadata() -> Metadata<'static> {
        Metadata::new("universal_orchestrator", Level::INFO, Some(module_path!()))
    }

    fn key(self, label: Option<&str>) -> Key {
        match (self.label(), label) {
            (Some(name), Some(value)) => Key::from_parts(
                self.as_str(),
                vec![Label::new(name, SharedString::from(value.to_owned()))],
            ),
            _ => Key::from_name(self.as_str()),
        }
    }
}

/// The page docs/metrics.md.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from `crates/universal-orchestrator/src/metrics.rs` by `cargo xtask gen`.\n\n\
         The core emits through the `metrics` facade and installs no exporter.\n\
         Install a recorder before the orchestrator is built, or hand one to the builder.\n\
         No label ever holds an agent id or a task id.\n\n\
         | name | kind | label | meaning |\n|---|---|---|---|\n",
    );
    for metric in MetricName::ALL {
        let label = metric
            .label()
            .map_or_else(String::new, |l| format!("`{l}`"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {label} | {} |",
            metric.as_str(),
            format!("{:?}", metric.kind()).to_lowercase(),
            metric.help()
        );
    }
    page
}

/// Handles, fetched once.
pub(crate) struct Metrics {
    pub(crate) recorder: SharedRecorder,
    pub(crate) agents_registered: Counter,
    pub(crate) agents_deregistered: Counter,
    pub(crate) tasks_accepted: Counter,
    finished: [Counter; 8],
    pub(crate) delegations: Counter,
    pub(crate) retries: Counter,
    pub(crate) reports_refused: Counter,
    pub(crate) leases_lost: Counter,
    pub(crate) control_dropped: Counter,
    pub(crate) events_lagged: Counter,
    pub(crate) agents: Gauge,
    pub(crate) tasks_queued: Gauge,
    pub(crate) tasks_in_flight: Gauge,
    pub(crate) zombies: Gauge,
    pub(crate) dead_letters: Gauge,
    pub(crate) process_memory: Gauge,
    pub(crate) task_duration: Histogram,
    pub(crate) queue_wait: Histogram,
    pub(crate) registration_duration: Histogram,
    pub(crate) delegation_duration: Histogram,
}

impl Metrics {
    pub(crate) fn new(recorder: SharedRecorder) -> Self {
        describe(&recorder);
        let about = MetricName::metadata();
        let counter = |name: MetricName, label| recorder.register_counter(&name.key(label), &about);
        let gauge = |name: MetricName| recorder.register_gauge(&name.key(None), &about);
        let histogram = |name: MetricName| recorder.register_histogram(&name.key(None), &about);
        use MetricName as N;
        Self {
            agents_registered: counter(N::AgentsRegistered, None),
            agents_deregistered: counter(N::AgentsDeregistered, None),
            tasks_accepted: counter(N::TasksAccepted, None),
            finished: TaskState::ALL.map(|s| {
                if s.is_terminal() {
                    counter(N::TasksFinished, Some(s.as_str()))
                } else {
                    Counter::noop()
                }
            }),
            delegations: counter(N::Delegations, None),
            retries: counter(N::Retries, None),
            reports_refused: counter(N::ReportsRefused, None),
            leases_lost: counter(N::LeasesLost, None),
            control_dropped: counter(N::ControlDropped, None),
            events_lagged: counter(N::EventsLagged, None),
            agents: gauge(N::Agents),
            tasks_queued: gauge(N::TasksQueued),
            tasks_in_flight: gauge(N::TasksInFlight),
            zombies: gauge(N::Zombies),
            dead_letters: gauge(N::DeadLetters),
            process_memory: gauge(N::ProcessMemory),
            task_duration: histogram(N::TaskDuration),
            queue_wait: histogram(N::QueueWait),
            registration_duration: histogram(N::RegistrationDuration),
            delegation_duration: histogram(N::DelegationDuration),
            recorder,
        }
    }

    pub(crate) fn finished(&self, state: TaskState) -> &Counter {
        &self.finished[state as usize]
    }

    /// A counter with a label, looked up: for what is rare.
    pub(crate) fn count(&self, name: MetricName, label: &str) {
        self.recorder
            .register_counter(&name.key(Some(label)), &MetricName::metadata())
            .increment(1);
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn describe(recorder: &SharedRecorder) {
    for metric in MetricName::ALL {
        let name = KeyName::from_const_str(metric.as_str());
        let help = SharedString::const_str(metric.help());
        match metric.kind() {
            Kind::Counter => recorder.describe_counter(name, Some(Unit::Count), help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, Some(Unit::Seconds), help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_house_pattern() {
        for metric in MetricName::ALL {
            let name = metric.as_str();
            assert!(name.starts_with("orchestrator_"), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind() == Kind::Counter,
                "{name}"
            );
        }
    }
}
