//! Waves with specialists of the test's own.

use std::sync::{Arc, Mutex};

use universal_orchestrator::{Limits, UniversalOrchestrator};

use super::*;
use crate::evidence::weights::{DECISIVE, NEUTRAL};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Source};
use crate::investigator::InvestigationLimits;
use crate::specialist::{Depth, Desk, Examine, Expert, register};
use crate::test_data::{calm_incident, slow_incident};

/// Says one thing about every node that it is asked about.
struct Says {
    name: &'static str,
    capability: &'static str,
    depth: Depth,
    about: &'static [&'static str],
    weight: f64,
}

impl Examine for Says {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capability(&self) -> &'static str {
        self.capability
    }

    fn depth(&self) -> Depth {
        self.depth
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        let mut scope: Vec<usize> = self.about.iter().filter_map(|n| case.place(n)).collect();
        scope.sort_unstable();
        scope
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        for node in nodes {
            findings.facts.push(Fact {
                node: case.nodes[*node].to_string(),
                kind: FactKind::Threshold {
                    metric: "test".to_owned(),
                    bound: 0.0,
                    value: 1.0,
                },
                category: Category::Unknown,
                weight: self.weight,
                at: None,
                text: format!("{} was asked", self.name),
                source: Source::new("test", self.name),
            });
        }
    }
}

const fn says(
    name: &'static str,
    depth: Depth,
    about: &'static [&'static str],
    weight: f64,
) -> Says {
    Says {
        name,
        capability: name,
        depth,
        about,
        weight,
    }
}

const WIDE: &Says = &says("wide", Depth::Wide, &["middle"], DECISIVE);
const DULL: &Says = &says("dull", Depth::Wide, &["front", "middle", "back"], NEUTRAL);
const DEEP: &Says = &says("deep", Depth::Deep, &["front", "middle", "back"], NEUTRAL);
const FAR: &Says = &says("far", Depth::Deep, &["front"], NEUTRAL);
const NOTHING: &Says = &says("nothing", Depth::Deep, &["elsewhere"], NEUTRAL);

struct Ran {
    result: WavesResult,
    progress: Vec<Progress>,
}

impl Ran {
    /// Name, wave and number of nodes of every specialist that was asked.
    fn asked(&self) -> Vec<(&str, Option<usize>, usize)> {
        let runs = self.result.runs.iter();
        runs.map(|run| (run.specialist.as_str(), run.wave, run.nodes))
            .collect()
    }
}

/// Without a metric target, so that only the facts of the test count.
async fn ran(experts: &[Expert], limits: InvestigationLimits) -> Ran {
    let mut incident = calm_incident();
    incident.target = None;
    let orchestrator = UniversalOrchestrator::builder().start().await.unwrap();
    let desk = Arc::new(Desk::default());
    register(&orchestrator, &desk, experts).await.unwrap();
    let open = desk.open(Case::of(incident)).unwrap();
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let listener = {
        let told = Arc::clone(&told);
        ProgressListener::new(move |progress| told.lock().unwrap().push(progress))
    };
    let result = run_waves(&orchestrator, &open, experts, &limits, Some(listener)).await;
    orchestrator.shutdown().await;
    let progress = told.lock().unwrap().clone();
    Ran {
        result: result.unwrap(),
        progress,
    }
}

#[tokio::test(start_paused = true)]
async fn p7_the_second_wave_is_chosen_by_what_the_first_found() {
    let ran = ran(&[WIDE, DEEP, FAR, NOTHING], InvestigationLimits::default()).await;
    // One node of three stands out: only that one is looked at in depth; the others are below a hundredth of it.
    assert_eq!(
        ran.asked(),
        [("wide", Some(1), 1), ("deep", Some(2), 1), ("far", None, 0)]
    );
    let far = &ran.result.runs[2];
    assert_eq!(
        far.reason.as_deref(),
        Some("it was not asked: what was found is enough")
    );
    assert_eq!(ran.result.costs.total.calls, 2);
    assert!(
        ran.result
            .runs
            .iter()
            .take(2)
            .all(|run| run.cost.calls == 1)
    );
}

#[tokio::test(start_paused = true)]
async fn p7_without_a_suspect_all_nodes_are_looked_at() {
    let ran = ran(&[DULL, DEEP, FAR], InvestigationLimits::default()).await;
    assert_eq!(
        ran.asked(),
        [
            ("dull", Some(1), 3),
            ("deep", Some(2), 3),
            ("far", Some(2), 1)
        ]
    );
    assert_eq!(ran.result.costs.stopped, None);
}

#[tokio::test(start_paused = true)]
async fn p7_a_budget_ends_the_waves_and_every_missing_specialist_has_the_reason() {
    let limits = InvestigationLimits {
        budget: Limits::unlimited().with_calls(1),
        ..InvestigationLimits::default()
    };
    let ran = ran(&[DULL, DEEP], limits).await;
    let [dull, deep] = &ran.result.runs[..] else {
        panic!("{:?}", ran.asked());
    };
    assert!(dull.completed && !deep.completed);
    assert!(
        deep.reason
            .as_deref()
            .unwrap()
            .contains("calls is at 1 of 1"),
        "{deep:?}"
    );
    let [used] = &ran.result.costs.budget[..] else {
        panic!("{:?}", ran.result.costs);
    };
    assert_eq!(
        (used.unit.as_str(), used.percent.as_deref()),
        ("calls", Some("100"))
    );
}

#[tokio::test(start_paused = true)]
async fn strategies_differ_in_whom_they_ask() {
    let with = |strategy| {
        let limits = InvestigationLimits {
            strategy,
            ..InvestigationLimits::default()
        };
        ran(&[WIDE, DULL, DEEP, FAR], limits)
    };
    let waves = with(Strategy::Waves).await;
    assert_eq!(waves.asked(), with(Strategy::Sequential).await.asked());
    let all = [
        ("wide", Some(1), 1),
        ("dull", Some(1), 3),
        ("deep", Some(1), 3),
        ("far", Some(1), 1),
    ];
    assert_eq!(with(Strategy::Parallel).await.asked(), all);
    // One at a time; when everybody who knows something about the first node was asked, it is sure enough.
    let adaptive = with(Strategy::Adaptive).await;
    let few = [
        ("wide", Some(1), 1),
        ("dull", Some(2), 3),
        ("deep", Some(3), 1),
        ("far", None, 0),
    ];
    assert_eq!(adaptive.asked(), few);
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_in_order() {
    let ran = ran(&[WIDE, DEEP], InvestigationLimits::default()).await;
    let lines: Vec<String> = ran.progress.iter().map(ToString::to_string).collect();
    let expected = [
        "wave 1: wide looks at 1 nodes",
        "wave 1: wide has finished",
        "wave 2: deep looks at 1 nodes",
        "wave 2: deep has finished",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn a_case_of_metrics_asks_nobody_in_depth_who_is_not_there() {
    let orchestrator = UniversalOrchestrator::builder().start().await.unwrap();
    let desk = Arc::new(Desk::default());
    let open = desk
        .open(Case::of(slow_incident(&[("front", 0.4)])))
        .unwrap();
    let limits = InvestigationLimits::default();
    let result = run_waves(&orchestrator, &open, &[DULL], &limits, None)
        .await
        .unwrap();
    assert!(!result.runs[0].completed);
    assert!(
        result.runs[0].reason.as_deref().unwrap().contains("dull"),
        "{:?}",
        result.runs
    );
    orchestrator.shutdown().await;
}
