//! Events: what was changed shortly before the onset, at the target or at something that it needs.

use super::{Depth, Examine};
use crate::events::{ChangeKind, Event};
use crate::evidence::weights::{CHANGE, CHANGE_OF_OPERATION, CHANGE_OTHER, NEUTRAL};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Source, Span, Unknown};

/// Seconds after which a change says only 37 % of what it said at once: half an hour. Changes show soon or hardly.
const FADES_IN: f64 = 1_800.0;
/// Changes longer before the onset are passed over: a day.
const BEFORE_MAX: f64 = 86_400.0;
/// Facts of one node at most, the nearest to the onset.
const FACTS_OF_NODE_MAX: usize = 20;
/// Nearer than a minute counts as a minute: times are not more exact than that.
const NEAREST: f64 = 60.0;

/// What was changed.
pub(super) struct Events;

impl Examine for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn capability(&self) -> &'static str {
        "investigate.events"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        let events = case.incident.events.iter();
        let mut nodes: Vec<usize> = events.filter_map(|event| case.place(&event.node)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        let reached = case.target.map(|target| case.topology.distances(target));
        for node in nodes {
            let name = &case.nodes[*node];
            let Some(onset) = case.onset() else {
                findings.unknown.push(Unknown {
                    node: name.to_string(),
                    what: "changes".to_owned(),
                    reason: "the time of the onset is not known, so nothing is shortly before it"
                        .to_owned(),
                });
                continue;
            };
            let of_node: Vec<&Event> = case
                .incident
                .events
                .iter()
                .filter(|event| *event.node == **name)
                .collect();
            let mut near: Vec<&Event> = of_node.clone();
            near.retain(|event| onset - event.at <= BEFORE_MAX);
            near.sort_by(|a, b| (onset - a.at).abs().total_cmp(&(onset - b.at).abs()));
            near.truncate(FACTS_OF_NODE_MAX);
            let needed = reached
                .as_ref()
                .is_none_or(|reached| reached[*node].is_some());
            for event in near {
                findings.facts.push(fact(event, &of_node, onset, needed));
            }
        }
    }
}

fn fact(event: &Event, of_node: &[&Event], onset: f64, needed: bool) -> Fact {
    let before = onset - event.at;
    let (weight, when) = if before < 0.0 {
        (NEUTRAL, format!("{:.0} s after the onset", -before))
    } else if needed {
        (
            weight(event, of_node, onset),
            format!("{before:.0} s before the onset"),
        )
    } else {
        (
            NEUTRAL,
            format!("{before:.0} s before the onset, but the target does not need it"),
        )
    };
    Fact {
        node: event.node.clone(),
        kind: FactKind::Change {
            change: event.kind,
            seconds_before_onset: before,
        },
        category: match event.kind {
            ChangeKind::Deployment => Category::Deployment,
            ChangeKind::Configuration | ChangeKind::FeatureFlag => Category::Configuration,
            _ => Category::Unknown,
        },
        weight,
        at: Some(Span::moment(event.at)),
        text: format!("{} {when}: {}", event.kind, event.text),
        source: Source::new("events", event.location.clone()),
    }
}

/// What its kind weighs at most, less the longer ago it was, and never more than its own rarity: a node that is
/// deployed every few minutes was deployed before anything. The rarity is the probability that at least one change of
/// this kind falls into the time before the onset by chance, for a Poisson process of their rate until then.
fn weight(event: &Event, of_node: &[&Event], onset: f64) -> f64 {
    let most = match event.kind {
        ChangeKind::Deployment | ChangeKind::Configuration | ChangeKind::FeatureFlag => CHANGE,
        ChangeKind::Scaling | ChangeKind::Restart => CHANGE_OF_OPERATION,
        _ => CHANGE_OTHER,
    };
    let before = (onset - event.at).max(NEAREST);
    let faded = most * (-before / FADES_IN).exp();
    let alike: Vec<f64> = of_node
        .iter()
        .filter(|other| other.kind == event.kind && other.at <= onset)
        .map(|other| other.at)
        .collect();
    let first = alike.iter().copied().fold(f64::INFINITY, f64::min);
    if alike.len() < 2 || first >= event.at {
        return faded;
    }
    let rate = (alike.len() - 1) as f64 / (onset - first);
    let by_chance = 1.0 - (-rate * before).exp();
    faded.min(-by_chance.ln()).max(NEUTRAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::CallGraph;
    use crate::incident::{Incident, Target};
    use crate::telemetry::Signal;

    const ONSET: f64 = 1_795_293_000.0;

    fn event(node: &str, kind: ChangeKind, before: f64) -> Event {
        Event {
            at: ONSET - before,
            node: node.to_owned(),
            kind,
            text: "v2".to_owned(),
            location: "events.csv:2".to_owned(),
        }
    }

    fn weights(events: Vec<Event>) -> Vec<f64> {
        let mut graph = CallGraph::new();
        graph.add_call("shop", "ledger");
        graph.add_call("batch", "ledger");
        let case = Case::of(Incident {
            target: Some(Target {
                node: "shop".into(),
                signal: Signal::LatencyAverage,
                at: Some(ONSET),
            }),
            graph,
            events,
            ..Incident::default()
        });
        let facts = Events.examine_all(&case).facts;
        facts.iter().map(|fact| fact.weight).collect()
    }

    #[test]
    fn a_change_says_less_the_longer_ago_it_was() {
        let deployed = |before: f64| weights(vec![event("ledger", ChangeKind::Deployment, before)]);
        let [now, soon, later] = [30.0, 600.0, 7_200.0].map(|before| deployed(before)[0]);
        assert!(
            now > 3.8 && now > soon && soon > later && later > 0.0,
            "{now} {soon} {later}"
        );
        assert!(deployed(90_000.0).is_empty());
        let restarted = weights(vec![event("ledger", ChangeKind::Restart, 30.0)]);
        assert!(restarted[0] < now);
    }

    #[test]
    fn nothing_after_the_onset_supports() {
        assert_eq!(
            weights(vec![event("ledger", ChangeKind::Deployment, -1.0)]),
            [NEUTRAL]
        );
    }

    #[test]
    fn a_change_of_what_the_target_does_not_need_is_neutral() {
        assert_eq!(
            weights(vec![event("batch", ChangeKind::Deployment, 60.0)]),
            [NEUTRAL]
        );
    }

    #[test]
    fn a_node_that_changes_all_the_time_says_little() {
        let every_ten_minutes: Vec<Event> = (0..100)
            .map(|n| {
                event(
                    "ledger",
                    ChangeKind::Deployment,
                    300.0 + 600.0 * f64::from(n),
                )
            })
            .collect();
        let nearest = weights(every_ten_minutes)[0];
        assert!(nearest > 0.0 && nearest < 1.0, "{nearest}");
    }
}
