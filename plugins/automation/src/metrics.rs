//! Every metric of the plugin: one enum, so that names and labels are written once.

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};

macro_rules! metrics_table {
    ($($variant:ident $kind:ident $name:literal [$($label:literal)?] $help:literal)+) => {
        /// A metric of the plugin.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AutomationMetric {
            $(#[doc = $help] $variant,)+
        }

        impl AutomationMetric {
            /// All metrics of the plugin.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name that exporters show.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            const fn label(self) -> Option<&'static str> {
                let label: &[&'static str] = match self { $(Self::$variant => &[$($label)?],)+ };
                match label { [label] => Some(label), _ => None }
            }

            const fn is_counter(self) -> bool {
                match self { $(Self::$variant => metrics_table!(@counter $kind),)+ }
            }

            const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }
        }
    };
    (@counter counter) => { true };
    (@counter gauge) => { false };
}

metrics_table! {
    Sleeps counter "orchestrator_automation_sleeps_total" ["reason"] "Agents put to sleep, by reason."
    Wakes counter "orchestrator_automation_wakes_total" ["cause"] "Agents woken, by cause."
    Sleeping gauge "orchestrator_automation_sleeping" [] "Agents that this plugin keeps asleep now."
    BreakerOpenings counter "orchestrator_automation_breaker_openings_total" [] "Openings of breakers of task types."
    BreakersOpen gauge "orchestrator_automation_breakers_open" [] "Breakers of task types that are not closed now."
    Shed counter "orchestrator_automation_shed_total" ["priority"] "Tasks refused with the code `shed`, by priority."
    PlansOpened counter "orchestrator_automation_plans_opened_total" ["severity"] "Recovery plans opened, by severity."
    PlansClosed counter "orchestrator_automation_plans_closed_total" ["state"] "Recovery plans closed, by what came of them."
    Steps counter "orchestrator_automation_steps_total" ["tier"] "Steps of recovery plans that were taken, by tier."
    Decisions gauge "orchestrator_automation_decisions_pending" [] "Questions that wait for a human now."
    Rules counter "orchestrator_automation_rules_total" ["outcome"] "Rules whose conditions held, by outcome."
    Scalings counter "orchestrator_automation_scalings_total" ["direction"] "Agents of groups created, taken out or not created."
    ConcurrencyChanges counter "orchestrator_automation_concurrency_changes_total" ["direction"] "Changes of an agent's concurrency."
    Dropped counter "orchestrator_automation_dropped_total" ["what"] "What found no room within its limit, by kind."
}

/// Writes to the orchestrator's recorder. What is counted here is rare, so handles are looked up.
pub(crate) struct Metrics(std::sync::Arc<dyn Recorder + Send + Sync>);

impl Metrics {
    pub(crate) fn new(recorder: std::sync::Arc<dyn Recorder + Send + Sync>) -> Self {
        for metric in AutomationMetric::ALL {
            let name = KeyName::from_const_str(metric.as_str());
            let help = SharedString::const_str(metric.help());
            if metric.is_counter() {
                recorder.describe_counter(name, Some(Unit::Count), help);
            } else {
                recorder.describe_gauge(name, None, help);
            }
        }
        Self(recorder)
    }

    const fn about() -> Metadata<'static> {
        Metadata::new("universal_orchestrator_automation", Level::INFO, None)
    }

    /// Counts one. The label is a name out of a closed set, never that of an agent or a task.
    pub(crate) fn count(&self, metric: AutomationMetric, label: &'static str) {
        let key = match metric.label() {
            Some(name) => Key::from_parts(metric.as_str(), vec![Label::new(name, label)]),
            None => Key::from_name(metric.as_str()),
        };
        let counter = self.0.register_counter(&key, &Self::about());
        counter.increment(1);
    }

    pub(crate) fn set(&self, metric: AutomationMetric, value: usize) {
        let key = Key::from_name(metric.as_str());
        let gauge = self.0.register_gauge(&key, &Self::about());
        gauge.set(value as f64);
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_house_pattern() {
        for metric in AutomationMetric::ALL {
            let name = metric.as_str();
            assert!(name.starts_with("orchestrator_automation_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.is_counter(), "{name}");
        }
    }
}
