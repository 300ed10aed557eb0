//! Recovery plans.

use universal_orchestrator_automation::config::Tier;
use universal_orchestrator_automation::{
    AgentFactory, DecisionError, FactoryError, Proposal, RecoveryPlan, ScalingGroup, Severity,
};

use crate::common::*;

const ALL: &str =
    "[recovery]\ntiers = [\"retry\", \"other_agent\", \"restart\", \"quarantine\", \"ask\"]";

fn tiers(plan: &RecoveryPlan) -> Vec<(Tier, bool)> {
    plan.steps
        .iter()
        .map(|step| (step.tier, step.taken))
        .collect()
}

fn no() -> Option<TaskFailure> {
    Some(TaskFailure::permanent(
        "a critical fatal crash, says the message",
    ))
}

/// The original lacked two imports: each failure ended in a NameError and no plan.
#[tokio::test(start_paused = true)]
async fn d13_a_failing_task_creates_a_plan_and_not_an_error() {
    let (o, service) = with("").await;
    let a = agent(&o, spec("a", "x").in_process(ScriptedAgent::fails())).await;
    assert!(service.plans().is_empty());
    assert!(!o.execute(task("x")).await.unwrap().is_success());
    let [plan] = &service.plans()[..] else {
        panic!("one plan")
    };
    assert_eq!(
        (plan.agent.as_ref(), plan.state),
        (Some(&a), PlanState::Open)
    );
    assert_eq!(plan.task_type.as_ref().unwrap().as_str(), "work");
    assert_eq!((plan.failures, tiers(plan)), (1, vec![(Tier::Retry, true)]));
    assert_eq!(o.plugins()[0].faults, 0);
    assert_eq!(o.plugins()[0].health.details["plans_open"], 1);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_whether_it_worked() {
    let (o, service) = with("[recovery]\nproof_tasks = 2").await;
    agent(&o, spec("a", "x")).await;
    report(&o, task("x"), no()).await;
    report(&o, task("x"), None).await;
    assert_eq!(service.plans()[0].state, PlanState::Open);
    report(&o, task("x"), no()).await;
    report(&o, task("x"), None).await;
    assert_eq!(
        service.plans()[0].successes_in_a_row,
        1,
        "a failure begins the count anew"
    );
    report(&o, task("x"), None).await;
    let plan = service.plans().remove(0);
    assert_eq!((plan.state, plan.failures), (PlanState::Recovered, 2));

    report(&o, task("x"), no()).await;
    tokio::time::sleep(ms(31_001)).await;
    assert_eq!(
        service.plans()[1].state,
        PlanState::Unproven,
        "nothing came that could show it"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn severity_comes_from_the_category_and_never_from_words() {
    let (o, service) = with("").await;
    agent(&o, spec("a", "x")).await;
    report(&o, task("x"), no()).await;
    assert_eq!(service.plans()[0].severity, Severity::Moderate);
    agent(&o, spec("b", "y").in_process(ScriptedAgent::panics())).await;
    assert!(!o.execute(task("y")).await.unwrap().is_success());
    let plan = &service.plans()[1];
    assert_eq!(
        (plan.severity, plan.failure),
        (Severity::Severe, FailureKind::Panicked)
    );
    assert_eq!(tiers(plan), [(Tier::Ask, true)], "no retry cures a panic");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_tiers_are_climbed_one_after_the_other_until_a_human_is_asked() {
    let (o, service) = with(&format!("{ALL}\nfailures_per_tier = 2\nrest_ms = 5000")).await;
    let a = agent(&o, spec("a", "x").label("is", "a")).await;
    let b = agent(&o, spec("b", "x").label("is", "b")).await;
    let for_a = || task("x").require_label("is", "a");
    report(&o, for_a(), no()).await;
    report(&o, for_a(), no()).await;
    settle().await;
    assert_eq!(stands(&o, &a), Availability::Sleeping, "it rests");
    assert_eq!(service.sleeping()[0].reason, SleepReason::Recovery);
    assert_eq!(o.delegate_task(task("x")).await.unwrap().agent(), &b);
    tokio::time::sleep(ms(6_001)).await;
    assert_eq!(stands(&o, &a), Availability::Available);
    report(&o, for_a(), no()).await;
    report(&o, for_a(), no()).await;
    settle().await;
    assert_eq!(stands(&o, &a), Availability::Quarantined);
    let plan = service.plans().remove(0);
    let expected = [
        (Tier::Retry, true),
        (Tier::OtherAgent, true),
        (Tier::Restart, false),
        (Tier::Quarantine, true),
    ];
    assert_eq!(tiers(&plan), expected);
    assert!(plan.steps[2].what.contains("no group"), "{plan:?}");
    assert!(plan.steps[3].deadline.unwrap() > plan.steps[3].at);

    tokio::time::sleep(ms(601_000)).await;
    let decision = service.decisions().remove(0);
    assert_eq!(
        (decision.proposal, decision.agent.as_ref()),
        (Proposal::Release, Some(&a))
    );
    let status = o.status();
    assert_eq!(status.critical_alerts, 1);
    assert!(
        status
            .alerts
            .iter()
            .any(|alert| alert.text == decision.question)
    );
    service.approve(decision.plan).unwrap();
    settle().await;
    assert_eq!(stands(&o, &a), Availability::Available);
    assert_eq!(service.plans()[0].state, PlanState::Approved);
    assert_eq!(o.status().critical_alerts, 0);
    assert!(matches!(
        service.approve(1),
        Err(DecisionError::Unknown { plan: 1 })
    ));
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_human_approves_rejects_or_does_not_answer() {
    for answer in ["approve", "reject", "none", "recovers"] {
        let (o, service) = with("[recovery]\nfailures_per_tier = 1\nask_deadline_ms = 9000\ntiers = [\"retry\", \"ask\"]").await;
        let a = agent(&o, spec("a", "x")).await;
        for _ in 0..2 {
            report(&o, task("x"), no()).await;
        }
        let decision = service.decisions().remove(0);
        assert_eq!(decision.proposal, Proposal::Quarantine);
        let (state, stood) = match answer {
            "approve" => {
                service.approve(decision.plan).unwrap();
                (PlanState::Approved, Availability::Quarantined)
            }
            "reject" => {
                service.reject(decision.plan).unwrap();
                (PlanState::Rejected, Availability::Available)
            }
            "none" => {
                tokio::time::sleep(ms(10_001)).await;
                (PlanState::Expired, Availability::Available)
            }
            _ => {
                for _ in 0..3 {
                    report(&o, task("x"), None).await;
                }
                (PlanState::Recovered, Availability::Available)
            }
        };
        settle().await;
        assert_eq!(service.plans()[0].state, state, "{answer}");
        assert_eq!(stands(&o, &a), stood, "{answer}");
        assert!(service.decisions().is_empty(), "{answer}");
        assert!(service.reject(decision.plan).is_err());
        o.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn when_no_agent_is_to_blame_the_plan_is_about_the_type() {
    let mut config = config_with(ALL);
    config.queue.queue_unroutable = true;
    config.queue.unroutable_ttl_ms = 1_000;
    let (o, service) = start(config).await;
    assert!(!o.execute(task("nobody")).await.unwrap().is_success());
    let plan = service.plans().remove(0);
    assert_eq!(
        (plan.agent.as_ref(), plan.severity),
        (None, Severity::Serious)
    );
    assert_eq!(tiers(&plan).last(), Some(&(Tier::Ask, true)));
    let decision = service.decisions().remove(0);
    assert_eq!(decision.proposal, Proposal::Look);
    service.approve(decision.plan).unwrap();
    assert_eq!(service.plans()[0].state, PlanState::Approved);
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_work_of_a_dead_agent_ends_elsewhere() {
    // It panics at everything, and the router likes it best.
    let section = "[recovery]\ntiers = [\"quarantine\"]";
    let mut failed = Vec::new();
    for section in [section, "[recovery]\nenabled = false"] {
        let (o, service) = with(section).await;
        let dead = agent(
            &o,
            spec("dead", "x").in_process(ScriptedAgent::steps([Step::Wait(ms(5)), Step::Panic])),
        )
        .await;
        let alive = spec("alive", "x").in_process(ScriptedAgent::steps([Step::Wait(ms(100))]));
        let alive = agent(&o, alive).await;
        let mut handles = Vec::new();
        for _ in 0..20 {
            handles.push(o.submit_task(task("x")).await.unwrap());
        }
        let mut ends = Vec::new();
        for handle in &handles {
            ends.push(handle.outcome().await.unwrap());
        }
        let lost = ends.iter().filter(|end| !end.is_success()).count();
        assert!(
            ends.iter()
                .filter(|e| e.is_success())
                .all(|e| e.agent() == Some(&alive))
        );
        assert_eq!(service.plans().is_empty(), section.contains("enabled"));
        let stood = stands(&o, &dead);
        assert_eq!(
            stood == Availability::Quarantined,
            !section.contains("enabled")
        );
        failed.push(lost);
        o.shutdown().await;
    }
    assert!(failed[0] < failed[1], "fewer tasks end with it: {failed:?}");

    // What it had when it left is lost and tried again on another one.
    let (o, service) = with(ALL).await;
    let puppet = PuppetAgent::new();
    let gone = agent(&o, spec("gone", "x").in_process(puppet.clone())).await;
    let handle = o
        .submit_task(task("x").retry(RetryPolicy::immediate(2)))
        .await
        .unwrap();
    settle().await;
    let other = worker(&o, "other", "x").await;
    assert_eq!(puppet.at_work().len(), 1);
    o.deregister_agent(&gone).await.unwrap();
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(
        (outcome.is_success(), outcome.agent()),
        (true, Some(&other))
    );
    assert!(
        service
            .plans()
            .iter()
            .any(|plan| plan.agent.as_ref() == Some(&gone))
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_repeated_by_another_agent() {
    let section = "[recovery]\ntiers = [\"other_agent\"]";
    let (o, _) = with(section).await;
    let bad = agent(
        &o,
        spec("bad", "x").in_process(ScriptedAgent::steps([Step::FailRetryable])),
    )
    .await;
    let policy = RetryPolicy {
        jitter: 0.0,
        ..RetryPolicy::exponential(3, ms(100), ms(100))
    };
    let handle = o.submit_task(task("x").retry(policy)).await.unwrap();
    settle().await;
    // The only one does not rest: nobody else could do the work.
    assert_eq!(stands(&o, &bad), Availability::Available);
    handle.cancel();
    let good = agent(
        &o,
        spec("good", "x")
            .concurrency(9)
            .in_process(ScriptedAgent::steps([Step::Wait(ms(900))])),
    )
    .await;
    let busy = o.submit_task(task("x")).await.unwrap();
    settle().await;
    let _ = busy;
    let outcome = o.execute(task("x").retry(policy)).await.unwrap();
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.agent(), Some(&good));
    o.shutdown().await;
}

struct Makes(bool);

#[universal_orchestrator::async_trait]
impl AgentFactory for Makes {
    async fn create(&self, number: u64) -> Result<AgentSpec, FactoryError> {
        let fails = self.0 && number == 1;
        let does = if fails {
            ScriptedAgent::panics()
        } else {
            ScriptedAgent::succeeds(1)
        };
        Ok(spec(&format!("made-{number}"), "x").in_process(does))
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_a_factory_is_restarted_and_its_plan_goes_on_with_the_new_one() {
    let (o, service) = with(&format!("{ALL}\nproof_tasks = 2")).await;
    service
        .add_group(ScalingGroup::new("g", Arc::new(Makes(true))).capabilities(["x"]))
        .unwrap();
    settle().await;
    tick().await;
    assert_eq!(service.groups()[0].agents.len(), 1);
    assert!(!o.execute(task("x")).await.unwrap().is_success());
    tokio::time::sleep(ms(3_003)).await;
    let new = AgentId::new("made-2").unwrap();
    assert!(o.agent(&AgentId::new("made-1").unwrap()).is_none());
    for _ in 0..2 {
        assert_eq!(done_by(&o, task("x")).await, new);
    }
    let plan = service.plans().remove(0);
    assert_eq!(tiers(&plan), [(Tier::Restart, true)]);
    assert_eq!(
        (plan.replaced_by, plan.state),
        (Some(new), PlanState::Recovered)
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn plans_and_questions_are_bounded() {
    let section = "[recovery]\nplans_max = 3\ndecisions_max = 1\nfailures_per_tier = 1";
    let (o, service) = with(section).await;
    for n in 0..5 {
        let name = format!("x{n}");
        agent(&o, spec(&name, &name)).await;
        report(&o, task(&name), no()).await;
    }
    let plans = service.plans();
    assert_eq!(plans.len(), 3);
    assert_eq!(o.plugins()[0].health.details["dropped"], 2);
    for n in 0..2 {
        report(&o, task(&format!("x{n}")), no()).await;
    }
    assert_eq!(service.decisions().len(), 1);
    assert_eq!(
        service.plans()[1].state,
        PlanState::Exhausted,
        "the question found no room"
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn each_tier_has_its_own_deadline() {
    // Each tier sees one more failure, and then its deadline.
    let section = format!(
        "{ALL}\nfailures_per_tier = 9\nretry_deadline_ms = 2000\nother_agent_deadline_ms = 4000\nquarantine_deadline_ms = 8000\nrest_ms = 1"
    );
    let (o, service) = with(&section).await;
    for id in ["a", "b"] {
        agent(&o, spec(id, "x").label("is", id)).await;
    }
    let for_a = || task("x").require_label("is", "a");
    let tier = || service.plans()[0].tier().unwrap();
    report(&o, for_a(), no()).await;
    report(&o, for_a(), no()).await;
    assert_eq!(tier(), Tier::Retry);
    tokio::time::sleep(ms(3_000)).await;
    assert_eq!(tier(), Tier::OtherAgent);
    tokio::time::sleep(ms(2_000)).await;
    report(&o, for_a(), no()).await;
    tokio::time::sleep(ms(3_000)).await;
    assert_eq!(tier(), Tier::Quarantine);
    tokio::time::sleep(ms(6_000)).await;
    assert_eq!(tier(), Tier::Quarantine);
    tokio::time::sleep(ms(3_000)).await;
    assert_eq!(tier(), Tier::Ask);
    o.shutdown().await;
}
