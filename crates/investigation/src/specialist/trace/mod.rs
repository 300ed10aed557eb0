//! Traces: where requests failed, were refused, were cut off, and where their time went.

mod blame;
mod classify;
mod hidden;
mod time;

use std::collections::{BTreeMap, HashSet};

use super::{Depth, Examine};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Source, Span, Unknown};
use crate::trace::{Trace, TraceSpan};

/// What traces show.
pub(super) struct Traces;

impl Examine for Traces {
    fn name(&self) -> &'static str {
        "traces"
    }

    fn capability(&self) -> &'static str {
        "investigate.traces"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        let spans = case.incident.traces.iter().flat_map(|trace| &trace.spans);
        let mut nodes: Vec<usize> = spans
            .filter_map(|span| Some(case.resources[span.resource?]))
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        let asked: HashSet<usize> = nodes.iter().copied().collect();
        let mut gathered = Gathered::default();
        for trace in &case.incident.traces {
            let of_asked = |span: &TraceSpan| {
                span.resource
                    .is_some_and(|own| asked.contains(&case.resources[own]))
            };
            if !trace.spans.iter().any(of_asked) {
                continue;
            }
            let view = View { case, trace };
            blame::of(&view, &mut gathered);
            hidden::of(&view, &mut gathered);
            for span in trace
                .spans
                .iter()
                .filter(|span| span.end.is_none() && of_asked(span))
            {
                findings.unknown.push(Unknown {
                    node: view.name(span).to_owned(),
                    what: format!("the end of span {}", trace.location(span)),
                    reason: "it was in progress when the trace was recorded".to_owned(),
                });
            }
        }
        blame::answered(case, &mut gathered);
        time::of(case, &mut gathered);
        gathered.hand_in(case, &asked, findings);
    }
}

/// A trace of a case.
struct View<'a> {
    case: &'a Case,
    trace: &'a Trace,
}

impl<'a> View<'a> {
    /// The node of a span, if it has a resource.
    fn node(&self, span: &TraceSpan) -> Option<usize> {
        Some(self.case.resources[span.resource?])
    }

    fn name(&self, span: &'a TraceSpan) -> &'a str {
        self.node(span)
            .map_or(&span.name, |node| &self.case.nodes[node])
    }

    /// The node that made the call which the span is; `None` when nobody is known who did.
    fn caller(&self, span: &TraceSpan) -> Option<usize> {
        let own = self.node(span);
        let mut parent = span.parent;
        while let Some(place) = parent {
            let node = self.node(&self.trace.spans[place]);
            if node.is_some() && node != own {
                return node;
            }
            parent = self.trace.spans[place].parent;
        }
        None
    }

    fn during(span: &TraceSpan) -> Span {
        Span {
            from: span.start,
            to: span.end.unwrap_or(span.start),
        }
    }
}

/// Facts, those that say the same of one node as one.
#[derive(Default)]
struct Gathered {
    facts: BTreeMap<(usize, String), Grouped>,
}

struct Grouped {
    fact: Fact,
    spans: usize,
}

impl Gathered {
    /// Adds a fact about a node; `same` tells apart what is not the same. The strongest speaks for all, its count for their number.
    fn add(&mut self, node: usize, same: String, fact: Fact) {
        match self.facts.entry((node, same)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Grouped { fact, spans: 1 });
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.spans += 1;
                let at = known.fact.at.zip(fact.at).map(|(a, b)| Span {
                    from: a.from.min(b.from),
                    to: a.to.max(b.to),
                });
                if fact.weight > known.fact.weight {
                    known.fact = fact;
                }
                known.fact.at = at;
            }
        }
    }

    fn hand_in(self, case: &Case, asked: &HashSet<usize>, findings: &mut Findings) {
        for (
            (node, _),
            Grouped {
                mut fact,
                spans: count,
            },
        ) in self.facts
        {
            if !asked.contains(&node) {
                continue;
            }
            fact.node = case.nodes[node].to_string();
            match &mut fact.kind {
                FactKind::TraceFault { spans, .. } | FactKind::Throttled { spans, .. } => {
                    *spans = count
                }
                _ => {}
            }
            if count > 1 {
                fact.text = format!("{} ({count} spans)", fact.text);
            }
            findings.facts.push(fact);
        }
    }
}

/// A fact whose node is filled in when it is handed in.
fn fact(
    kind: FactKind,
    category: Category,
    weight: f64,
    at: Option<Span>,
    text: String,
    location: String,
) -> Fact {
    Fact {
        node: String::new(),
        kind,
        category,
        weight,
        at,
        text,
        source: Source::new("trace", location),
    }
}
