//! A plugin that is switched off is as if it were not there, and comes back when it is switched on.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test where it went wrong"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use universal_orchestrator::plugin::HookPoint;
use universal_orchestrator::{
    AgentId, AgentRole, AgentSpec, Availability, Refused, Task, UniversalOrchestrator,
};
use universal_orchestrator_bundle::automation::AutomationService;
use universal_orchestrator_bundle::performance::PerformanceService;
use universal_orchestrator_testkit::settle;

use crate::play::Play;
use crate::promises::on_paused_time;
use crate::sections::{NAMES, World};
use crate::step::{Step, plain_step, step};

const STEPS: usize = 60;

/// What the plugins say of themselves, without what is measured in time. `performance` makes its figures on a thread of its own, whenever that runs.
fn figures(o: &UniversalOrchestrator) -> BTreeMap<&'static str, Value> {
    let mut figures = BTreeMap::new();
    let plugins = o.plugins();
    for name in ["automation", "context", "security"] {
        if let Some(plugin) = plugins.iter().find(|plugin| plugin.name == name) {
            let health = &plugin.health;
            let said = json!([plugin.vetoes, health.detail, health.details]);
            figures.insert(name, said);
        }
    }
    figures
}

/// Plays some steps, with one plugin switched off from a step on, and gives the trace and what the other plugins say at the end.
fn played(
    plugins: &[&'static str],
    steps: &[Step],
    off: Option<(&'static str, usize)>,
) -> Result<(Vec<String>, BTreeMap<&'static str, Value>), TestCaseError> {
    on_paused_time(async {
        let mut play = Play::start(plugins).await;
        let (name, from) = off.unwrap_or(("", 0));
        play.take_all(&steps[..from]).await?;
        if off.is_some() {
            let switched = play.world.orchestrator.disable_plugin(name);
            prop_assert!(switched.is_ok(), "{switched:?}");
        }
        play.take_all(&steps[from..]).await?;
        let mut figures = figures(&play.world.orchestrator);
        figures.remove(name);
        play.play(&[]).await?;
        Ok((play.trace, figures))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 1000, max_shrink_time: 15_000, ..ProptestConfig::default() })]

    #[test]
    fn switched_off_it_is_as_if_it_were_not_there(off in 0..NAMES.len(), steps in vec(plain_step(), STEPS)) {
        let name = NAMES[off];
        let others: Vec<_> = NAMES.into_iter().filter(|other| *other != name).collect();
        let (trace, figures) = played(&NAMES, &steps, Some((name, 0)))?;
        let (trace_without, figures_without) = played(&others, &steps, None)?;
        prop_assert_eq!(trace, trace_without, "without {}", name);
        prop_assert_eq!(figures, figures_without, "without {}", name);
    }

    #[test]
    fn those_that_only_watch_or_add_can_go_at_any_time(
        passive in prop_oneof![Just("performance"), Just("context")],
        from in 0..STEPS,
        steps in vec(plain_step(), STEPS),
    ) {
        let (trace, figures) = played(&NAMES, &steps, Some((passive, from)))?;
        let (trace_with, mut figures_with) = played(&NAMES, &steps, None)?;
        figures_with.remove(passive);
        prop_assert_eq!(trace, trace_with, "{} went", passive);
        prop_assert_eq!(figures, figures_with, "{} went", passive);
    }
}

/// The sections are such that the sequences of these tests meet what the plugins do; else they would show nothing.
#[test]
fn the_sequences_make_every_plugin_act() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::<String, usize>::new();
    let mut count = |what: &str, n: usize| *seen.entry(what.to_owned()).or_default() += n;
    for _ in 0..16 {
        let steps = vec(step(), 120).new_tree(&mut runner).unwrap().current();
        on_paused_time(async {
            let mut play = Play::start(&NAMES).await;
            play.take_all(&steps).await.unwrap();
            let o = play.world.orchestrator.clone();
            let service = o.service::<dyn AutomationService>().unwrap();
            count("plan", service.plans().len());
            for rule in service.rules() {
                count(&rule.name, usize::try_from(rule.acted).unwrap());
            }
            for alert in o.status().alerts {
                count(&alert.source, 1);
            }
            count("context attached", play.contexts);
            play.play(&[]).await.unwrap();
            for line in &play.trace {
                if line.starts_with("vetoed") {
                    count(line, 1);
                }
            }
            count("retry", play.world.recorder.count(HookPoint::Retry));
        });
    }
    let missing: Vec<_> = [
        "vetoed automation shed",
        "vetoed automation breaker_open",
        "vetoed security unauthenticated",
        "vetoed security invalid_token",
        "vetoed security token_expired",
        "vetoed security rate_limited",
        "vetoed security blocked",
        "vetoed security task_type_not_granted",
        "vetoed security capability_not_granted",
        "vetoed security payload_too_many_keys",
        "failures are looked into",
        "newcomers are told of",
        "what waits wakes",
        "plan",
        "retry",
        "context attached",
        "automation",
        "performance",
        "security",
    ]
    .into_iter()
    .filter(|what| seen.get(*what).is_none_or(|n| *n == 0))
    .collect();
    assert!(missing.is_empty(), "{missing:?} not among {seen:#?}");
}

