//! What to do next, from the verdict and the kind of the likeliest cause.

use super::Report;
use crate::evidence::Category;
use crate::hypothesis::Standing;
use crate::verdict::Verdict;

/// Actions for the post-mortem. They say what to check or change, and never claim that it was done.
pub(super) fn actions(report: &Report) -> Vec<String> {
    let mut actions = Vec::new();
    if report.verdict == Verdict::NoFault {
        return vec!["nothing to mend; check why an incident was opened".to_owned()];
    }
    let standing = report.hypotheses.iter();
    let standing = standing.filter(|hypothesis| hypothesis.standing != Standing::Disproven);
    if report.verdict == Verdict::Diagnosed {
        let first = report.root_cause.ranking.first();
        let about_first = standing.filter(|h| first.is_some_and(|first| first.node == h.node));
        for hypothesis in about_first.take(2) {
            actions.push(format!(
                "{}: {}",
                hypothesis.node,
                remedy(hypothesis.category)
            ));
        }
    }
    let probes = report.next_probes.iter();
    actions.extend(probes.map(|probe| format!("{}: {}", probe.node, probe.action)));
    let missing = report.specialists.iter().filter(|run| !run.completed);
    actions.extend(missing.map(|run| {
        format!(
            "run again with what {} lacked: its findings are missing",
            run.specialist
        )
    }));
    if actions.is_empty() {
        actions.push("record more: nothing that was read says where to look".to_owned());
    }
    actions
}

fn remedy(category: Category) -> &'static str {
    match category {
        Category::Permission => "check who may do what, and whether a policy was changed",
        Category::Throttling => "check the quota and who uses it up; retry with backoff",
        Category::Configuration => "compare its configuration with the last good one",
        Category::Code => "look at the failing code and what was rolled out last",
        Category::Latency => "profile what it does itself: its callees do not explain the time",
        Category::Errors => "read its error logs of the time of the onset",
        Category::Saturation => {
            "find what uses the resource up, relieve it, and alert before its bound"
        }
        Category::Dependency => "check what it depends on; bound waiting by timeouts",
        Category::Network => "check the way between it and its callers",
        Category::Deployment => "roll the change back, or forward to a fix",
        Category::Traffic => "find who sends the requests; limit or scale",
        Category::Unknown => "read its logs, traces and changes around the onset",
    }
}
