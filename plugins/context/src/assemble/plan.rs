//! Chooses what is shown of each fragment.

use crate::assemble::blocks::{Block, Blocks, heading, trailer};
use crate::assemble::scores::{Scored, score};
use crate::assemble::{Candidate, Explanation, FragmentChoice, Request, Shown};
use crate::compress::{Level, Losses, distance, extract};
use crate::session::FragmentId;
use crate::store::may_be_cut;

/// The critical fragments take so many tokens, more than the budget.
#[derive(Debug)]
pub(crate) struct CriticalTooLarge {
    pub(crate) tokens: usize,
}

/// Chooses under the budget, in four steps: critical fragments whole; everything whole when it fits; else near-duplicates
/// go, and the others share what is left by the squares of their scores, each in the longest form that its share has room
/// for; last, the best of those that were cut are cut again with what nobody used.
pub(crate) fn plan(
    candidates: Vec<Candidate>,
    request: &Request<'_>,
) -> Result<Blocks, CriticalTooLarge> {
    let count = candidates.len();
    let headings: Vec<String> = candidates.iter().map(|c| heading(c, "whole")).collect();
    let heading_tokens: Vec<usize> = headings.iter().map(|h| request.encoding.count(h)).collect();
    let whole: Vec<usize> = candidates
        .iter()
        .zip(&heading_tokens)
        .map(|(c, h)| h + c.fragment.tokens)
        .collect();
    let critical: usize = (0..count)
        .filter(|n| !may_be_cut(candidates[*n].priority))
        .map(|n| whole[n])
        .sum();
    if critical > request.budget {
        return Err(CriticalTooLarge { tokens: critical });
    }
    let scored = score(&candidates, request.query);
    let mut plan = Plan {
        request,
        scored,
        left: request.budget - critical,
        blocks: Blocks {
            blocks: vec![None; count],
            near_duplicates: vec![None; count],
            scores: Vec::new(),
            trailer: String::new(),
            trailer_tokens: 0,
            whole,
            candidates,
        },
    };
    let all: usize = plan.blocks.whole.iter().sum();
    let everything = all <= request.budget && !request.compressed_only;
    for n in 0..count {
        if everything || !may_be_cut(plan.blocks.candidates[n].priority) {
            plan.show_whole(n);
        }
    }
    if !everything {
        plan.share();
        plan.blocks.set_trailer(request.encoding, request.budget);
    }
    plan.blocks.scores = plan.scored.iter().map(|scored| scored.score).collect();
    for (n, score) in plan.blocks.scores.iter_mut().enumerate() {
        if !may_be_cut(plan.blocks.candidates[n].priority) {
            *score = 1.0;
        }
    }
    Ok(plan.blocks)
}

/// Fragments that are cut again with what nobody used.
const SECOND_CUTS: usize = 8;

struct Plan<'a> {
    request: &'a Request<'a>,
    scored: Vec<Scored>,
    left: usize,
    blocks: Blocks,
}

