//! The bundle as it is linked, in `production`, with nothing configured: everybody is refused, and told what to write.

use universal_orchestrator::{
    AgentRole, AgentSpec, Mode, OrchestratorConfig, Principal, Task, UniversalOrchestrator,
};
use universal_orchestrator_bundle::security::BearerToken;

use crate::sections::NAMES;

#[tokio::test]
async fn with_nothing_configured_it_refuses_everybody_and_says_what_to_write() {
    let mut config = OrchestratorConfig::for_mode(Mode::Production);
    // A busy machine may stop a hook for longer than the default.
    config.hooks.timeout_ms = 30_000;
    let builder = UniversalOrchestrator::builder().config(config);
    let o = builder.start().await.unwrap();
    let mut linked: Vec<_> = o.plugins().into_iter().map(|plugin| plugin.name).collect();
    linked.sort_unstable();
    assert_eq!(linked, NAMES);

    let named = Principal::new("admin").unwrap();
    let forged = named.clone().with_credential(BearerToken::new("a.b"));
    let callers = [
        o.clone(),
        o.as_principal(named).unwrap(),
        o.as_principal(forged).unwrap(),
    ];
    for (n, caller) in callers.iter().enumerate() {
        let spec = AgentSpec::new("a", AgentRole::Worker).capabilities(["x"]);
        let registered = caller.register_agent(spec).await.unwrap_err().to_string();
        let task = || Task::new("t").requires(["x"]);
        let texts = [
            registered,
            caller.submit_task(task()).await.unwrap_err().to_string(),
            caller.delegate_task(task()).await.unwrap_err().to_string(),
            caller.execute(task()).await.unwrap_err().to_string(),
        ];
        for text in texts {
            assert!(text.contains("security"), "{n}: {text}");
            assert!(
                text.contains("[[plugins.security.identities]]"),
                "{n}: {text}"
            );
        }
    }
    let status = o.status();
    assert_eq!((status.tasks.accepted, status.agents.total), (0, 0));
    o.shutdown().await;
}
