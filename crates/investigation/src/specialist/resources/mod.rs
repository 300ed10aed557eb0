//! One specialist for each kind of resource: it checks what was given about its resources, and nothing else.

mod checks;
mod policy;
mod ratios;
mod states;
mod table;

use super::{Depth, Examine};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Source, Unknown};
use crate::resource::{Resource, ResourceKind, route};
use crate::telemetry::Signal;

pub(super) use table::{
    API_GATEWAY, APPLICATION, DATABASE, DYNAMO_DB, ECS, EVENT_BRIDGE, EXTERNAL_SERVICE, GENERIC,
    HOST, IAM, LAMBDA, LOAD_BALANCER, NETWORK, S3, SNS, SQS, STEP_FUNCTIONS, VPC,
};

/// The specialist of one kind.
pub(super) struct ResourceExpert {
    kind: ResourceKind,
    capability: &'static str,
    /// Checks of single attributes.
    checks: &'static [checks::Check],
    /// Checks of several attributes together, of traces and of series.
    more: &'static [fn(&Reading<'_>, &mut Findings)],
}

impl Examine for ResourceExpert {
    fn name(&self) -> &'static str {
        match self.kind {
            // The specialist `host` samples machines.
            ResourceKind::Host => "host_settings",
            kind => kind.name(),
        }
    }

    fn capability(&self) -> &'static str {
        self.capability
    }

    fn depth(&self) -> Depth {
        Depth::Deep
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        case.nodes_of_kind(self.kind)
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        for node in nodes {
            let own = case
                .resources_at(*node)
                .filter(|resource| resource.kind() == self.kind);
            for resource in own {
                let reading = Reading {
                    case,
                    node: *node,
                    resource,
                };
                reading.note_gaps(findings);
                for check in self.checks {
                    check.of(&reading, findings);
                }
                for check in self.more {
                    check(&reading, findings);
                }
            }
        }
    }
}

/// One resource of a case, being read.
struct Reading<'a> {
    case: &'a Case,
    node: usize,
    resource: &'a Resource,
}

impl Reading<'_> {
    fn name(&self) -> &str {
        &self.case.nodes[self.node]
    }

    fn number(&self, names: &[&str]) -> Option<f64> {
        self.resource.attributes.number(names)
    }

    /// What was not given is unknown, and a type that nobody knows is said to be.
    fn note_gaps(&self, findings: &mut Findings) {
        let mut unknown = |what: String, reason: String| {
            findings.unknown.push(Unknown {
                node: self.name().to_owned(),
                what,
                reason,
            });
        };
        if !route(&self.resource.type_name).known {
            unknown(
                format!("resources of type {}", self.resource.type_name),
                "no specialist knows the type: the generic one looked at it".to_owned(),
            );
        }
        if self.resource.attributes.is_empty() {
            unknown(
                format!(
                    "settings and counters of the {} resource",
                    self.resource.kind()
                ),
                "none were given: add them as attributes of the resource".to_owned(),
            );
        }
    }

    /// A fact from attributes.
    fn fact(
        &self,
        kind: FactKind,
        category: Category,
        weight: f64,
        text: String,
        attribute: &str,
    ) -> Fact {
        let source = self
            .resource
            .sources
            .first()
            .map_or("attributes", |source| source);
        Fact {
            node: self.name().to_owned(),
            kind,
            category,
            weight,
            at: None,
            text: format!("{}: {text}", self.name()),
            source: Source::new(source, attribute),
        }
    }

    /// The longest that it is known to have taken, in seconds, and where that was read.
    fn longest(&self) -> Option<(f64, Source)> {
        let traces = self.case.incident.traces.iter();
        let spans = traces.flat_map(|trace| trace.spans.iter().map(move |span| (trace, span)));
        let own = spans.filter(|(_, span)| {
            span.resource
                .is_some_and(|own| self.case.resources[own] == self.node)
        });
        let span = own
            .filter_map(|(trace, span)| {
                Some((span.duration()?, Source::new("trace", trace.location(span))))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let series = Signal::LATENCIES.iter().filter_map(|signal| {
            let values = self.case.incident.telemetry.series(self.name(), *signal)?;
            let most = values
                .iter()
                .copied()
                .filter(|value| value.is_finite())
                .max_by(f64::total_cmp)?;
            Some((
                most,
                Source::new(
                    "metrics",
                    format!("{} {:?}", signal.metric(), signal.statistic()),
                ),
            ))
        });
        series.chain(span).max_by(|a, b| a.0.total_cmp(&b.0))
    }
}
