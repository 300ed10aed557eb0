//! The code of docs/writing-a-plugin.md.
#![expect(unreachable_pub, reason = "on the page it is the root of a crate")]

use universal_orchestrator::plugin::{LinkError, PluginSection, linked};
use universal_orchestrator::{OrchestratorConfig, StartError, UniversalOrchestrator};

// What is a crate of its own on the page.
mod universal_orchestrator_deny_list {
    //! Refuses tasks by their type.

    use serde::Deserialize;
    use universal_orchestrator::plugin::{
        GuardCall, HookContext, HookPoint, HookSet, Plugin, PluginDescriptor, PluginError,
        PluginManifest, PluginSection, Verdict,
    };

    /// The section `[plugins.deny_list]`.
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct DenyListConfig {
        /// Task types that are refused. Default empty: none is.
        pub task_types: Vec<String>,
    }

    /// Refuses tasks by their type.
    #[derive(Debug)]
    pub struct DenyListPlugin {
        config: DenyListConfig,
    }

    impl DenyListPlugin {
        /// Name, summary and hooks.
        pub const MANIFEST: PluginManifest = PluginManifest::new(
            "deny_list",
            "refuses tasks by their type",
            HookSet::none().guard(HookPoint::Submit),
        )
        .example("task_types = [\"format_disk\"]");

        /// Makes the plugin.
        pub fn new(config: DenyListConfig) -> Self {
            Self { config }
        }
    }

    impl Plugin for DenyListPlugin {
        fn guard(&self, _: &HookContext<'_>, call: &GuardCall<'_>) -> Verdict {
            let GuardCall::Submit { task } = call else {
                return Verdict::Allow;
            };
            match task.task().task_type() {
                Some(name) if self.config.task_types.iter().any(|t| t == name.as_str()) => {
                    Verdict::veto("denied_type", format!("tasks of type {name} are denied"))
                }
                _ => Verdict::Allow,
            }
        }
    }

    fn build(section: &PluginSection) -> Result<Box<dyn Plugin>, PluginError> {
        Ok(Box::new(DenyListPlugin::new(section.parse()?)))
    }

    /// What links in.
    pub static DENY_LIST: PluginDescriptor = PluginDescriptor::new(DenyListPlugin::MANIFEST, build);

    universal_orchestrator::register_plugin!(DENY_LIST);
}

mod behaviour {
    use super::universal_orchestrator_deny_list;

    use universal_orchestrator::{AgentRole, AgentSpec, Refusal, Task, UniversalOrchestrator};
    use universal_orchestrator_deny_list::{DenyListConfig, DenyListPlugin};

    #[tokio::test(start_paused = true)]
    async fn a_denied_type_is_refused_and_others_are_not() {
        let config = DenyListConfig {
            task_types: vec!["format_disk".to_owned()],
        };
        let orchestrator = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .plugin(DenyListPlugin::MANIFEST, DenyListPlugin::new(config))
            .start()
            .await
            .unwrap();
        let agent = AgentSpec::new("a", AgentRole::Worker).concurrency(2);
        orchestrator.register_agent(agent).await.unwrap();

        let refused = orchestrator
            .delegate_task(Task::new("format_disk"))
            .await
            .unwrap_err();
        assert!(
            matches!(refused.reason(), Refusal::Vetoed(veto) if veto.plugin == "deny_list" && veto.code == "denied_type"),
            "{refused}"
        );
        assert!(
            orchestrator
                .delegate_task(Task::new("defragment"))
                .await
                .is_ok()
        );
        assert_eq!(orchestrator.plugins()[0].vetoes, 1);
    }
}

mod conforms {
    use super::universal_orchestrator_deny_list;

    use universal_orchestrator_deny_list::DENY_LIST;
    use universal_orchestrator_testkit::conformance::Suite;

    #[tokio::test(start_paused = true)]
    async fn it_keeps_what_every_plugin_must_keep() {
        Suite::of(&DENY_LIST).linked().run().await.assert_conforms();
    }
}

