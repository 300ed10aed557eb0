//! Security for the orchestrator: who calls, what they may do, how often, and a log that shows every change of it.
//!
//! A caller shows a [`BearerToken`]; the plugin's guards check it whenever an agent is registered, a task submitted, or an attempt bound.
//! In mode `production` nobody gets in without one. `docs/plugins/security.md` is the reference, `docs/security.md` the threat model.
//!
//! ```
//! use std::time::Duration;
//!
//! use universal_orchestrator::{OrchestratorConfig, Principal, Refusal, Task, UniversalOrchestrator};
//! use universal_orchestrator_security::SecurityService;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = OrchestratorConfig::from_toml_str(
//!     r#"
//!     [plugins]
//!     required = ["security"]
//!
//!     [plugins.security]
//!     key_inline = "for a trial only: use key_file or key_env"
//!
//!     [[plugins.security.identities]]
//!     name = "ci"
//!     roles = ["builder"]
//!
//!     [plugins.security.roles.builder]
//!     submit_types = ["build_*"]
//!     "#,
//! )?;
//! let orchestrator = UniversalOrchestrator::start(config).await?;
//! let refused = orchestrator.submit_task(Task::new("build_app")).await.unwrap_err();
//! assert!(matches!(refused.reason(), Refusal::Vetoed(veto) if veto.code == "unauthenticated"));
//!
//! let Some(security) = orchestrator.service::<dyn SecurityService>() else { return Ok(()) };
//! let issued = security.issue("ci", Duration::from_secs(3_600))?;
//! let ci = orchestrator.as_principal(Principal::new("ci")?.with_credential(issued.token))?;
//! let refused = ci.submit_task(Task::new("deploy_app")).await.unwrap_err();
//! assert!(matches!(refused.reason(), Refusal::Vetoed(veto) if veto.code == "task_type_not_granted"));
//! // Past the guard: there is no agent yet.
//! let refused = ci.submit_task(Task::new("build_app")).await.unwrap_err();
//! assert!(matches!(refused.reason(), Refusal::NoCapableAgent { .. }));
//! # orchestrator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod audit;
mod authenticate;
mod blocks;
mod config;
mod error;
mod gate;
mod grants;
mod incidents;
mod key;
mod metrics;
mod payload;
mod plugin;
mod policy;
mod rates;
mod redact;
mod refusal;
mod secret;
mod service;
mod suspicion;
mod token;
mod tokens;
mod wall;

pub use audit::{AuditError, AuditReport, Finding, FindingKind, Sealed, verify_log};
pub use blocks::BlockView;
pub use config::{
    AuditConfig, Fsync, IdentityConfig, RateLimitsConfig, RoleConfig, RuleAction, RuleConfig,
    SecurityConfig, Severity, Suspicion, TaskTypeRateConfig, TokenConfig,
};
pub use error::SecurityError;
pub use plugin::{SECURITY, SecurityPlugin};
pub use redact::Redactor;
pub use secret::SecretText;
pub use service::{Explanation, IssuedToken, Request, SecurityService};
pub use token::{BearerToken, issue_offline};
pub use tokens::TokenView;

pub(crate) use plugin::NAME;

universal_orchestrator::register_plugin!(SECURITY);

#[cfg(test)]
mod documents;

/// The programs of the reference are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins/security.md")]
mod reference {}