impl Plan<'_> {
    fn show_whole(&mut self, n: usize) {
        let candidate = &self.blocks.candidates[n];
        let heading = heading(candidate, "whole");
        let fragment = &candidate.fragment;
        let of_heading = self.blocks.whole[n] - fragment.tokens;
        let block = Block::new(
            heading,
            of_heading,
            fragment.text(),
            fragment.tokens,
            Shown::Whole,
            Losses::default(),
        );
        self.blocks.blocks[n] = Some(block);
    }

    /// Shares what is left among the fragments that may be cut.
    fn share(&mut self) {
        let count = self.blocks.candidates.len();
        // The longest that the last line can get: smaller numbers never have more tokens.
        let reserve = self
            .request
            .encoding
            .count(&trailer(count.max(100), count.max(100)));
        self.left = self.left.saturating_sub(reserve);
        let mut order: Vec<usize> = (0..count)
            .filter(|n| may_be_cut(self.blocks.candidates[*n].priority))
            .collect();
        order.sort_by(|a, b| {
            self.scored[*b]
                .score
                .total_cmp(&self.scored[*a].score)
                .then(a.cmp(b))
        });
        let all: usize = order.iter().map(|n| self.blocks.whole[*n]).sum();
        if all > self.left {
            self.find_near_duplicates(&order);
            order.retain(|n| self.blocks.near_duplicates[*n].is_none());
        }
        let weight = |plan: &Self, n: usize| plan.scored[n].score.max(0.01).powi(2);
        let mut weights: f32 = order.iter().map(|n| weight(self, *n)).sum();
        let mut cut = Vec::new();
        for n in order {
            let own = weight(self, n);
            let share = self.left as f32 * (own / weights.max(own));
            weights -= own;
            // Truncation is meant: a share is a whole number of tokens.
            let share = (share as usize)
                .max(self.request.excerpt_tokens_min)
                .min(self.left);
            if let Some(block) = self.block(n, share) {
                self.left -= block.tokens;
                if block.shown != Shown::Whole && cut.len() < SECOND_CUTS {
                    cut.push(n);
                }
                self.blocks.blocks[n] = Some(block);
            }
        }
        for n in cut {
            let had = self.blocks.blocks[n]
                .as_ref()
                .map_or(0, |block| block.tokens);
            if self.left < self.request.excerpt_tokens_min / 4 {
                break;
            }
            if let Some(block) = self.block(n, had + self.left)
                && block.tokens > had
            {
                self.left -= block.tokens - had;
                self.blocks.blocks[n] = Some(block);
            }
        }
    }

    /// Marks what is much like a fragment of a better score.
    fn find_near_duplicates(&mut self, order: &[usize]) {
        let mut kept: Vec<(u64, FragmentId)> = Vec::new();
        for n in order {
            let candidate = &self.blocks.candidates[*n];
            let Some(print) = candidate.fragment.print else {
                continue;
            };
            let most = self.request.near_duplicate_bits;
            match kept
                .iter()
                .find(|(other, _)| distance(*other, print) <= most)
            {
                Some((_, like)) => self.blocks.near_duplicates[*n] = Some(*like),
                None => kept.push((print, candidate.id)),
            }
        }
    }

    /// The longest form of a fragment that has room in a share; of those that lose something, an excerpt for the query comes first.
    fn block(&self, n: usize, share: usize) -> Option<Block> {
        let encoding = self.request.encoding;
        let candidate = &self.blocks.candidates[n];
        let fragment = &candidate.fragment;
        let has_shorter = fragment.forms.iter().any(Option::is_some);
        if self.blocks.whole[n] <= share && !(self.request.compressed_only && has_shorter) {
            let heading = heading(candidate, "whole");
            let of_heading = self.blocks.whole[n] - fragment.tokens;
            return Some(Block::new(
                heading,
                of_heading,
                fragment.text(),
                fragment.tokens,
                Shown::Whole,
                Losses::default(),
            ));
        }
        let levels = match self.request.query {
            Some(_) if !self.request.compressed_only => &Level::ALL[..1],
            _ => &Level::ALL[..],
        };
        for (level, form) in levels.iter().zip(&fragment.forms) {
            let Some(form) = form else { continue };
            let heading = heading(candidate, level.as_str());
            let of_heading = encoding.count(&heading);
            if of_heading + form.tokens <= share {
                let shown = Shown::Compressed(*level);
                return Some(Block::new(
                    heading,
                    of_heading,
                    &form.text,
                    form.tokens,
                    shown,
                    form.losses,
                ));
            }
        }
        let heading = heading(candidate, "excerpt");
        // Units are counted as they stand behind a line feed, so the heading has its own here.
        let of_heading = encoding.count(&format!("{heading}\n"));
        let room = share.checked_sub(of_heading)?;
        let units = &self.scored[n].units;
        let cut = extract(
            fragment.text(),
            fragment.kind,
            &fragment.index,
            units,
            room,
            encoding,
        )?;
        Some(Block::new(
            heading,
            of_heading,
            &cut.text,
            cut.tokens,
            Shown::Excerpt,
            cut.losses,
        ))
    }
}

impl Blocks {
    /// What became of each fragment.
    pub(crate) fn explain(&self) -> Explanation {
        let mut explanation = Explanation::default();
        for (n, candidate) in self.candidates.iter().enumerate() {
            let (mut shown, mut after, mut losses) = (Shown::Dropped, 0, candidate.fragment.losses);
            if let Some(block) = &self.blocks[n] {
                (shown, after) = (block.shown, block.tokens);
                losses += block.losses;
            } else if let Some(like) = self.near_duplicates[n] {
                shown = Shown::NearDuplicateOf(like);
                losses.near_duplicates += 1;
            } else {
                losses.fragments += 1;
            }
            explanation.losses += losses;
            explanation.tokens_before += self.whole[n];
            explanation.fragments.push(FragmentChoice {
                id: candidate.id,
                shown,
                score: self.scores[n],
                tokens_before: self.whole[n],
                tokens_after: after,
                losses,
            });
        }
        explanation
    }
}
