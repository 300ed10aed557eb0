//! What a fragment is worth for a context.

use universal_orchestrator::Priority;

use crate::assemble::Candidate;
use crate::compress::QueryTerms;

/// The worth of a fragment and, when it may be cut, of each of its units.
#[derive(Debug)]
pub(super) struct Scored {
    pub(super) score: f32,
    pub(super) units: Vec<f32>,
}

/// Worth from the query's best line, relevance, priority and age; without a query from the other three.
pub(super) fn score(candidates: &[Candidate], query: Option<&QueryTerms>) -> Vec<Scored> {
    let query = query.filter(|query| !query.is_empty());
    let among = query.map(|query| query.statistics(candidates.iter().map(|c| &c.fragment.index)));
    let units: Vec<Vec<f32>> = candidates
        .iter()
        .map(|c| match (query, &among) {
            (Some(query), Some(among)) => c.fragment.index.scores_among(query, among),
            _ => c.fragment.index.scores(None),
        })
        .collect();
    let best = |units: &[f32]| units.iter().copied().fold(0.0, f32::max);
    let most = units
        .iter()
        .map(|units| best(units))
        .fold(f32::MIN_POSITIVE, f32::max);
    let last = candidates.len().max(2) - 1;
    let scored = candidates
        .iter()
        .zip(units)
        .enumerate()
        .map(|(at, (candidate, units))| {
            let priority = match candidate.priority {
                Priority::Critical => 1.0,
                Priority::High => 0.8,
                Priority::Medium => 0.5,
                Priority::Low => 0.1,
            };
            let relevance = candidate.fragment.relevance;
            let recent = at as f32 / last as f32;
            let score = match query {
                Some(_) => {
                    0.6 * best(&units) / most + 0.15 * relevance + 0.15 * priority + 0.1 * recent
                }
                None => 0.35 * relevance + 0.35 * priority + 0.3 * recent,
            };
            Scored { score, units }
        });
    scored.collect()
}
