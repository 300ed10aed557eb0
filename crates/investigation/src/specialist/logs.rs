//! Logs: what a node's log says after the onset that it did not say, or said less often, before.

use super::{Depth, Examine};
use crate::evidence::weights::{AGAINST_WEAK, LOG_CHANGED, LOG_ERROR, LOG_NAMES_IT, LOG_SAYS_WHY};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Source, Span, Unknown};
use crate::logs::{LogChange, LogChangeKind, LogSummary, SURPRISE_MAX, category_of, names};

/// Facts of one log at most, the weightiest.
const FACTS_OF_LOG_MAX: usize = 10;

/// What changed in the logs.
pub(super) struct Logs;

impl Examine for Logs {
    fn name(&self) -> &'static str {
        "logs"
    }

    fn capability(&self) -> &'static str {
        "investigate.logs"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        let logs = case.incident.logs.iter();
        let mut nodes: Vec<usize> = logs.filter_map(|log| case.node_of_log(log)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        for log in &case.incident.logs {
            let node = case.node_of_log(log).filter(|node| nodes.contains(node));
            if let Some(node) = node {
                look(case, node, log, findings);
            }
        }
    }
}

fn look(case: &Case, node: usize, log: &LogSummary, findings: &mut Findings) {
    let unknown = |reason: &str| Unknown {
        node: case.nodes[node].to_string(),
        what: "logs".to_owned(),
        reason: reason.to_owned(),
    };
    let Some(onset) = case.onset() else {
        let reason = "the time of the onset is not known, so nothing is new or more";
        return findings.unknown.push(unknown(reason));
    };
    let Some(changes) = log.changes(onset, covered(case)) else {
        let reason = "the log has no lines with a time on both sides of the onset";
        return findings.unknown.push(unknown(reason));
    };
    if log.lines_without_template() > 0 {
        findings.unknown.push(unknown(&format!(
            "{} lines are of more forms than are told apart",
            log.lines_without_template()
        )));
    }
    let mut facts: Vec<Fact> = changes
        .changes
        .iter()
        .flat_map(|change| facts(case, node, change))
        .collect();
    // Equal weights stay in the order of surprise.
    facts.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    facts.truncate(FACTS_OF_LOG_MAX);
    findings.facts.extend(facts);
}

/// The time that was recorded: that of the metrics. A log that is silent in it has nothing to say.
fn covered(case: &Case) -> Option<(f64, f64)> {
    let telemetry = &case.incident.telemetry;
    let (first, last) = (telemetry.starts().first()?, telemetry.starts().last()?);
    Some((*first, last + telemetry.step().unwrap_or(0.0)))
}

