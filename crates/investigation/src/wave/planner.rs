//! Which specialists are asked next, and about which nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use universal_orchestrator::{Task, Value};
use universal_orchestrator_patterns::{Assignment, NamedStep, SharedStep, Specialist, WavePlanner};

use super::progress::{ProgressListener, Told};
use super::strategy::Strategy;
use crate::evidence::{Fact, Findings, Observation};
use crate::ranking::{Evidence, Judged, judge};
use crate::specialist::{AssignmentId, Depth, Expert, OpenCase};

/// Confidence in the first node that ends the waves, once every deep specialist that knows something about it was asked.
pub const CONFIDENCE_ENOUGH: f64 = 0.95;
/// A node is asked about in depth when its confidence is at least this share of that of the first.
pub const SUSPICION_MIN: f64 = 0.01;
/// Nodes that one deep specialist is asked about in one wave at most.
pub const DEEP_NODES_MAX: usize = 64;

/// One question that was planned.
pub(super) struct Asked {
    pub(super) specialist: Expert,
    /// Counted from 1.
    pub(super) wave: usize,
    pub(super) nodes: Vec<usize>,
    id: AssignmentId,
    /// What was handed in.
    pub(super) findings: Option<Findings>,
}

/// Plans the waves of one case.
pub(super) struct Planner<'a> {
    open: &'a OpenCase,
    deadline: Instant,
    strategy: Strategy,
    listener: Option<ProgressListener>,
    /// Every specialist with the nodes that it knows something about; those who know nothing are not here.
    relevant: Vec<(Expert, Vec<usize>)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    waves: usize,
    judged: Option<Judged>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        open: &'a OpenCase,
        experts: &[Expert],
        deadline: Instant,
        strategy: Strategy,
        listener: Option<ProgressListener>,
    ) -> Self {
        let scopes = experts
            .iter()
            .map(|expert| (*expert, expert.scope(&open.case)));
        Self {
            open,
            deadline,
            strategy,
            listener,
            relevant: scopes.filter(|(_, scope)| !scope.is_empty()).collect(),
            state: Mutex::default(),
        }
    }

    /// Every question in the order of planning, and the specialists that were never asked.
    pub(super) fn into_asked(self) -> (Vec<Asked>, Vec<Expert>) {
        self.collect(&mut self.state());
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let asked = |expert: &Expert| {
            let mut all = state.asked.iter();
            all.any(|asked| asked.specialist.name() == expert.name())
        };
        let never = self
            .relevant
            .iter()
            .map(|(expert, _)| *expert)
            .filter(|expert| !asked(expert))
            .collect();
        (state.asked, never)
    }

    // What a panic of a specialist's code leaves behind is whole: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was handed in since.
    fn collect(&self, state: &mut State) {
        for asked in &mut state.asked {
            if asked.findings.is_none() {
                asked.findings = self.open.take(asked.id);
            }
        }
    }

    fn judged(&self, state: &State) -> Judged {
        let found = || {
            state
                .asked
                .iter()
                .filter_map(|asked| asked.findings.as_ref())
        };
        let observations: Vec<Observation> = found()
            .flat_map(|findings| findings.observations.iter().cloned())
            .collect();
        let facts: Vec<Fact> = found()
            .flat_map(|findings| findings.facts.iter().cloned())
            .collect();
        let case = &self.open.case;
        judge(case, &Evidence::of(case, observations), &facts, &[])
    }

    /// The deep specialists, each with the nodes of its scope that it was not asked about.
    fn unasked(&self, state: &State) -> Vec<(Expert, HashSet<usize>)> {
        let deep = self.relevant.iter();
        let deep = deep.filter(|(expert, _)| expert.depth() == Depth::Deep);
        deep.map(|(expert, scope)| {
            let mut left: HashSet<usize> = scope.iter().copied().collect();
            for asked in &state.asked {
                if asked.specialist.name() == expert.name() {
                    for node in &asked.nodes {
                        left.remove(node);
                    }
                }
            }
            (*expert, left)
        })
        .filter(|(_, left)| !left.is_empty())
        .collect()
    }

    fn ask(
        &self,
        state: &mut State,
        expert: Expert,
        nodes: Vec<usize>,
    ) -> Assignment<AssignmentId, Value> {
        let id = self.open.assign(nodes.clone());
        let wave = state.waves;
        state.asked.push(Asked {
            specialist: expert,
            wave,
            nodes,
            id,
            findings: None,
        });
        // Half of the time that is left: whoever hangs leaves the other half to the next wave.
        let time = self.deadline.saturating_duration_since(Instant::now()) / 2;
        let task = Task::new("investigate").requires([expert.capability()]);
        let inner = Specialist::agent(expert.name(), task).timeout(time);
        let step: SharedStep<AssignmentId, Value> = match &self.listener {
            None => Arc::new(inner),
            Some(listener) => Arc::new(Told {
                inner,
                listener: listener.clone(),
                specialist: expert.name(),
                wave,
                nodes: state.asked.last().map_or(0, |asked| asked.nodes.len()),
            }),
        };
        Assignment::new(format!("{}/{wave}", expert.name()), step, id)
    }

    /// The wide specialists that were not asked yet; who reads the metric of the symptom goes first, so that a small budget buys what matters most.
    fn wide(&self, state: &mut State) -> Vec<Assignment<AssignmentId, Value>> {
        let symptom = self.open.case.symptom_at().map(|(_, metric)| metric);
        let mut wide: Vec<&(Expert, Vec<usize>)> = self
            .relevant
            .iter()
            .filter(|(expert, _)| {
                expert.depth() == Depth::Wide || self.strategy == Strategy::Parallel
            })
            .filter(|(expert, _)| {
                let mut asked = state.asked.iter();
                asked.all(|asked| asked.specialist.name() != expert.name())
            })
            .collect();
        wide.sort_by_key(|(expert, _)| symptom.is_none() || expert.reads() != symptom);
        if self.strategy == Strategy::Adaptive {
            wide.truncate(1);
        }
        wide.into_iter()
            .map(|(expert, scope)| self.ask(state, *expert, scope.clone()))
            .collect()
    }

    /// Every deep specialist about the suspicious nodes that it was not asked about yet.
    fn deep(&self, state: &mut State) -> Vec<Assignment<AssignmentId, Value>> {
        let unasked = self.unasked(state);
        if unasked.is_empty() {
            return Vec::new();
        }
        let judged = match state.judged.take() {
            Some(judged) => judged,
            None => self.judged(state),
        };
        let bound = judged
            .nodes
            .first()
            .map_or(0.0, |first| first.confidence * SUSPICION_MIN);
        let suspects = judged.nodes.iter();
        let suspects: Vec<usize> = suspects
            .take_while(|node| node.confidence >= bound)
            .map(|node| node.place)
            .collect();
        let mut questions = Vec::new();
        for (expert, left) in unasked {
            let of_scope = suspects.iter().copied().filter(|node| left.contains(node));
            let nodes: Vec<usize> = of_scope.take(DEEP_NODES_MAX).collect();
            if !nodes.is_empty() {
                questions.push(self.ask(state, expert, nodes));
            }
            if self.strategy == Strategy::Adaptive && !questions.is_empty() {
                break;
            }
        }
        questions
    }
}

impl WavePlanner for Planner<'_> {
    type Start = ();
    type Input = AssignmentId;
    type Output = Value;

    fn next(&self, _: &(), _: &[NamedStep<Value>]) -> Vec<Assignment<AssignmentId, Value>> {
        let state = &mut *self.state();
        self.collect(state);
        state.waves += 1;
        let wide = self.wide(state);
        if !wide.is_empty() {
            return wide;
        }
        self.deep(state)
    }

    fn confidence(&self, _: &[NamedStep<Value>]) -> f64 {
        let state = &mut *self.state();
        self.collect(state);
        let unasked = self.unasked(state);
        if unasked.is_empty() && self.strategy != Strategy::Adaptive {
            // Nothing is left to ask, so how sure it is does not matter to the waves.
            return 0.0;
        }
        let judged = self.judged(state);
        let confidence = match judged.nodes.first() {
            Some(first) if unasked.iter().all(|(_, left)| !left.contains(&first.place)) => {
                first.confidence
            }
            _ => 0.0,
        };
        state.judged = Some(judged);
        confidence
    }
}
