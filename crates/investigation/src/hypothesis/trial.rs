//! Judgement and disproof in turn: what is disproven hands on to the next.

use super::generate::{HYPOTHESES_MAX, disproven, hypotheses};
use super::{Hypothesis, Standing};
use crate::evidence::{Case, Fact};
use crate::ranking::{Evidence, Judged, judge};

/// How often a disproof may hand on to the next nodes.
const ROUNDS_MAX: usize = 4;

/// Judges, tries to disprove the likeliest, and judges again without what was disproven, until nothing new is.
pub(crate) fn tried(case: &Case, evidence: &Evidence, facts: &[Fact]) -> (Judged, Vec<Hypothesis>) {
    let mut out: Vec<usize> = Vec::new();
    let mut judged = judge(case, evidence, facts, &out);
    let mut made = hypotheses(case, evidence, &judged, facts);
    for _ in 0..ROUNDS_MAX {
        let mut now = disproven(case, &made);
        now.extend(&out);
        now.sort_unstable();
        now.dedup();
        if now == out {
            break;
        }
        out = now;
        judged = judge(case, evidence, facts, &out);
        let before = std::mem::replace(&mut made, hypotheses(case, evidence, &judged, facts));
        // Who is too unlikely by now is kept as what was tried.
        for mut old in before {
            let again = |new: &Hypothesis| new.node == old.node && new.category == old.category;
            if old.standing == Standing::Disproven && !made.iter().any(again) {
                let node = judged
                    .nodes
                    .iter()
                    .find(|n| *case.nodes[n.place] == old.node);
                old.confidence = node.map_or(0.0, |node| node.confidence);
                made.push(old);
            }
        }
        made.truncate(HYPOTHESES_MAX);
    }
    (judged, made)
}
