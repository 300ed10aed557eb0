//! Gathers the ends of all tasks into one report.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::gathered::Gathered;
use super::timing::{Stopwatch, tenths};
use super::{AgentRow, CapabilityRow, Report};
use crate::audit::{AgentSpec, Capability, HashedFile, Job, Outcome, Tree, path_text};

/// A task that came to its end.
#[derive(Debug)]
pub struct Done<'a> {
    /// The job.
    pub job: &'a Job,
    /// Who did it last; `None` when no agent ever got it.
    pub agent: Option<&'a str>,
    /// How long that kept the agent busy, over all attempts.
    pub busy: Duration,
    /// How many attempts there were.
    pub attempts: u32,
    /// The outcome, or why there is none.
    pub result: Result<Outcome, String>,
}

/// Takes the tasks as they end, in any order, and makes a report that does not depend on that order
/// except for its times.
#[derive(Debug)]
pub struct ReportBuilder {
    tree: Arc<Tree>,
    roster: Vec<AgentSpec>,
    agents: HashMap<String, Stopwatch>,
    capabilities: BTreeMap<Capability, Stopwatch>,
    gathered: Gathered,
}

impl ReportBuilder {
    /// Starts a report on `tree`, worked through by the agents of `roster`.
    #[must_use]
    pub fn new(tree: Arc<Tree>, roster: Vec<AgentSpec>) -> Self {
        let agents = roster
            .iter()
            .map(|agent| (agent.id.clone(), Stopwatch::new()));
        let capabilities = Capability::ALL
            .into_iter()
            .map(|one| (one, Stopwatch::new()));
        Self {
            agents: agents.collect(),
            capabilities: capabilities.collect(),
            tree,
            roster,
            gathered: Gathered::default(),
        }
    }

    /// Takes one task that ended.
    pub fn record(&mut self, done: Done<'_>) {
        let failed = done.result.is_err();
        if let Some(watch) = self.capabilities.get_mut(&done.job.capability()) {
            watch.record(done.busy, done.attempts, failed);
        }
        if let Some(watch) = done.agent.and_then(|agent| self.agents.get_mut(agent)) {
            watch.record(done.busy, done.attempts, failed);
        }
        match done.result {
            Ok(outcome) => self.gathered.take(done.job.file(), outcome),
            Err(error) => self.gathered.fail(done.job.file(), error),
        }
    }

    /// What the hash analyser has found so far: the input of [`second_wave`](crate::audit::second_wave).
    pub fn hashed_files(&self) -> impl Iterator<Item = HashedFile> + '_ {
        self.gathered.hashed_files()
    }

    /// Sums up after `elapsed`; the terminal will show `top` rows of each list.
    #[must_use]
    pub fn finish(self, elapsed: Duration, top: usize) -> Report {
        let capabilities = self.capability_rows(elapsed);
        let agents = self.agent_rows(elapsed);
        let sum = |count: fn(&CapabilityRow) -> u64| capabilities.iter().map(count).sum::<u64>();
        let (tasks, errors) = (sum(|row| row.timing.tasks), sum(|row| row.timing.errors));
        let retries = sum(|row| row.timing.retries);
        let seconds = elapsed.as_secs_f64();
        Report {
            root: path_text(self.tree.root()),
            find_command: self.tree.find_command(),
            skipped_directories: self.tree.skipped_directories(),
            elapsed_ms: tenths(seconds * 1e3),
            tasks,
            errors,
            retries,
            tasks_per_second: if seconds > 0.0 {
                tenths(tasks as f64 / seconds)
            } else {
                0.0
            },
            totals: self.gathered.totals(&self.tree),
            capabilities,
            agents,
            findings: self.gathered.findings(&self.tree, top),
            top,
        }
    }

    fn capability_rows(&self, elapsed: Duration) -> Vec<CapabilityRow> {
        let row = |(capability, watch): (&Capability, &Stopwatch)| {
            let able = self
                .roster
                .iter()
                .filter(|agent| agent.capabilities.contains(capability));
            let agents = able.count() as u64;
            CapabilityRow {
                capability: *capability,
                agents,
                timing: watch.timing(agents, elapsed),
            }
        };
        self.capabilities.iter().map(row).collect()
    }

    fn agent_rows(&self, elapsed: Duration) -> Vec<AgentRow> {
        let timing = |id: &str| self.agents.get(id).map(|watch| watch.timing(1, elapsed));
        let row = |agent: &AgentSpec| AgentRow {
            agent: agent.id.clone(),
            capabilities: agent.capabilities.clone(),
            timing: timing(&agent.id).unwrap_or_default(),
        };
        self.roster.iter().map(row).collect()
    }
}