fn veto(refused: Result<impl std::fmt::Debug, Refused>) -> String {
    match refused {
        Ok(accepted) => format!("{accepted:?}"),
        Err(refused) => refused.reason().to_string(),
    }
}

async fn newcomer(o: &UniversalOrchestrator, id: &str) -> AgentId {
    let spec = AgentSpec::new(id, AgentRole::Worker).capabilities(["y"]);
    o.register_agent(spec).await.unwrap()
}

/// Whether each plugin does, by the order of their names, what it is there for.
async fn acts(world: &World, round: usize) -> [bool; 4] {
    let (o, ann, forger) = (&world.orchestrator, &world.callers[0], &world.callers[3]);
    let before = o.service::<PerformanceService>().unwrap().snapshot();
    let agent = newcomer(ann, &format!("a-{round}")).await;
    let session = format!("round-{round}");
    let ask = || {
        let task = Task::new("build").requires(["y"]).payload(json!({}));
        task.metadata("context.session", &session)
    };
    let mut attached = false;
    for _ in 0..2 {
        ann.submit_task(ask()).await.unwrap();
        let pulled = o.next_task(&agent, Duration::from_secs(1)).await.unwrap();
        let pulled = pulled.unwrap();
        attached = pulled.payload().get("context").is_some();
        let done = json!("the answer is in the second file");
        o.complete_task(pulled.delegation(), done).await.unwrap();
        settle().await;
    }
    let refused = veto(
        forger
            .submit_task(
                Task::new("build")
                    .requires(["y"])
                    .delay(Duration::from_secs(60)),
            )
            .await,
    );
    let mut slept = false;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        slept |= o.agent(&agent).unwrap().availability == Availability::Sleeping;
    }
    let after = o.service::<PerformanceService>().unwrap().snapshot();
    o.deregister_agent(&agent).await.unwrap();
    [
        slept,
        attached,
        after.overall.succeeded > before.overall.succeeded,
        refused.contains("the token is not valid"),
    ]
}

#[test]
fn each_comes_back_when_it_is_switched_on_and_the_others_go_on() {
    on_paused_time(async {
        let world = World::start(&NAMES).await;
        let o = world.orchestrator.clone();
        assert_eq!(acts(&world, 0).await, [true; 4]);
        for (n, name) in NAMES.into_iter().enumerate() {
            o.disable_plugin(name).unwrap();
            let mut expected = [true; 4];
            expected[n] = false;
            assert_eq!(acts(&world, 2 * n + 1).await, expected, "without {name}");
            o.enable_plugin(name).unwrap();
            assert_eq!(acts(&world, 2 * n + 2).await, [true; 4], "{name} is back");
        }
        o.shutdown_within(Duration::ZERO).await;
    });
}
