//! Who works: the agents of the audit and what each of them can do.

use serde::Serialize;

use super::Capability;

/// One agent to register: its id and its capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentSpec {
    /// The id: the first capability and a number, such as `hash-03`.
    pub id: String,
    /// What it can do; more than one only when there are fewer agents than capabilities.
    pub capabilities: Vec<Capability>,
}

/// Shares the twelve capabilities out among `agents` agents, so that every capability has one.
///
/// From twelve agents on, each has one capability and the capabilities take turns: sixty agents are
/// five of each. Fewer agents have several capabilities each. Zero agents are treated as one.
#[must_use]
pub fn roster(agents: usize) -> Vec<AgentSpec> {
    let agents = agents.max(1);
    let kinds = Capability::ALL.len();
    (0..agents)
        .map(|index| {
            let capabilities: Vec<Capability> = if agents < kinds {
                Capability::ALL
                    .into_iter()
                    .skip(index)
                    .step_by(agents)
                    .collect()
            } else {
                vec![Capability::ALL[index % kinds]]
            };
            let first = Capability::ALL[index % kinds];
            AgentSpec {
                id: format!("{first}-{:02}", index / kinds + 1),
                capabilities,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_capability_has_an_agent_and_every_id_is_unique() {
        for agents in [1, 2, 5, 11, 12, 13, 60, 1_300] {
            let roster = roster(agents);
            assert_eq!(roster.len(), agents);
            let ids: BTreeSet<&str> = roster.iter().map(|agent| agent.id.as_str()).collect();
            assert_eq!(ids.len(), agents, "{agents} agents");
            let covered: BTreeSet<Capability> = roster
                .iter()
                .flat_map(|agent| agent.capabilities.clone())
                .collect();
            assert_eq!(covered.len(), Capability::ALL.len(), "{agents} agents");
        }
    }

    #[test]
    fn sixty_agents_are_five_of_each() {
        for capability in Capability::ALL {
            assert_eq!(
                roster(60)
                    .iter()
                    .filter(|agent| agent.capabilities == [capability])
                    .count(),
                5
            );
        }
    }
}