#[expect(unused_imports, reason = "on the page the line links a crate")]
mod program {
    use super::universal_orchestrator_deny_list;

    use universal_orchestrator::{OrchestratorConfig, Task, UniversalOrchestrator};
    use universal_orchestrator_deny_list as _; // links it in

    const CONFIG: &str = r#"
        [plugins]
        required = ["deny_list"]

        [plugins.deny_list]
        task_types = ["format_disk"]
    "#;

    #[tokio::main]
    async fn main() -> Result<(), Box<dyn std::error::Error>> {
        let config = OrchestratorConfig::from_toml_str(CONFIG)?;
        let orchestrator = match UniversalOrchestrator::start(config).await {
            Ok(orchestrator) => orchestrator,
            // `Display` says what to write; a `main` that returns the error prints its `Debug` form.
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(1);
            }
        };
        for plugin in orchestrator.plugins() {
            println!("{}: {}", plugin.name, plugin.summary);
        }
        if let Err(refused) = orchestrator.submit_task(Task::new("format_disk")).await {
            println!("{refused}");
        }
        orchestrator.shutdown().await;
        Ok(())
    }

    #[test]
    fn the_program_runs() {
        main().unwrap();
    }
}

mod shape_and_observe {
    use std::sync::atomic::{AtomicU64, Ordering};

    use universal_orchestrator::plugin::{HookContext, Observed, Plugin, Shape, ShapeCall};
    use universal_orchestrator::{TaskOutcome, TaskPatch};

    /// Stamps every task with who sent it, and adds up how long tasks ran.
    #[derive(Default)]
    struct Ledger {
        run_time_ms: AtomicU64,
    }

