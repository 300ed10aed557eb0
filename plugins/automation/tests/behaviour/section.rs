//! The section: what is refused, and how.

use universal_orchestrator_automation::config::Field;
use universal_orchestrator_automation::{AutomationConfig, AutomationPlugin};

use crate::common::*;

fn refusal(section: &str) -> String {
    let parsed: Result<AutomationConfig, _> = toml::from_str(section);
    match parsed {
        Err(error) => error.message().to_owned(),
        Ok(config) => AutomationPlugin::new(config).unwrap_err().to_string(),
    }
}

#[test]
fn what_does_not_fit_is_refused_with_key_value_and_remedy() {
    let cases = [
        ("tick_ms = 9", "tick_ms is 9: choose 10 to 3600000"),
        ("agents_max = 0", "agents_max is 0"),
        ("jobs_max = 0", "jobs_max is 0"),
        ("principal = \"\"", "principal is empty"),
        ("[sleep]\nmax_ms = 1", "sleep.max_ms is 1: choose 300000 to"),
        (
            "[sleep]\ncontext_threshold_percent = nan",
            "sleep.context_threshold_percent is NaN",
        ),
        (
            "[sleep]\nmemory_percent = 101",
            "sleep.memory_percent is 101",
        ),
        ("[sleep]\nsleeping_max = 0", "sleep.sleeping_max is 0"),
        ("[sleep]\nnaps = 1", "unknown field `naps`"),
        (
            "[[sleep.schedules]]\nsleep = \"often\"\nwake = \"0 6 * * *\"",
            "sleep.schedules.sleep is \"often\"",
        ),
        (
            "[breakers]\nhalf_open_probes = 0",
            "breakers.half_open_probes is 0",
        ),
        (
            "[breakers]\nfailure_rate_percent = 0",
            "breakers.failure_rate_percent is 0",
        ),
        ("[recovery]\ntiers = []", "recovery.tiers is empty"),
        (
            "[recovery]\ntiers = [\"pray\"]",
            "expected one of `retry`, `other_agent`, `restart`, `quarantine`, `ask`",
        ),
        (
            "[recovery]\nask_deadline_ms = 0",
            "recovery.ask_deadline_ms is 0",
        ),
        (
            "[limiter]\nconcurrency_min = 65",
            "limiter.concurrency_max is 64: choose 65 to",
        ),
        (
            "[limiter]\nalgorithm = \"vegas\"",
            "expected `gradient2` or `aimd`",
        ),
        (
            "[shedding]\ndepth_medium = 5",
            "shedding.depth_medium is 5: the threshold of the less urgent priority is 50000",
        ),
        (
            "[shedding]\nresume_percent = 0",
            "shedding.resume_percent is 0",
        ),
        (
            "[scaling]\nin_utilization_percent = 90",
            "choose less than scaling.out_utilization_percent 90",
        ),
        ("[scaling]\ngroups_max = 0", "scaling.groups_max is 0"),
    ];
    for (section, expected) in cases {
        let text = refusal(section);
        assert!(text.contains(expected), "{section}\n{text}");
    }
}

#[test]
fn rules_that_cannot_work_are_refused_and_told_what_is_known() {
    let rule = |when: &str, condition: &str, then: &str| {
        refusal(&format!(
            "[[rules]]\nname = \"r\"\nwhen = \"{when}\"\nif = [{condition}]\nthen = {{ {then} }}"
        ))
    };
    let notify = "action = \"notify\", text = \"t\"";
    let cases = [
        (rule("task_faild", "", notify), "expected one of `task_completed`, `task_failed`"),
        (rule("tick", "{ field = \"agents\" }", notify), "expected one of `agent`, `task_type`"),
        (rule("tick", "", "action = \"explode\""), "expected one of `sleep`, `wake`"),
        (rule("tick", "{ field = \"attempts\", at_least = 1 }", notify), "the event tick has queue_depth"),
        (rule("task_completed", "{ field = \"failure_kind\", equals = \"panicked\" }", notify), "the event task_completed has agent, task_type"),
        (rule("task_failed", "{ field = \"attempts\", equals = \"1\" }", notify), "it is a number"),
        (rule("task_failed", "{ field = \"agent\", at_least = 1 }", notify), "it is a text"),
        (rule("task_failed", "{ field = \"agent\" }", notify), "it is a text"),
        (rule("tick", "", "action = \"sleep\""), "a tick has no agent"),
        (rule("task_failed", "", "action = \"sleep\", for_ms = 0"), "then.for_ms is 0"),
        (rule("tick", "", "action = \"submit\", task_type = \"\""), "then.task_type"),
        (rule("tick", "", "action = \"submit\", task_type = \"t\", requires = [\"\"]"), "then.requires"),
        (rule("tick", "", "action = \"notify\", text = \"t\", loud = true"), "unknown field `loud`"),
        (refusal(&"[[rules]]\nname = \"r\"\nwhen = \"tick\"\nthen = { action = \"notify\", text = \"t\" }\n".repeat(2)), "another rule has this name"),
        (refusal("[[rules]]\nname = \"\"\nwhen = \"tick\"\nthen = { action = \"notify\", text = \"t\" }"), "length of rules.name is 0"),
        (refusal("[[rules]]\nname = \"r\"\nwhen = \"tick\"\nthen = { action = \"notify\", text = \"t\" }\ncooldown_ms = 99999999999999"), "cooldown_ms is 99999999999999"),
    ];
    for (text, expected) in cases {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(Field::ALL.len() > 10);
}

#[tokio::test(start_paused = true)]
async fn two_in_one_process_know_nothing_of_each_other() {
    let (first, one) = with("").await;
    let (second, other) = with("").await;
    for o in [&first, &second] {
        agent(o, spec("a", "x")).await;
    }
    report(&first, task("x"), Some(TaskFailure::permanent("no"))).await;
    assert_eq!((one.plans().len(), other.plans().len()), (1, 0));
    first.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_orchestrator_that_is_dropped_takes_the_plugins_task_with_it() {
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = alive();
    let (o, service) = with("").await;
    assert!(alive() > before);
    drop((o, service));
    settle().await;
    assert_eq!(alive(), before);
}
