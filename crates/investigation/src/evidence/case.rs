//! An incident made ready for the specialists: nodes in one order, rows sorted into before and telling.

use std::sync::Arc;

use super::symptom::{Symptom, mean};
use crate::graph::Topology;
use crate::incident::Incident;
use crate::logs::LogSummary;
use crate::resource::{Resource, ResourceKind};
use crate::telemetry::{Metric, Signal};

/// What every specialist reads. It is shared and never changes.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) incident: Incident,
    /// All nodes of graph and metrics, by name, so that the order of columns does not matter.
    pub(crate) nodes: Vec<Arc<str>>,
    /// The place in `nodes` of each resource of the incident.
    pub(crate) resources: Vec<usize>,
    /// The kind of each resource.
    kinds: Vec<ResourceKind>,
    pub(crate) topology: Topology,
    /// The target's place in `nodes`, when there is a target.
    pub(crate) target: Option<usize>,
    /// Where distances are counted from: the target, or else the node at which all traces begin, if it is one.
    pub(crate) entry: Option<usize>,
    /// Rows that end before the onset.
    pub(crate) before: Vec<usize>,
    /// All other rows.
    pub(crate) after: Vec<usize>,
    /// Rows after it in which the target's symptom is strongest.
    pub(crate) telling: Vec<usize>,
    pub(crate) symptom: Option<Symptom>,
}

impl Case {
    pub(crate) fn of(mut incident: Incident) -> Self {
        let resources = incident.connect();
        let mut nodes: Vec<Arc<str>> = incident
            .graph
            .nodes()
            .chain(incident.telemetry.nodes())
            .chain(incident.target.iter().map(|target| &target.node))
            .cloned()
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        add_nodes_of_logs_and_events(&mut nodes, &incident);
        let target = incident.target.as_ref();
        let target = target.map(|target| nodes.partition_point(|node| *node < target.node));
        let topology = Topology::of(&incident.graph, &nodes);
        let before = rows_before(&incident);
        let rows = incident.telemetry.starts().len();
        // `before` is ascending: it holds the first rows.
        let after: Vec<usize> = (before.len()..rows).collect();
        let (symptom, telling) = Symptom::of(&incident, &before, &after);
        let place = |name: &Arc<str>| nodes.partition_point(|node| node < name);
        let resources: Vec<usize> = resources.iter().map(place).collect();
        let kinds = incident
            .resources
            .resources()
            .iter()
            .map(Resource::kind)
            .collect();
        Self {
            entry: target.or_else(|| entry_of_traces(&incident, &resources)),
            resources,
            kinds,
            incident,
            nodes,
            topology,
            target,
            before,
            after,
            telling,
            symptom,
        }
    }

    /// When the incident was noticed or began, in seconds since 1970, if known.
    pub(crate) fn onset(&self) -> Option<f64> {
        self.incident.target.as_ref()?.at
    }

    /// The node whose log it is: the one that the file is named for, or the service that the lines name, whichever
    /// is a node of anything else.
    pub(crate) fn node_of_log(&self, log: &LogSummary) -> Option<usize> {
        let service = log.service().and_then(|service| self.place(service));
        self.place(log.node()).or(service)
    }

    /// The node's place in `nodes`.
    pub(crate) fn place(&self, node: &str) -> Option<usize> {
        self.nodes.binary_search_by(|name| (**name).cmp(node)).ok()
    }

    /// The resources at a node.
    pub(crate) fn resources_at(&self, node: usize) -> impl Iterator<Item = &Resource> {
        let all = self
            .resources
            .iter()
            .zip(self.incident.resources.resources());
        all.filter_map(move |(at, resource)| (*at == node).then_some(resource))
    }

