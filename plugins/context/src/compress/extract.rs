//! Chooses units of a text under a budget, and leaves a note at each gap.

use crate::compress::{Losses, TextIndex, note};
use crate::text::TextKind;
use crate::tokens::Encoding;

/// The chosen units of a text.
#[derive(Debug)]
pub(crate) struct Extract {
    pub(crate) text: String,
    pub(crate) tokens: usize,
    pub(crate) losses: Losses,
}

/// The share of the tokens that stays of prose at the level heavy, in percent.
const GIST_PERCENT: usize = 40;

/// The sentences of prose that say most.
pub(super) fn gist(text: &str, encoding: Encoding) -> Option<(String, Losses)> {
    let index = TextIndex::of(text, TextKind::Prose, encoding);
    let all: usize = index.units.iter().map(|unit| unit.tokens as usize).sum();
    let scores = index.scores(None);
    let budget = all * GIST_PERCENT / 100;
    let extract = extract(text, TextKind::Prose, &index, &scores, budget, encoding)?;
    Some((extract.text, extract.losses))
}

/// The units of the highest scores within a budget, in the order of the text; `None` when not one fits.
///
/// Ties go to the earlier unit. The count is exact wherever the text is put behind a line feed.
pub(crate) fn extract(
    text: &str,
    kind: TextKind,
    index: &TextIndex,
    scores: &[f32],
    budget: usize,
    encoding: Encoding,
) -> Option<Extract> {
    let units = &index.units;
    let mut order: Vec<u32> = (0..u32::try_from(units.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by(|a, b| {
        let (x, y) = (scores[*a as usize], scores[*b as usize]);
        y.total_cmp(&x).then(a.cmp(b))
    });
    // The longest note there can be: a shorter number never has more tokens.
    let gap_max = encoding.count(&note(units.len().max(1_000_000), what(kind)));
    let mut chosen = vec![false; units.len()];
    let mut picked = Vec::new();
    let mut tokens = gap_max;
    for unit in order {
        let at = unit as usize;
        // The gap that it lies in goes, and those beside it come.
        let cost = units[at].tokens as usize + gap_max * gaps_beside(&chosen, at);
        if tokens + cost <= budget + gap_max {
            tokens = tokens + cost - gap_max;
            chosen[at] = true;
            picked.push(at);
        }
    }
    loop {
        if picked.is_empty() {
            return None;
        }
        let extract = render(text, kind, index, &chosen, encoding);
        if extract.tokens <= budget {
            return Some(extract);
        }
        // Only a note of more tokens than the longest could bring it here.
        if let Some(last) = picked.pop() {
            chosen[last] = false;
        }
    }
}

/// Gaps beside a unit once it is chosen.
fn gaps_beside(chosen: &[bool], at: usize) -> usize {
    let open = |n: Option<usize>| n.and_then(|n| chosen.get(n)).is_some_and(|chosen| !chosen);
    usize::from(open(at.checked_sub(1))) + usize::from(open(Some(at + 1)))
}

const fn what(kind: TextKind) -> &'static str {
    match kind {
        TextKind::Prose => "sentences",
        _ => "lines",
    }
}

fn render(
    text: &str,
    kind: TextKind,
    index: &TextIndex,
    chosen: &[bool],
    encoding: Encoding,
) -> Extract {
    let mut out = String::new();
    let mut tokens = 0;
    let mut losses = Losses::default();
    let mut gap = 0;
    let close = |gap: &mut usize, out: &mut String, tokens: &mut usize| {
        if *gap > 0 {
            let note = note(*gap, what(kind));
            *tokens += encoding.count(&note);
            out.push_str(&note);
        }
        *gap = 0;
    };
    for (unit, chosen) in index.units.iter().zip(chosen) {
        let content = unit.text(text);
        if !chosen {
            let lines = content.trim_end().matches('\n').count() + 1;
            gap += lines;
            losses.lines += lines;
            continue;
        }
        close(&mut gap, &mut out, &mut tokens);
        out.push_str(content);
        out.push('\n');
        tokens += unit.tokens as usize;
    }
    close(&mut gap, &mut out, &mut tokens);
    Extract {
        text: out,
        tokens,
        losses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::QueryTerms;

    fn numbered(lines: usize) -> String {
        (0..lines)
            .map(|n| format!("line number {n} says {}\n", n * 7 % 13))
            .collect()
    }

    #[test]
    fn it_keeps_the_line_asked_for_and_counts_exactly() {
        let text = numbered(200);
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let index = TextIndex::of(&text, TextKind::Log, encoding);
            let query = QueryTerms::of("what does line number 137 say?");
            let scores = index.scores(Some(&query));
            for budget in 0..300 {
                let Some(extract) =
                    extract(&text, TextKind::Log, &index, &scores, budget, encoding)
                else {
                    assert!(budget < 40, "{budget}");
                    continue;
                };
                assert_eq!(extract.tokens, encoding.count(&extract.text));
                assert!(extract.tokens <= budget);
                let found = extract.text.contains("line number 137 says");
                assert!(found || budget < 40, "{budget}: {}", extract.text);
                let kept = extract
                    .text
                    .lines()
                    .filter(|l| !l.starts_with("[...]"))
                    .count();
                assert_eq!(kept + extract.losses.lines, 200);
            }
        }
    }

    #[test]
    fn equal_scores_go_to_the_earlier_line() {
        let text = "same words here\n".repeat(50);
        let encoding = Encoding::default();
        let index = TextIndex::of(&text, TextKind::Log, encoding);
        let extract = extract(&text, TextKind::Log, &index, &[1.0; 50], 40, encoding).unwrap();
        assert!(extract.text.starts_with("same words here\n"));
        assert!(extract.text.ends_with("lines dropped\n"));
    }
}
