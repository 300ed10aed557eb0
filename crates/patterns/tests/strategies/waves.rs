//! Checks P7 and P8: findings choose the next specialists; every resource is looked at.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use universal_orchestrator::Amount;
use universal_orchestrator_patterns::{
    Assignment, NamedStep, SharedStep, Specialist, StepContext, StepFailure, StopReason,
    WaveLimits, WavePlanner, Waves,
};

use crate::common::{context, orchestrator, tokens, with_budget};

/// A resource of an incident; few know their full name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Resource {
    kind: String,
    name: String,
    arn: Option<String>,
}

fn resource(kind: &str, name: &str, arn: Option<&str>) -> Resource {
    Resource {
        kind: kind.to_owned(),
        name: name.to_owned(),
        arn: arn.map(str::to_owned),
    }
}

/// What a specialist found at a resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Finding {
    resource: Resource,
    /// Where the trail leads.
    leads_to: Vec<Resource>,
    confidence: f64,
}

/// Looks at resources and follows the trail: each kind has its specialist.
struct FollowTheTrail {
    specialists: Vec<SharedStep<Resource, Finding>>,
}

impl FollowTheTrail {
    fn ask(&self, resource: &Resource) -> Option<Assignment<Resource, Finding>> {
        let specialist = self
            .specialists
            .iter()
            .find(|s| s.name() == resource.kind)?;
        let key = format!("{}:{}", resource.kind, resource.name);
        Some(Assignment::new(
            key,
            Arc::clone(specialist),
            resource.clone(),
        ))
    }
}

impl WavePlanner for FollowTheTrail {
    type Start = Vec<Resource>;
    type Input = Resource;
    type Output = Finding;

    fn next(
        &self,
        start: &Vec<Resource>,
        found: &[NamedStep<Finding>],
    ) -> Vec<Assignment<Resource, Finding>> {
        let leads = found
            .iter()
            .filter_map(|s| s.result().data())
            .flat_map(|f| &f.leads_to);
        start
            .iter()
            .chain(leads)
            .filter_map(|r| self.ask(r))
            .collect()
    }

    fn confidence(&self, found: &[NamedStep<Finding>]) -> f64 {
        let all = found
            .iter()
            .filter_map(|s| s.result().data())
            .map(|f| f.confidence);
        all.fold(0.0, f64::max)
    }
}

/// Specialists for three kinds. An API leads to its functions, a function to its table; only a table is certain.
fn trail() -> FollowTheTrail {
    let specialist = |kind: &str,
                      confidence: f64,
                      leads: fn(&Resource) -> Vec<Resource>|
     -> SharedStep<Resource, Finding> {
        let work = move |resource: Resource, step: StepContext| async move {
            step.charge(Amount::tokens(10))?;
            let leads_to = leads(&resource);
            Ok::<_, StepFailure>(Finding {
                resource,
                leads_to,
                confidence,
            })
        };
        Arc::new(Specialist::function(kind, work).estimate(Amount::tokens(10)))
    };
    FollowTheTrail {
        specialists: vec![
            specialist("api", 0.1, |_| {
                vec![
                    resource("lambda", "pay", None),
                    resource(
                        "lambda",
                        "refund",
                        Some("arn:aws:lambda:eu-west-1:1:function:refund"),
                    ),
                ]
            }),
            specialist("lambda", 0.3, |r| {
                vec![resource("table", &format!("{}-rows", r.name), None)]
            }),
            specialist("table", 0.9, |_| Vec::new()),
        ],
    }
}

