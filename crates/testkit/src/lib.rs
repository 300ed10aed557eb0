//! What tests of the orchestrator and of plugins share: scripted agents, a wall clock that stands still, plugins that record or meddle, and the
//! plugin conformance suite.
//!
//! It is a test library: what is misused panics and says how.
//!
//! ```
//! use universal_orchestrator::{AgentRole, AgentSpec, Task};
//! use universal_orchestrator_testkit::{ScriptedAgent, test_orchestrator};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let orchestrator = test_orchestrator(Default::default()).await;
//! let agent = ScriptedAgent::fails_then_succeeds(2, "done");
//! let spec = AgentSpec::new("a", AgentRole::Worker).capabilities(["x"]).in_process(agent.clone());
//! orchestrator.register_agent(spec).await.unwrap();
//! let outcome = orchestrator.execute(Task::new("t").requires(["x"])).await.unwrap();
//! assert_eq!((outcome.attempts(), agent.calls().len()), (3, 3));
//! orchestrator.shutdown().await;
//! # }
//! ```

#![expect(
    clippy::panic,
    reason = "agents and plugins that panic are its purpose; what is misused panics too"
)]

pub mod conformance;

mod agent;
mod external;
mod meddler;
mod orchestrator;
mod puppet;
mod recorder;

pub use agent::{Call, ScriptedAgent, Step};
pub use external::{Answer, ExternalAgent};
pub use meddler::{Meddler, Mischief};
pub use orchestrator::{
    TEST_SEED, TestWallClock, quiet_config, settle, test_builder, test_orchestrator,
};
pub use puppet::{Ending, PuppetAgent};
pub use recorder::{Recorder, Seen};