    /// The nodes of all resources of a kind, ascending.
    pub(crate) fn nodes_of_kind(&self, kind: ResourceKind) -> Vec<usize> {
        let all = self.resources.iter().zip(&self.kinds);
        let mut nodes: Vec<usize> = all
            .filter_map(|(at, own)| (*own == kind).then_some(*at))
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// The nodes whose telemetry has one of `signals`.
    pub(crate) fn nodes_with(&self, signals: &[Signal]) -> Vec<usize> {
        let telemetry = &self.incident.telemetry;
        let has = |node: &Arc<str>| {
            signals
                .iter()
                .any(|signal| telemetry.series(node, *signal).is_some())
        };
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter_map(|(place, node)| has(node).then_some(place))
            .collect()
    }

    /// By how many times the node's requests of the telling rows exceed those before the onset, at least 1.
    ///
    /// Without requests of its own, those of its callers count.
    pub(crate) fn load_growth(&self, node: usize) -> f64 {
        let growth = |node: usize| {
            let requests = self.requests(&self.nodes[node])?;
            let before = mean(requests, &self.before).filter(|before| *before > 0.0)?;
            Some(mean(requests, &self.telling)? / before)
        };
        let of_callers = || {
            let callers = self.topology.callers[node].iter();
            callers
                .filter_map(|caller| growth(*caller))
                .fold(None, larger)
        };
        growth(node).or_else(of_callers).unwrap_or(1.0).max(1.0)
    }

    /// The target's place and its metric, when there is a target.
    pub(crate) fn symptom_at(&self) -> Option<(usize, Metric)> {
        let target = self.incident.target.as_ref()?;
        Some((self.target?, target.signal.metric()))
    }

    /// The node's requests of an interval, or `None` where they are missing.
    pub(crate) fn requests(&self, node: &str) -> Option<&[f64]> {
        self.incident.telemetry.series(node, Signal::Requests)
    }

    /// What a server was asked for the node's series of the metric, if one was.
    pub(crate) fn query(&self, node: &str, metric: Metric) -> Option<&str> {
        let telemetry = &self.incident.telemetry;
        Signal::ALL
            .into_iter()
            .filter(|signal| signal.metric() == metric)
            .find(|signal| telemetry.series(node, *signal).is_some())
            .and_then(|signal| telemetry.query(node, signal))
    }

    /// The node's series of the incident and of the baseline, in the first of `signals` that the incident has.
    pub(crate) fn series(
        &self,
        node: &str,
        signals: &[Signal],
    ) -> Option<(&[f64], Option<&[f64]>)> {
        signals.iter().find_map(|signal| {
            let values = self.incident.telemetry.series(node, *signal)?;
            let baseline = self.incident.baseline.as_ref();
            Some((
                values,
                baseline.and_then(|baseline| baseline.series(node, *signal)),
            ))
        })
    }
}

/// Nodes that nothing but a log or an event knows. A log whose lines name a known service is that service's.
fn add_nodes_of_logs_and_events(nodes: &mut Vec<Arc<str>>, incident: &Incident) {
    let known = |name: &str| nodes.binary_search_by(|node| (**node).cmp(name)).is_ok();
    let of_logs = incident
        .logs
        .iter()
        .filter(|log| !log.service().is_some_and(known))
        .map(LogSummary::node);
    let of_events = incident.events.iter().map(|event| event.node.as_str());
    let new: Vec<Arc<str>> = of_logs
        .chain(of_events)
        .filter(|name| !known(name))
        .map(Arc::from)
        .collect();
    if !new.is_empty() {
        nodes.extend(new);
        nodes.sort_unstable();
        nodes.dedup();
    }
}

fn larger(most: Option<f64>, value: f64) -> Option<f64> {
    Some(most.map_or(value, |most| most.max(value)))
}

/// The node of the first spans of all traces.
fn entry_of_traces(incident: &Incident, nodes: &[usize]) -> Option<usize> {
    let spans = incident.traces.iter().flat_map(|trace| &trace.spans);
    let roots = spans.filter(|span| span.parent.is_none());
    let mut entries = roots.map(|span| span.resource.map(|own| nodes[own]));
    let first = entries.next()??;
    entries.all(|entry| entry == Some(first)).then_some(first)
}

/// Rows whose interval ends by the time of the target; the first when there are none, or when all of them do.
fn rows_before(incident: &Incident) -> Vec<usize> {
    let starts = incident.telemetry.starts();
    let step = incident.telemetry.step().unwrap_or(0.0);
    let ended = match incident.target.as_ref().and_then(|target| target.at) {
        // The half second forgives rounding of either time.
        Some(at) => starts.partition_point(|start| start + step <= at + 0.5),
        None => 0,
    };
    if ended > 0 && ended < starts.len() {
        return (0..ended).collect();
    }
    let first_row_counts = starts.len() > 1;
    if first_row_counts {
        vec![0]
    } else {
        Vec::new()
    }
}