#[tokio::test(start_paused = true)]
async fn p7_what_one_wave_finds_chooses_the_specialists_of_the_next() {
    let o = orchestrator().await;
    let context = with_budget(&o, tokens(1_000));
    let report = Waves::new("deepen", trail())
        .report(&context, vec![resource("api", "shop", None)])
        .await;
    let asked: Vec<_> = report.steps().iter().map(NamedStep::name).collect();
    assert_eq!(
        asked,
        [
            "api:shop",
            "lambda:pay",
            "lambda:refund",
            "table:pay-rows",
            "table:refund-rows"
        ]
    );
    assert_eq!(
        report.stopped(),
        Some(&StopReason::Enough),
        "a table is certain"
    );
    let reasons: Vec<_> = report.decisions().iter().map(|d| &*d.reason).collect();
    assert_eq!(
        reasons,
        [
            "wave 1 asks api:shop",
            "wave 2 asks lambda:pay, lambda:refund",
            "wave 3 asks table:pay-rows, table:refund-rows"
        ]
    );
    for step in report.steps() {
        assert_eq!(
            (step.result().cost().tokens, step.result().cost().calls),
            (10, 1),
            "each call has its bill"
        );
    }
    assert_eq!(
        (
            report.cost().tokens,
            context.account().unwrap().spent.tokens
        ),
        (50, 50)
    );
    drop(context);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn p7_waves_stop_on_confidence_budget_time_limits_and_nothing_left() {
    let o = orchestrator().await;
    let start = || vec![resource("api", "shop", None)];
    let limits = WaveLimits::default();
    let early = Waves::new("w", trail()).limits(WaveLimits {
        confidence: 0.3,
        ..limits
    });
    let report = early.report(&context(&o), start()).await;
    assert_eq!(
        (report.steps().len(), report.stopped()),
        (3, Some(&StopReason::Enough))
    );

    let poor = with_budget(&o, tokens(25));
    let report = Waves::new("w", trail()).report(&poor, start()).await;
    assert_eq!(report.found().count(), 2);
    assert!(matches!(report.stopped(), Some(StopReason::Budget { .. })));
    drop(poor);

    let late = context(&o)
        .child()
        .deadline_in(std::time::Duration::ZERO)
        .build()
        .unwrap();
    let report = Waves::new("w", trail()).report(&late, start()).await;
    assert_eq!(
        (report.found().count(), report.stopped()),
        (0, Some(&StopReason::Deadline))
    );

    let endless = WaveLimits {
        confidence: 2.0,
        ..limits
    };
    let report = Waves::new("w", trail())
        .limits(endless)
        .report(&context(&o), start())
        .await;
    assert_eq!(
        (report.steps().len(), report.stopped()),
        (5, None),
        "nothing is left to ask"
    );

    let shallow = Waves::new("w", trail()).limits(WaveLimits {
        waves_max: 2,
        ..limits
    });
    let report = shallow.report(&context(&o), start()).await;
    assert_eq!(
        (report.steps().len(), report.stopped()),
        (3, Some(&StopReason::WavesMax { max: 2 }))
    );

    let narrow = Waves::new("w", trail()).limits(WaveLimits {
        steps_max: 2,
        ..limits
    });
    let report = narrow.report(&context(&o), start()).await;
    assert_eq!(
        (report.steps().len(), report.stopped()),
        (2, Some(&StopReason::StepsMax { max: 2 }))
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn p8_all_resources_of_one_type_are_looked_at_with_or_without_a_full_name() {
    let o = orchestrator().await;
    let context = context(&o);
    let start = vec![
        resource("lambda", "a", Some("arn:aws:lambda:eu-west-1:1:function:a")),
        resource("lambda", "b", None),
        resource("lambda", "c", None),
        resource("lambda", "b", None),
        resource("unknown", "x", None),
    ];
    let limits = WaveLimits {
        waves_max: 1,
        ..WaveLimits::default()
    };
    let report = Waves::new("w", trail())
        .limits(limits)
        .report(&context, start.clone())
        .await;
    let seen: Vec<_> = report
        .found()
        .map(|(_, finding)| finding.resource.clone())
        .collect();
    assert_eq!(seen, start[..3], "each of them, once");
    o.shutdown().await;
}

#[test]
fn p8_json_within_a_text_is_found_whatever_its_strings_hold() {
    use universal_orchestrator_patterns::json_within;
    let text = r#"The {trace} says: {"cause": "missing } in \"policy\"", "arns": ["a]b"]} (sure)"#;
    let found = json_within(text).unwrap();
    assert_eq!(found["arns"][0], "a]b");
    assert_eq!(found["cause"], r#"missing } in "policy""#);
    assert_eq!(
        json_within(r#"[1, {"a": 2}]"#).unwrap()[1]["a"],
        2,
        "an array at the top stays one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_planner_that_panics_keeps_what_was_found() {
    struct Panics(FollowTheTrail);
    impl WavePlanner for Panics {
        type Start = Vec<Resource>;
        type Input = Resource;
        type Output = Finding;
        fn next(
            &self,
            start: &Vec<Resource>,
            found: &[NamedStep<Finding>],
        ) -> Vec<Assignment<Resource, Finding>> {
            assert!(found.is_empty(), "told to");
            self.0.next(start, found)
        }
    }
    let o = orchestrator().await;
    let report = Waves::new("w", Panics(trail()))
        .report(&context(&o), vec![resource("api", "shop", None)])
        .await;
    assert_eq!(report.found().count(), 1);
    assert_eq!(
        report.stopped().map(ToString::to_string).as_deref(),
        Some("the planner panicked: told to")
    );
    o.shutdown().await;
}
