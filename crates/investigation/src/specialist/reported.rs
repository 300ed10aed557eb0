//! What somebody reports: error messages of a request that name who was denied what.

use super::{Depth, Examine};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Source, weights};
use crate::resource::{Denial, ResourceKind};

/// Error messages of requests.
pub(super) struct Reported;

impl Examine for Reported {
    fn name(&self) -> &'static str {
        "request"
    }

    fn capability(&self) -> &'static str {
        "investigate.request"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        let mut nodes: Vec<usize> = denials(case).map(|(node, _, _)| node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        for (node, denial, message) in denials(case) {
            if nodes.binary_search(&node).is_err() {
                continue;
            }
            let text: String = message.chars().take(300).collect();
            findings.facts.push(Fact {
                node: case.nodes[node].to_string(),
                kind: FactKind::PermissionDenied {
                    principal: denial.principal,
                    action: denial.action,
                    resource: denial.resource,
                },
                category: Category::Permission,
                weight: weights::PERMISSION_REPORTED,
                at: None,
                text: format!("the request reports: {text}"),
                source: Source::new("request", "error message"),
            });
        }
    }
}

/// Denials whose principal and action the message names, with the principal's node.
fn denials(case: &Case) -> impl Iterator<Item = (usize, Denial, &str)> {
    let errors = case
        .incident
        .requests
        .iter()
        .flat_map(|request| &request.errors);
    errors.filter_map(|found| {
        let denial = Denial::in_message(&found.value)?;
        let principal = denial.principal_arn().filter(|_| denial.action.is_some())?;
        let nodes = case.nodes_of_kind(ResourceKind::Iam);
        let node = nodes.into_iter().find(|node| {
            let mut own = case.resources_at(*node);
            own.any(|resource| resource.name == principal.name())
        });
        Some((node?, denial, &*found.value))
    })
}