/// One about the node itself, and one about each node that it calls and the message names.
fn facts(case: &Case, node: usize, change: &LogChange) -> Vec<Fact> {
    let template = &change.template;
    let is_error = template.level.is_some_and(|level| level.is_error());
    let category = category_of(&template.sample);
    let complains = is_error || category.is_some();
    let named: Vec<usize> = case.topology.callees[node]
        .iter()
        .copied()
        .filter(|callee| complains && names(&template.sample, &case.nodes[*callee]))
        .collect();
    let says_why = matches!(
        category,
        Some(Category::Permission | Category::Saturation | Category::Configuration)
    );
    let surprises = change.surprise <= SURPRISE_MAX;
    let weight = if !named.is_empty() {
        // The complaint is about another node.
        AGAINST_WEAK
    } else if says_why && is_error {
        LOG_SAYS_WHY
    } else if (says_why || is_error) && surprises {
        LOG_ERROR
    } else {
        LOG_CHANGED
    };
    let (kind, how) = match change.kind {
        LogChangeKind::New => (
            FactKind::NewLogTemplate {
                template: template.text.clone(),
                level: template.level,
                lines: change.after,
                surprise: change.surprise,
            },
            format!("{} lines of a new form", change.after),
        ),
        LogChangeKind::Surging => (
            FactKind::SurgingLogTemplate {
                template: template.text.clone(),
                level: template.level,
                before: change.before,
                after: change.after,
                surprise: change.surprise,
            },
            format!("{} lines, {} before", change.after, change.before),
        ),
    };
    let source = Source::new("log", template.location.clone());
    let at = match change.kind {
        LogChangeKind::New => template.first_at,
        LogChangeKind::Surging => None,
    };
    let fact = |node: usize, kind: FactKind, weight: f64, text: String| Fact {
        node: case.nodes[node].to_string(),
        kind,
        category: category.unwrap_or(if is_error {
            Category::Errors
        } else {
            Category::Unknown
        }),
        weight,
        at: at.map(Span::moment),
        text,
        source: source.clone(),
    };
    let mut facts = vec![fact(
        node,
        kind,
        weight,
        format!("{how}: {}", template.sample),
    )];
    for callee in named {
        let by = case.nodes[node].to_string();
        let text = format!("the log of {by} names it, {how}: {}", template.sample);
        let kind = FactKind::NamedInLog {
            by,
            template: template.text.clone(),
            lines: change.after,
        };
        facts.push(fact(callee, kind, LOG_NAMES_IT, text));
    }
    facts
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::graph::CallGraph;
    use crate::incident::{Incident, Target};
    use crate::telemetry::Signal;

    const ONSET: f64 = 1_795_293_000.0;

    fn log(node: &str, extra: &[(i64, &str)]) -> LogSummary {
        let mut text = String::new();
        for second in -600..300_i64 {
            text.push_str(&format!(
                "{} INFO served {second}\n",
                1_795_293_000 + second
            ));
            for (_, line) in extra.iter().filter(|(from, _)| second >= *from) {
                text.push_str(&format!("{} {line}\n", 1_795_293_000 + second));
            }
        }
        let mut log = LogSummary::new(node, ONSET);
        log.read(&format!("logs/{node}.log"), text.as_bytes())
            .unwrap();
        log
    }

    fn found(logs: Vec<LogSummary>, at: Option<f64>) -> Findings {
        let mut graph = CallGraph::new();
        graph.add_call("shop", "ledger");
        let case = Case::of(Incident {
            target: Some(Target {
                node: "shop".into(),
                signal: Signal::LatencyAverage,
                at,
            }),
            graph,
            logs,
            ..Incident::default()
        });
        Logs.examine_all(&case)
    }

    #[test]
    fn a_complaint_about_a_callee_speaks_for_the_callee() {
        let shop = log("shop", &[(0, "ERROR dial ledger:8080: connection refused")]);
        let found = found(vec![shop, log("ledger", &[])], Some(ONSET));
        let told: Vec<(&str, f64, Category)> = found
            .facts
            .iter()
            .map(|fact| (fact.node.as_str(), fact.weight, fact.category))
            .collect();
        assert_eq!(
            told,
            [
                ("ledger", LOG_NAMES_IT, Category::Network),
                ("shop", AGAINST_WEAK, Category::Network),
            ]
        );
        assert_eq!(found.facts[0].source.location, "logs/shop.log:602");
        assert!(found.facts[0].text.contains("300 lines of a new form"));
        assert_eq!(found.unknown, []);
    }

    #[test]
    fn an_error_that_says_why_weighs_more_than_one_that_does_not() {
        let lines = [
            (0, "ERROR could not extend file: No space left on device"),
            (0, "ERROR unexpected end of stream"),
            (0, "WARN retry"),
        ];
        let found = found(vec![log("ledger", &lines)], Some(ONSET));
        let weights: Vec<f64> = found.facts.iter().map(|fact| fact.weight).collect();
        assert_eq!(weights, [LOG_SAYS_WHY, LOG_ERROR, LOG_CHANGED]);
        assert_eq!(found.facts[0].category, Category::Saturation);
    }

    #[test]
    fn what_cannot_be_compared_is_unknown_and_no_fact() {
        let early = found(vec![log("ledger", &[])], Some(ONSET + 9_999.0));
        let timeless = found(vec![log("ledger", &[])], None);
        for findings in [early, timeless] {
            assert_eq!(findings.facts, []);
            assert_eq!(findings.unknown.len(), 1);
        }
    }

    #[test]
    fn a_log_belongs_to_the_service_that_its_lines_name() {
        let mut log = LogSummary::new("pod-7f9c", ONSET);
        log.read("x", &b"{\"msg\":\"a\",\"service\":\"ledger\"}\n"[..])
            .unwrap();
        let mut counted: HashMap<String, usize> = HashMap::new();
        for unknown in found(vec![log], Some(ONSET)).unknown {
            *counted.entry(unknown.node).or_default() += 1;
        }
        assert_eq!(counted, HashMap::from([("ledger".to_owned(), 1)]));
    }
}
