//! What is worked out once for a text, so that looking for the best of it counts nothing again.

use std::collections::HashMap;
use std::ops::Range;

use crate::compress::rank;
use crate::text::{Term, TextKind, Unit, split, terms_of};
use crate::tokens::Encoding;

/// Units of a text with their terms and their rank.
#[derive(Debug)]
pub(crate) struct TextIndex {
    pub(crate) units: Vec<Unit>,
    /// Of each unit, where its terms begin; one more at the end.
    starts: Vec<u32>,
    terms: Vec<Term>,
    /// How much a unit says of the text, 0 to 1.
    rank: Vec<f32>,
}

impl TextIndex {
    pub(crate) fn of(text: &str, kind: TextKind, encoding: Encoding) -> Self {
        let units = split(text, kind, encoding);
        let mut starts = vec![0];
        let mut terms = Vec::new();
        for unit in &units {
            terms.extend(terms_of(unit.text(text)));
            starts.push(u32::try_from(terms.len()).unwrap_or(u32::MAX));
        }
        let mut index = Self {
            units,
            starts,
            terms,
            rank: Vec::new(),
        };
        index.rank = rank::of(text, kind, &index);
        index
    }

    /// The terms of a unit, sorted.
    pub(crate) fn terms(&self, unit: usize) -> &[Term] {
        let at = |n: usize| {
            self.starts
                .get(n)
                .map_or(self.terms.len(), |at| *at as usize)
        };
        let range: Range<usize> = at(unit)..at(unit + 1);
        self.terms.get(range).unwrap_or_default()
    }

    /// All terms of the text.
    pub(crate) fn all_terms(&self) -> &[Term] {
        &self.terms
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let unit = size_of::<Unit>() + size_of::<u32>() + size_of::<f32>();
        self.units.len() * unit + self.terms.len() * size_of::<Term>()
    }

    /// How much each unit is worth, for a query of its own statistics.
    pub(crate) fn scores(&self, query: Option<&QueryTerms>) -> Vec<f32> {
        match query {
            Some(query) => self.scores_among(query, &query.statistics([self])),
            None => self.rank.clone(),
        }
    }

    /// How much each unit is worth for a query. Neighbours of a unit that answers are worth something too, and among equals what says most of the text.
    pub(crate) fn scores_among(&self, query: &QueryTerms, among: &Statistics) -> Vec<f32> {
        const NEIGHBOUR: f32 = 0.25;
        const RANK: f32 = 0.05;
        let own: Vec<f32> = (0..self.units.len())
            .map(|n| among.score(query, self.terms(n)))
            .collect();
        let near = |n: Option<usize>| n.and_then(|n| own.get(n)).copied().unwrap_or_default();
        let scores = own.iter().enumerate().map(|(n, score)| {
            let neighbour = near(n.checked_sub(1)).max(near(Some(n + 1)));
            score + NEIGHBOUR * neighbour + RANK * self.rank[n]
        });
        scores.collect()
    }
}

/// The terms of a query, each once.
#[derive(Debug, Clone)]
pub(crate) struct QueryTerms(Vec<Term>);

/// How common the terms of a query are among units.
#[derive(Debug)]
pub(crate) struct Statistics {
    /// Of each term of the query, how much it tells.
    idf: Vec<f32>,
    length: f32,
}

impl QueryTerms {
    pub(crate) fn of(text: &str) -> Self {
        let mut terms = terms_of(text);
        terms.dedup();
        Self(terms)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn statistics<'a>(
        &self,
        among: impl IntoIterator<Item = &'a TextIndex>,
    ) -> Statistics {
        let mut units = 0;
        let mut terms = 0;
        let mut with = vec![0_usize; self.0.len()];
        for index in among {
            units += index.units.len();
            terms += index.terms.len();
            for unit in 0..index.units.len() {
                let of_unit = index.terms(unit);
                for (count, term) in with.iter_mut().zip(&self.0) {
                    *count += usize::from(of_unit.binary_search(term).is_ok());
                }
            }
        }
        let all = units as f32;
        let idf = with
            .iter()
            .map(|n| (1.0 + (all - *n as f32 + 0.5) / (*n as f32 + 0.5)).ln());
        Statistics {
            idf: idf.collect(),
            length: terms as f32 / all.max(1.0),
        }
    }
}

impl Statistics {
    /// BM25 with k1 = 1.2 and b = 0.75: Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    fn score(&self, query: &QueryTerms, unit: &[Term]) -> f32 {
        const K1: f32 = 1.2;
        const B: f32 = 0.75;
        let mut score = 0.0;
        for (term, idf) in query.0.iter().zip(&self.idf) {
            let from = unit.partition_point(|t| t < term);
            let times = unit[from..].iter().take_while(|t| *t == term).count();
            if times > 0 {
                let times = times as f32;
                let length = unit.len() as f32 / self.length.max(1.0);
                score += idf * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length));
            }
        }
        score
    }
}

/// How many units have each term.
pub(super) fn units_with(index: &TextIndex) -> HashMap<Term, u32> {
    let mut with = HashMap::new();
    for unit in 0..index.units.len() {
        let mut before = None;
        for term in index.terms(unit) {
            if before != Some(term) {
                *with.entry(*term).or_insert(0) += 1;
            }
            before = Some(term);
        }
    }
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_answers_scores_highest() {
        let text = "The queue is a heap.\nqueue.max_tasks is 1000 by default.\nAgents are many.\n";
        let index = TextIndex::of(text, TextKind::Prose, Encoding::default());
        let query = QueryTerms::of("What is the default of queue.max_tasks?");
        let scores = index.scores(Some(&query));
        let best = (0..3).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        assert_eq!(best, Some(1));
    }
}
