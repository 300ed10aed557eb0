//! Where the time of a trace went: self time, and the critical path.

use super::span::Trace;

/// Time of one span, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SelfTime {
    /// What its children do not cover.
    pub(crate) own: f64,
    /// The part of the root's duration that would be shorter if this span's own time were.
    pub(crate) critical: f64,
}

/// Self time and share of the critical path of every span of a trace.
///
/// The critical path runs from the end of each root backwards: through the child that ended last,
/// then from the beginning of that child through the one that had ended by then, and so on
/// (Barford and Crovella, "Critical path analysis of TCP transactions", 2001; Zhang et al., "CRISP", USENIX ATC 2022).
pub(crate) fn self_times(trace: &Trace) -> Vec<SelfTime> {
    let spans = &trace.spans;
    let mut times = vec![SelfTime::default(); spans.len()];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    for (place, span) in spans.iter().enumerate() {
        if let Some(parent) = span.parent {
            children[parent].push(place);
        }
    }
    for (place, span) in spans.iter().enumerate() {
        let Some(end) = span.end else { continue };
        let mut covered = 0.0;
        let mut until = span.start;
        // Children stand in the order of their beginnings.
        for child in &children[place] {
            let child = &spans[*child];
            let Some(child_end) = child.end else { continue };
            let (from, to) = (child.start.max(until), child_end.min(end));
            if to > from {
                covered += to - from;
                until = to;
            }
        }
        times[place].own = (end - span.start - covered).max(0.0);
    }
    // Spans with the time by which they must have ended to be on the path.
    let roots = spans
        .iter()
        .enumerate()
        .filter(|(_, span)| span.parent.is_none());
    let mut stack: Vec<(usize, f64, f64)> = roots
        .filter_map(|(place, span)| Some((place, span.start, span.end?)))
        .collect();
    while let Some((place, from, to)) = stack.pop() {
        let mut at = to;
        let mut by_end: Vec<usize> = children[place].clone();
        by_end.retain(|child| spans[*child].end.is_some());
        by_end.sort_by(|a, b| {
            let end = |place: &usize| spans[*place].end.unwrap_or(0.0).min(to);
            end(b)
                .total_cmp(&end(a))
                .then_with(|| spans[*b].start.total_cmp(&spans[*a].start))
        });
        for child in by_end {
            let child_to = spans[child].end.unwrap_or(to).min(to);
            let child_from = spans[child].start.max(from);
            if child_to > at || child_from >= child_to {
                continue;
            }
            times[place].critical += at - child_to;
            stack.push((child, child_from, child_to));
            at = child_from;
        }
        times[place].critical += (at - from).max(0.0);
    }
    times
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::trace::Traces;

    /// Spans as id, parent, begin and end.
    fn times(spans: &[(&str, &str, f64, f64)]) -> Vec<(String, SelfTime)> {
        let segments: Vec<serde_json::Value> = spans
            .iter()
            .map(|(id, parent, start, end)| {
                serde_json::json!({
                    "trace_id": "t", "id": id, "parent_id": parent, "name": id, "start_time": start, "end_time": end
                })
            })
            .collect();
        let json = serde_json::Value::from(segments).to_string();
        let traces = Traces::from_json(&json, Path::new("test")).unwrap();
        let trace = &traces.traces[0];
        let ids = trace.spans.iter().map(|span| span.id.clone());
        ids.zip(self_times(trace)).collect()
    }

    fn of<'a>(times: &'a [(String, SelfTime)], id: &str) -> &'a SelfTime {
        &times.iter().find(|(own, _)| own == id).unwrap().1
    }

    #[test]
    fn self_time_is_what_children_do_not_cover_however_they_overlap() {
        let times = times(&[
            ("root", "", 0.0, 10.0),
            ("a", "root", 1.0, 5.0),
            ("b", "root", 3.0, 7.0),
            // It goes on after its parent's end.
            ("c", "root", 9.0, 12.0),
        ]);
        assert_eq!(of(&times, "root").own, 3.0);
        assert_eq!(of(&times, "a").own, 4.0);
    }

    #[test]
    fn the_critical_path_goes_through_what_ended_last() {
        let times = times(&[
            ("root", "", 0.0, 10.0),
            ("short", "root", 1.0, 4.0),
            ("long", "root", 1.0, 9.0),
            ("deep", "long", 2.0, 8.0),
        ]);
        let critical = |id| of(&times, id).critical;
        assert_eq!(
            (
                critical("root"),
                critical("short"),
                critical("long"),
                critical("deep")
            ),
            (2.0, 0.0, 2.0, 6.0)
        );
        let sum: f64 = times.iter().map(|(_, time)| time.critical).sum();
        assert_eq!(sum, 10.0, "the path is as long as its root");
    }
}
