//! The timeline, from data only: when each node left its usual range, when it was noticed, and when it was over.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Case, Fact, FactKind, Observation};
use crate::hypothesis::{Course, DEVIATION_CLEAR, course};
use crate::ranking::Evidence;
use crate::telemetry::Metric;

/// Entries of a timeline at most.
pub const TIMELINE_MAX: usize = 60;

/// One moment of the incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimelineEntry {
    /// When, in seconds since 1970.
    pub at: f64,
    /// What kind of moment it is.
    pub event: TimelineEvent,
    /// The node.
    pub node: String,
    /// What happened, for people.
    pub text: String,
}

/// A kind of moment.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimelineEvent {
    /// Something that was read has this time.
    Fact,
    /// The symptom began.
    Onset,
    /// A node left its usual range.
    Propagation,
    /// The change of the symptom was certain.
    Detectable,
    /// It was noticed, as the target says.
    Noticed,
    /// The symptom was over.
    Recovery,
    /// The record ends and the symptom is not over.
    NotRecovered,
}

impl fmt::Display for TimelineEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fact => "fact",
            Self::Onset => "onset",
            Self::Propagation => "propagation",
            Self::Detectable => "detectable",
            Self::Noticed => "noticed",
            Self::Recovery => "recovery",
            Self::NotRecovered => "not recovered",
        })
    }
}

/// The entries in order of time, and the course of the symptom.
pub(crate) fn timeline(
    case: &Case,
    evidence: &Evidence,
    facts: &[Fact],
) -> (Vec<TimelineEntry>, Option<Course>) {
    let mut entries: Vec<TimelineEntry> = facts.iter().filter_map(of_fact).collect();
    let mut symptom = None;
    if let Some((target, metric)) = case.symptom_at() {
        symptom = evidence.in_metric(metric)[target]
            .as_ref()
            .and_then(|observation| course(case, observation));
        if let Some(course) = symptom {
            entries.extend(of_symptom(case, target, metric, course));
        }
        for place in (0..case.nodes.len()).filter(|place| *place != target) {
            entries.extend(of_node(case, evidence, place));
        }
        let noticed = case.incident.target.as_ref().and_then(|target| target.at);
        entries.extend(noticed.map(|at| TimelineEntry {
            at,
            event: TimelineEvent::Noticed,
            node: case.nodes[target].to_string(),
            text: "it was noticed".to_owned(),
        }));
    }
    entries.sort_by(|a, b| {
        a.at.total_cmp(&b.at)
            .then_with(|| a.event.cmp(&b.event))
            .then_with(|| a.node.cmp(&b.node))
            .then_with(|| a.text.cmp(&b.text))
    });
    entries.truncate(TIMELINE_MAX);
    (entries, symptom)
}

/// Facts of series have no moment of their own: the series' own change is in the timeline.
fn of_fact(fact: &Fact) -> Option<TimelineEntry> {
    if matches!(
        fact.kind,
        FactKind::Saturation { .. } | FactKind::Threshold { .. }
    ) {
        return None;
    }
    Some(TimelineEntry {
        at: fact.at?.from,
        event: TimelineEvent::Fact,
        node: fact.node.clone(),
        text: fact.text.clone(),
    })
}

fn of_symptom(case: &Case, target: usize, metric: Metric, course: Course) -> Vec<TimelineEntry> {
    let telemetry = &case.incident.telemetry;
    let (starts, step) = (telemetry.starts(), telemetry.step().unwrap_or(0.0));
    let entry = |at, event, text: String| TimelineEntry {
        at,
        event,
        node: case.nodes[target].to_string(),
        text,
    };
    let end = match course.recovery {
        Some(row) => entry(
            starts[row],
            TimelineEvent::Recovery,
            format!("{metric} is as usual again"),
        ),
        None => entry(
            starts.last().copied().unwrap_or(0.0) + step,
            TimelineEvent::NotRecovered,
            format!("the record ends, {metric} is not as usual"),
        ),
    };
    vec![
        entry(
            starts[course.onset],
            TimelineEvent::Onset,
            format!("{metric} leaves its usual range"),
        ),
        entry(
            starts[course.alarm] + step,
            TimelineEvent::Detectable,
            format!("the change of {metric} is certain"),
        ),
        end,
    ]
}

/// The first change of a node that clearly deviates.
fn of_node(case: &Case, evidence: &Evidence, place: usize) -> Option<TimelineEntry> {
    let observed = [Metric::Latency, Metric::Availability]
        .into_iter()
        .filter_map(|metric| evidence.in_metric(metric)[place].as_ref())
        .filter(|observation| observation.deviation >= DEVIATION_CLEAR);
    let changed = |observation: &Observation| {
        let course = course(case, observation)?;
        Some((course.onset, observation.metric))
    };
    let (onset, metric) = observed.filter_map(changed).min()?;
    Some(TimelineEntry {
        at: case.incident.telemetry.starts()[onset],
        event: TimelineEvent::Propagation,
        node: case.nodes[place].to_string(),
        text: format!("{metric} leaves its usual range"),
    })
}