    impl Ledger {
        fn add(&self, outcome: &TaskOutcome) {
            let ms = outcome.run_time().as_millis() as u64;
            self.run_time_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    impl Plugin for Ledger {
        fn shape(&self, context: &HookContext<'_>, _: &ShapeCall<'_>) -> Shape {
            Shape::patch(TaskPatch {
                metadata: vec![("sent_by".to_owned(), context.principal.to_string())],
                ..TaskPatch::default()
            })
        }

        fn observe(&self, _: &HookContext<'_>, what: &Observed<'_>) {
            if let Observed::Completed { outcome, .. } | Observed::Failed { outcome, .. } = what {
                self.add(outcome);
            }
        }
    }

    use std::time::Duration;

    use universal_orchestrator::plugin::{HookPoint, HookSet, PluginManifest};
    use universal_orchestrator::{
        AgentError, AgentRole, AgentSpec, Task, TaskContext, UniversalOrchestrator, agent_fn,
    };

    struct Shared(std::sync::Arc<Ledger>);

    impl Plugin for Shared {
        fn shape(&self, context: &HookContext<'_>, call: &ShapeCall<'_>) -> Shape {
            self.0.shape(context, call)
        }

        fn observe(&self, context: &HookContext<'_>, what: &Observed<'_>) {
            self.0.observe(context, what);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_stamps_and_adds_up() {
        let ledger = std::sync::Arc::new(Ledger::default());
        let hooks = HookSet::none()
            .shape(HookPoint::Submit)
            .observe(HookPoint::Complete)
            .observe(HookPoint::Fail);
        let orchestrator = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .plugin(
                PluginManifest::new("ledger", "stamps and adds up", hooks),
                Shared(std::sync::Arc::clone(&ledger)),
            )
            .start()
            .await
            .unwrap();
        let agent = agent_fn(|_: (), context: TaskContext| async move {
            tokio::time::sleep(Duration::from_millis(70)).await;
            let sender = context.task().metadata_value("sent_by").map(str::to_owned);
            Ok::<_, AgentError>(sender)
        });
        orchestrator
            .register_agent(AgentSpec::new("a", AgentRole::Worker).in_process(agent))
            .await
            .unwrap();
        let alice = orchestrator.as_principal("alice").unwrap();
        let outcome = alice.execute(Task::new("x")).await.unwrap();
        assert_eq!(outcome.result(), "alice");
        assert_eq!(ledger.run_time_ms.load(Ordering::Relaxed), 70);
    }
}

mod waits {
    use universal_orchestrator::Veto;
    use universal_orchestrator::plugin::{GuardCall, HookContext, Plugin, Verdict};

    struct AsksElsewhere;

    async fn is_allowed(_principal: String) -> bool {
        tokio::task::yield_now().await; // a call over the network
        false
    }

    impl Plugin for AsksElsewhere {
        fn guard(&self, context: &HookContext<'_>, _: &GuardCall<'_>) -> Verdict {
            let principal = context.principal.to_string();
            Verdict::later(async move {
                match is_allowed(principal).await {
                    true => Ok(()),
                    false => Err(Veto::new("not_allowed", "ask an administrator")),
                }
            })
        }
    }

    use universal_orchestrator::plugin::{HookPoint, HookSet, PluginManifest};
    use universal_orchestrator::{AgentRole, AgentSpec, UniversalOrchestrator};

    #[tokio::test(start_paused = true)]
    async fn it_refuses_a_registration() {
        let hooks = HookSet::none().guard(HookPoint::Register);
        let orchestrator = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .plugin(
                PluginManifest::new("asks", "asks elsewhere", hooks),
                AsksElsewhere,
            )
            .start()
            .await
            .unwrap();
        let refused = orchestrator
            .register_agent(AgentSpec::new("a", AgentRole::Worker))
            .await
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "agent was refused: plugin asks refused (not_allowed): ask an administrator"
        );
        assert_eq!(orchestrator.status().agents.total, 0);
    }
}

mod who_calls {
    use universal_orchestrator::plugin::{GuardCall, HookContext, Plugin, Verdict};

    /// What a caller shows: `orchestrator.as_principal(Principal::new("ann")?.with_credential(Badge(7)))`.
    pub struct Badge(pub u32);

    struct Doorkeeper;

    impl Plugin for Doorkeeper {
        fn guard(&self, context: &HookContext<'_>, _: &GuardCall<'_>) -> Verdict {
            match context.principal.credential::<Badge>() {
                Some(Badge(7)) => Verdict::Allow,
                _ => Verdict::veto("no_badge", "call with a principal that has a badge"),
            }
        }
    }

    use universal_orchestrator::plugin::{HookPoint, HookSet, PluginManifest};
    use universal_orchestrator::{AgentRole, AgentSpec, Principal, UniversalOrchestrator};

    #[tokio::test(start_paused = true)]
    async fn it_lets_in_who_has_a_badge() {
        let hooks = HookSet::none().guard(HookPoint::Register);
        let orchestrator = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .plugin(
                PluginManifest::new("doorkeeper", "asks for badges", hooks),
                Doorkeeper,
            )
            .start()
            .await
            .unwrap();
        let agent = || AgentSpec::new("a", AgentRole::Worker);
        let refused = orchestrator.register_agent(agent()).await.unwrap_err();
        assert!(refused.to_string().contains("no_badge"), "{refused}");
        let ann = Principal::new("ann").unwrap().with_credential(Badge(7));
        let by_ann = orchestrator.as_principal(ann).unwrap();
        by_ann.register_agent(agent()).await.unwrap();
    }
}

mod service_and_control {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, OnceLock};

    use universal_orchestrator::async_trait;
    use universal_orchestrator::plugin::{
        Control, HookContext, Observed, Plugin, PluginContext, PluginError,
    };

    /// What the plugin offers to agents and to other plugins.
    trait FailureCount: Send + Sync {
        fn failures(&self) -> u64;
    }

    #[derive(Default)]
    struct Counter(AtomicU64);

    impl FailureCount for Counter {
        fn failures(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[derive(Default)]
    struct QuarantinesFailing {
        counter: Arc<Counter>,
        control: OnceLock<Control>,
    }

    #[async_trait]
    impl Plugin for QuarantinesFailing {
        async fn start(&self, context: PluginContext) -> Result<(), PluginError> {
            let service: Arc<dyn FailureCount> = Arc::clone(&self.counter) as _;
            context.services.offer::<dyn FailureCount>(service);
            self.control.get_or_init(|| context.control.clone());
            Ok(())
        }

        fn observe(&self, _: &HookContext<'_>, what: &Observed<'_>) {
            let Observed::Failed { outcome, .. } = what else {
                return;
            };
            self.counter.0.fetch_add(1, Ordering::Relaxed);
            if let (Some(agent), Some(control)) = (outcome.agent(), self.control.get()) {
                // A full queue is counted by the host; the next failure tries again.
                let _ = control.quarantine(agent, "it failed a task");
            }
        }
    }

    use universal_orchestrator::plugin::{HookPoint, HookSet, PluginManifest};
    use universal_orchestrator::{
        AgentId, AgentRole, AgentSpec, Availability, Task, TaskFailure, UniversalOrchestrator,
    };

    #[tokio::test(start_paused = true)]
    async fn it_counts_and_quarantines() {
        let orchestrator = UniversalOrchestrator::builder()
            .without_linked_plugins()
            .plugin(
                PluginManifest::new(
                    "quarantine",
                    "quarantines agents that fail",
                    HookSet::none().observe(HookPoint::Fail),
                ),
                QuarantinesFailing::default(),
            )
            .start()
            .await
            .unwrap();
        orchestrator
            .register_agent(AgentSpec::new("a", AgentRole::Worker))
            .await
            .unwrap();
        let delegation = orchestrator.delegate_task(Task::new("x")).await.unwrap();
        orchestrator
            .fail_task(&delegation, TaskFailure::permanent("no"))
            .await
            .unwrap();
        let id = AgentId::new("a").unwrap();
        for _ in 0..9 {
            tokio::task::yield_now().await;
        }
        let view = orchestrator.agent(&id).unwrap();
        assert_eq!(view.availability, Availability::Quarantined);
        assert_eq!(view.quarantine_reason.as_deref(), Some("it failed a task"));
        let service = orchestrator.service::<dyn FailureCount>().unwrap();
        assert_eq!(service.failures(), 1);
    }
}

#[test]
fn the_crate_is_linked_into_this_program() {
    assert!(linked().iter().any(|d| d.manifest().name() == "deny_list"));
}

#[test]
fn the_example_section_is_one() {
    let descriptor = &universal_orchestrator_deny_list::DENY_LIST;
    let example = descriptor.manifest().example_section();
    let section = PluginSection::from_toml("deny_list", example).unwrap();
    assert!(descriptor.build(&section).is_ok());
}

/// The error texts on the page are those that a reader meets.
#[tokio::test]
async fn the_page_quotes_the_real_errors() {
    let quoted = |text: &str| {
        let page = super::WRITING_A_PLUGIN;
        assert!(page.contains(text), "the page does not quote:\n{text}");
    };
    let start = |toml: &'static str| async move {
        let config = OrchestratorConfig::from_toml_str(toml).unwrap();
        UniversalOrchestrator::builder()
            .without_linked_plugins()
            .config(config)
            .start()
            .await
            .unwrap_err()
    };
    let error = start("plugins.required = [\"deny_list\"]").await;
    assert!(matches!(
        error,
        StartError::Link(LinkError::Required { .. })
    ));
    quoted(&error.to_string());
    quoted(&start("[plugins.deny_list]").await.to_string());
    let config = OrchestratorConfig::from_toml_str("plugins.deny_list.task_type = []").unwrap();
    let error = UniversalOrchestrator::builder()
        .without_linked_plugins()
        .plugin_descriptor(&universal_orchestrator_deny_list::DENY_LIST)
        .config(config)
        .start()
        .await
        .unwrap_err();
    quoted(&error.to_string());
}
