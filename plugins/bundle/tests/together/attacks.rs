//! What a caller who may do nothing gets the other plugins to do: nothing.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test where it went wrong"
)]

use std::time::Duration;

use universal_orchestrator::{
    AgentId, AgentRole, AgentSpec, Availability, Mode, Priority, Refusal, Task,
    UniversalOrchestrator,
};
use universal_orchestrator_testkit::{settle, test_builder};

use crate::promises::on_paused_time;
use crate::sections::{callers, config, with_plugins};

const SECURITY: &str = r#"
key_inline = "a server key for tests, 32 bytes or more"
[[identities]]
name = "ann"
roles = ["all"]
[[identities]]
name = "bob"
roles = ["all"]
[roles.all]
submit_types = ["*"]
require_capabilities = ["*"]
register_agents = ["*"]
register_capabilities = ["*"]
register_roles = ["worker"]
"#;

const AUTOMATION: &str = r#"
tick_ms = 60000
[sleep]
enabled = true
inactivity_ms = 1000
min_awake = 0
[shedding]
enabled = true
depth_low = 5
"#;

async fn start() -> (UniversalOrchestrator, Vec<UniversalOrchestrator>) {
    let mut config = config();
    config.mode = Mode::Production;
    for (name, text) in [("security", SECURITY), ("automation", AUTOMATION)] {
        let table = text.parse().unwrap();
        config.plugins.sections.insert(name.to_owned(), table);
    }
    let builder = with_plugins(test_builder(config), &["automation", "security"]);
    let o = builder.start().await.unwrap();
    let callers = callers(&o);
    (o, callers)
}

fn is_refused_by(refused: &Refusal, plugin: &str) -> bool {
    matches!(refused, Refusal::Vetoed(veto) if veto.plugin == plugin)
}

fn stands(o: &UniversalOrchestrator, agent: &AgentId) -> Availability {
    o.agent(agent).unwrap().availability
}

#[test]
fn those_who_are_refused_wake_nobody_and_shed_nothing() {
    on_paused_time(async {
        let (o, callers) = start().await;
        let (ann, others) = (&callers[0], &callers[3..]);
        let spec = AgentSpec::new("a", AgentRole::Worker).capabilities(["x"]);
        let agent = ann.register_agent(spec).await.unwrap();
        tokio::time::sleep(Duration::from_secs(61)).await;
        settle().await;
        assert_eq!(stands(&o, &agent), Availability::Sleeping);
        let task = || Task::new("t").requires(["x"]).priority(Priority::Low);
        for caller in others {
            for _ in 0..20 {
                let submitted = caller.submit_task(task()).await.unwrap_err();
                assert!(is_refused_by(submitted.reason(), "security"), "{submitted}");
                let delegated = caller.delegate_task(task()).await.unwrap_err();
                assert!(is_refused_by(delegated.reason(), "security"), "{delegated}");
            }
        }
        settle().await;
        assert_eq!(stands(&o, &agent), Availability::Sleeping);
        let waits = ann.submit_task(task()).await.unwrap();
        settle().await;
        assert_eq!(stands(&o, &agent), Availability::Available);
        waits.cancel();
        o.shutdown().await;
    });
}
